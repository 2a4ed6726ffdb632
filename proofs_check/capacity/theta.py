"""With k parameters and zeta tokens a decoder-only model fits Theta(k / (zeta - 1)) contexts: claim of the abstract.

Upper bound, for any C^1 parametrisation: n contexts with arbitrary distributions need n (zeta - 1) <= k
(`capacity/jacobian-rank`). Lower bound: one layer of multi-head attention with an analytic non-polynomial activation
attains the order; its construction is in the paper, not in our notes. What is shown beside the upper bound: a linear
decoder on embeddings in general position, k = zeta d, fits n = d contexts, at least half of k / (zeta - 1).
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement(
    "capacity/theta",
    source="2405.13718 (abstract)",
    verdict="open: source incomplete",
    missing="the lower bound for one-layer attention: its construction and exact assumptions are not in our notes",
    needs=["capacity/jacobian-rank", "capacity/linear-decoder"],
)

zeta, d, k = sp.symbols("zeta d k", integer=True, positive=True)
more = sp.Symbol("e", integer=True, nonnegative=True)


@statement.proves("n (zeta - 1) <= k is n <= k / (zeta - 1), for zeta >= 2: they differ by the factor zeta - 1 > 0")
def upper() -> bool:
    n = sp.Symbol("n", integer=True, positive=True)
    factor = (zeta - 1).subs(zeta, 2 + more)
    return bool(sp.simplify((k - n * (zeta - 1)) - (zeta - 1) * (k / (zeta - 1) - n)) == 0 and factor.is_positive)


@statement.proves(
    "the linear decoder's n = d lies between k / (2 (zeta - 1)) and k / (zeta - 1), k = zeta d, zeta >= 2"
)
def linear() -> bool:
    size = 2 + more
    bound = size * d / (size - 1)
    return bool(sp.factor(bound - d).is_positive and sp.factor(d - bound / 2).is_nonnegative)
