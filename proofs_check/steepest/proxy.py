"""The proxy of the loss is the mean probability of the wrong tokens.

    G(W) = (1/n) sum_i (1 - S_{y_i}(W h_i))

1 - S_y is the sum of the probabilities of the other tokens, minus the slope of the sample's loss -log S_y in the
logit of its label, and R / (1 + R) where R is the sum of the odds e^{l_c - l_y} of the other tokens; it lies in (0, 1).
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("steepest/proxy", source="2502.04664 Sec. 4", verdict="proved")

label = sp.Symbol("l_y", real=True)
c, N = sp.symbols("c N", integer=True, positive=True)  # c runs over the N = V - 1 other tokens
logit = sp.IndexedBase("l", real=True)
others = sp.Sum(sp.exp(logit[c]), (c, 1, N))
chance = sp.exp(label) / (sp.exp(label) + others)


@statement.proves("1 - S_y is the sum of the probabilities of the other tokens, for any number of them")
def wrong_mass() -> bool:
    mass = split(sp.Sum(sp.exp(logit[c]) / (sp.exp(label) + others), (c, 1, N)))
    return is_zero(1 - chance - mass)


@statement.proves("the slope of -log S_y in the label's logit is -(1 - S_y)")
def slope() -> bool:
    return is_zero(sp.diff(-sp.log(chance), label) + 1 - chance)


@statement.proves("1 - S_y = R / (1 + R), R the sum of the odds of the other tokens")
def odds() -> bool:
    ratio = split(sp.Sum(sp.exp(logit[c]) / sp.exp(label), (c, 1, N)))
    return is_zero(1 - chance - ratio / (1 + ratio))


@statement.proves("it lies in (0, 1), as R > 0")
def bounded() -> bool:
    r = sp.Symbol("R", positive=True)
    return bool((r / (1 + r)).is_positive and sp.simplify(1 - r / (1 + r)).is_positive and sp.exp(logit[c]).is_positive)
