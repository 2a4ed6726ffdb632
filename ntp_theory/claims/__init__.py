"""Every labelled statement that the library can check, and the checks."""

from . import bias as _bias  # importing a paper registers its claims
from .labels import IMPLICIT_BIAS, PENDING
from .registry import BUDGETS, Budget, Claim, Verdict, check, clear_cache, labels, record, records

__all__ = [
    "BUDGETS",
    "IMPLICIT_BIAS",
    "PENDING",
    "Budget",
    "Claim",
    "Verdict",
    "check",
    "clear_cache",
    "labels",
    "record",
    "records",
]
