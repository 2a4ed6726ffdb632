"""Fewer than 1 / min(eps, delta exp(-H)) tokens can pass typical acceptance.

Each of them has more than the threshold t of probability, and all probabilities together are 1. The bound 1 / t is
best possible up to rounding: 1 / t - 1 tokens pass under a uniform law on k tokens with t = 1 / (k + 1).
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "medusa/typical-set-size", source="derived", verdict="proved", needs=["medusa/typical-acceptance"]
)

t = sp.Symbol("t", positive=True)


@statement.proves("k >= 1 tokens with p = t + e, e > 0, and rest >= 0 off the set: 1 - k t = sum e + rest > 0, every k")
def mass() -> bool:
    z, k = sp.symbols("z k", integer=True, positive=True)
    e, rest = sp.IndexedBase("e"), sp.Symbol("rest", nonnegative=True)
    total = split(sp.Sum(t + e[z], (z, 1, k))) + rest
    spare = sp.Sum(e[z], (z, 1, k)) + rest
    first = sp.Symbol("e1", positive=True) + sp.Symbol("others", nonnegative=True) + rest
    return bool(sp.expand(total - k * t - spare) == 0 and first.is_positive)


@statement.proves("so k < 1 / t: (1 - k t) / t = 1 / t - k; and no token at all is below 1 / t > 0 too")
def size() -> bool:
    k = sp.Symbol("k", nonnegative=True)
    return bool(sp.expand((1 - k * t) / t - (1 / t - k)) == 0 and (1 / t).is_positive)


@statement.proves("uniform on k tokens, t = 1 / (k + 1): all k pass, and 1 / t is k + 1")
def sharp() -> bool:
    k = sp.Symbol("k", integer=True, positive=True)
    threshold = 1 / (k + 1)
    return bool(sp.factor(1 / k - threshold).is_positive and 1 / threshold - k == 1)
