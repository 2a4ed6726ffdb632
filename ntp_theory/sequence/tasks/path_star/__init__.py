"""The path-star task: graphs, how they are written, and whole batches of them."""

from .files import read_graphs, write_graphs
from .graph import PathStarGraph
from .task import PathStar

__all__ = ["PathStar", "PathStarGraph", "read_graphs", "write_graphs"]
