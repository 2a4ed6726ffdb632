"""Tasks: they make batches and judge answers."""

from .batch import Batch
from .induction import Induction
from .multiplication import Multiplication
from .path_star import PathStar, PathStarGraph, read_graphs, write_graphs
from .polynomials import Expression, PolynomialArithmetic
from .pre_caching import PreCaching
from .sparse_contexts import SparseContexts
from .task import Task
from .text import Text, without_repeats

__all__ = [
    "Batch",
    "Expression",
    "Induction",
    "Multiplication",
    "PathStar",
    "PathStarGraph",
    "PolynomialArithmetic",
    "PreCaching",
    "SparseContexts",
    "Task",
    "Text",
    "read_graphs",
    "without_repeats",
    "write_graphs",
]
