"""Tasks: they make batches and judge answers."""

from .batch import Batch
from .path_star import PathStar, PathStarGraph, read_graphs, write_graphs

__all__ = ["Batch", "PathStar", "PathStarGraph", "read_graphs", "write_graphs"]
