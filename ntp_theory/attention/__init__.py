"""Attention that learns which token to look at: graphs of priorities, margins of selection, and training in stages."""

from .compare import compare
from .graph import PriorityGraph, priority_graphs
from .limit import PartitionLimit, predict
from .log_partition import LogPartition
from .pairs import PairSVM, pair_dataset, solve_pairs
from .runs import PartitionRun, descend, flow
from .sequences import TokenSequences

__all__ = [
    "LogPartition",
    "PairSVM",
    "PartitionLimit",
    "PartitionRun",
    "PriorityGraph",
    "TokenSequences",
    "compare",
    "descend",
    "flow",
    "pair_dataset",
    "predict",
    "priority_graphs",
    "solve_pairs",
]
