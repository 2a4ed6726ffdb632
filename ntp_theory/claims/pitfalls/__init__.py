"""Claims on the pitfalls of next-token prediction (2403.06963): path-star graphs."""

from . import objectives, structure, training

__all__ = ["objectives", "structure", "training"]
