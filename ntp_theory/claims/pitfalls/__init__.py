"""Claims on the pitfalls of next-token prediction (2403.06963): path-star graphs."""

from . import arithmetic, metrics, objectives, structure, training, variations

__all__ = ["arithmetic", "metrics", "objectives", "structure", "training", "variations"]
