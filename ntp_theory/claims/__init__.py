"""Every labelled statement that the library can check, and the checks; importing a paper registers its claims."""

from . import bias, classical, geometry, steepest
from .labels import IMPLICIT_BIAS, PENDING
from .registry import BUDGETS, Budget, Claim, Verdict, check, clear_cache, labels, record, records

__all__ = [
    "BUDGETS",
    "IMPLICIT_BIAS",
    "PENDING",
    "Budget",
    "Claim",
    "Verdict",
    "bias",
    "check",
    "classical",
    "clear_cache",
    "geometry",
    "labels",
    "record",
    "records",
    "steepest",
]
