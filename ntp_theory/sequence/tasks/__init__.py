"""Tasks: they make batches and judge answers."""

from .batch import Batch
from .path_star import PathStar, PathStarGraph, read_graphs, write_graphs
from .pre_caching import PreCaching
from .task import Task

__all__ = ["Batch", "PathStar", "PathStarGraph", "PreCaching", "Task", "read_graphs", "write_graphs"]
