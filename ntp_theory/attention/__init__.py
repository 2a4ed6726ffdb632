"""Attention that learns which token to look at: graphs of priorities, margins of selection, and training in stages."""

from .compare import compare
from .graph import PriorityGraph, priority_graphs
from .limit import PartitionLimit, predict
from .log_partition import LogPartition
from .pairs import PairSVM, pair_dataset, solve_pairs
from .runs import PartitionRun, descend, flow
from .selection import SelectionSVM, TokenSelection, solve_selection
from .selection_runs import SelectionRun, select
from .sequences import TokenSequences
from .two_stage import TwoStageRun, collocation_data, two_stages

__all__ = [
    "LogPartition",
    "PairSVM",
    "PartitionLimit",
    "PartitionRun",
    "PriorityGraph",
    "SelectionRun",
    "SelectionSVM",
    "TokenSelection",
    "TokenSequences",
    "TwoStageRun",
    "collocation_data",
    "compare",
    "descend",
    "flow",
    "pair_dataset",
    "predict",
    "priority_graphs",
    "select",
    "solve_pairs",
    "solve_selection",
    "two_stages",
]
