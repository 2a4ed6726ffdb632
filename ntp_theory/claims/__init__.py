"""Every labelled statement that the library can check, and the checks; importing a paper registers its claims."""

from . import attention, bias, capacity, classical, geometry, multitoken, pitfalls, planning, steepest
from .labels import IMPLICIT_BIAS, LABELS, MULTI_TOKEN, PAPERS, PATH_STAR_AND_PLANNING, PENDING
from .registry import BUDGETS, Budget, Claim, Verdict, check, clear_cache, labels, record, records

__all__ = [
    "BUDGETS",
    "IMPLICIT_BIAS",
    "LABELS",
    "MULTI_TOKEN",
    "PAPERS",
    "PATH_STAR_AND_PLANNING",
    "PENDING",
    "Budget",
    "Claim",
    "Verdict",
    "attention",
    "bias",
    "capacity",
    "check",
    "classical",
    "clear_cache",
    "geometry",
    "labels",
    "multitoken",
    "pitfalls",
    "planning",
    "record",
    "records",
    "steepest",
]
