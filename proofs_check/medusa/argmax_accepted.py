"""Typical acceptance with delta < 1 always keeps the most likely token, since p_max >= exp(-H).

Entropy is the mean of -log p, which is at least -log p_max. So delta exp(-H) < p_max, and the threshold
min(eps, delta exp(-H)) is no larger. Drafts that greedy verification keeps pass the test too: the accepted length is at
least the greedy one. Equality p_max = exp(-H) holds exactly for laws that are uniform on a set of tokens.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.decoding import smaller
from ..kit.generic import split
from ..statement import Statement

statement = Statement("medusa/argmax-accepted", source="derived", verdict="proved", needs=["medusa/typical-acceptance"])

top, p = sp.symbols("p_max p", positive=True)
s = sp.Symbol("s", nonnegative=True)


@statement.proves("H + log p_max = sum p log(p_max / p); with p_max / p = 1 + s every summand is p log(1 + s) >= 0")
def summand() -> bool:
    (z, V), level = sp.symbols("z V", integer=True, positive=True), sp.Symbol("level")
    mass = sp.IndexedBase("p")
    constant = split(sp.Sum(mass[z] * level, (z, 1, V))).subs(sp.Sum(mass[z], (z, 1, V)), 1)
    ratio = sp.log(1 + s)
    slope = sp.diff(ratio, s)
    termwise = is_zero(-p * sp.log(p) + p * sp.log(p * (1 + s)) - p * ratio)
    return termwise and bool(constant == level and ratio.subs(s, 0) == 0 and slope.is_positive)


@statement.proves("delta < 1: p_max - delta exp(-H) >= (1 - delta) p_max > 0, and min(eps, t) <= t")
def threshold() -> bool:
    delta, excess = 1 / (1 + sp.Symbol("u", positive=True)), sp.Symbol("h", nonnegative=True)
    level = top / (1 + excess)  # exp(-H), by the step before
    margin = sp.factor(top - delta * level)
    t = sp.Symbol("t", positive=True)
    return bool(margin.is_positive and smaller(t + s, t) == t and smaller(t, t + s) == t)


@statement.proves("equality: summands vanish only at p = p_max or p = 0; uniform on k tokens p_max exp(H) = 1, every k")
def equality() -> bool:
    k = sp.Symbol("k", integer=True, positive=True)
    entropy = k * (-(1 / k) * sp.log(1 / k))
    zeros = sp.solveset(sp.log(1 + s), s, sp.Reals)
    return bool(sp.simplify((1 / k) * sp.exp(entropy) - 1) == 0 and zeros == sp.FiniteSet(0))


@statement.proves(
    "lengths: with indicators a <= b of passing at each position, prod a <= prod b, one factor more at a time, so the "
    "number of positions whose prefix passes is no smaller"
)
def lengths() -> bool:
    A, S, a, b_minus_a = sp.symbols("A S a d", nonnegative=True)
    return bool(sp.expand((A + S) * (a + b_minus_a) - A * a).is_nonnegative)
