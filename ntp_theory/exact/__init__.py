"""Decisions in rational arithmetic (extra ``exact``: python-flint); floats are the dyadic rationals that they are."""

from .compatible import decide_compatibility
from .contradiction import prove_not_compatible, relation_value
from .direction import prove_separable
from .extended import prove_extended_support
from .max_margin import prove_max_margin
from .multipliers import prove_not_separable
from .proof import Proof

__all__ = [
    "Proof",
    "decide_compatibility",
    "prove_extended_support",
    "prove_max_margin",
    "prove_not_compatible",
    "prove_not_separable",
    "prove_separable",
    "relation_value",
]
