"""Tasks: they make batches and judge answers."""

from .batch import Batch
from .path_star import PathStar, PathStarGraph, read_graphs, write_graphs
from .task import Task

__all__ = ["Batch", "PathStar", "PathStarGraph", "Task", "read_graphs", "write_graphs"]
