"""Tasks: they make batches and judge answers."""

from .batch import Batch
from .path_star import PathStar, PathStarGraph

__all__ = ["Batch", "PathStar", "PathStarGraph"]
