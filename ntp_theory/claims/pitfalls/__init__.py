"""Claims on the pitfalls of next-token prediction (2403.06963): path-star graphs."""

from . import architectures, arithmetic, metrics, objectives, structure, training, variations

__all__ = ["architectures", "arithmetic", "metrics", "objectives", "structure", "training", "variations"]
