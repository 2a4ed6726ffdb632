"""With log(p + 10^-5) in the entropy the most likely token can fail typical acceptance, but only for V > 233,333.

The smoothed exp(-H) is at most p_max + eta, eta = 10^-5, so the token passes if p_max > delta (p_max + eta). With
delta = .3 and p_max >= 1 / V that holds for every law on V <= 233,333 tokens, not only for uniform ones; for the
uniform law on 233,334 it fails. At V = 10^6 it fails clearly: 1e-6 against a threshold of 3.3e-6.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "medusa/entropy-smoothing",
    source="derived (repository rule)",
    verdict="proved",
    needs=["medusa/argmax-accepted"],
)

ETA, EPS, DELTA = Fraction(1, 10**5), Fraction(9, 100), Fraction(3, 10)
p, eta, delta = sp.symbols("p eta delta", positive=True)
s = sp.Symbol("s", nonnegative=True)


def uniform_passes(size: int) -> bool:
    """For the uniform law exp(-H) = 1 / V + eta exactly."""
    return Fraction(1, size) > min(EPS, DELTA * (Fraction(1, size) + ETA))


@statement.proves("sum p log(p + eta) <= log(p_max + eta): p_max = p + s, and (p + s + eta) / (p + eta) >= 1")
def at_most() -> bool:
    (z, V), level = sp.symbols("z V", integer=True, positive=True), sp.Symbol("level")
    mass = sp.IndexedBase("p")
    constant = split(sp.Sum(mass[z] * level, (z, 1, V))).subs(sp.Sum(mass[z], (z, 1, V)), 1)
    return bool(constant == level and sp.factor((p + s + eta) / (p + eta) - 1).is_nonnegative)


@statement.proves("uniform on V: sum (1/V) log(1/V + eta) = log(1/V + eta), so the bound is attained")
def attained() -> bool:
    V = sp.Symbol("V", integer=True, positive=True)
    return is_zero(V * (1 / V) * sp.log(1 / V + eta) - sp.log(1 / V + eta))


@statement.proves(
    "p_max > delta (p_max + eta) exactly if p_max > delta eta / (1 - delta); at p_max = 1/V: V < (1-delta)/(delta eta)"
)
def limit() -> bool:
    margin = p - delta * (p + eta)
    bound = (1 - delta) / (delta * eta)
    return is_zero(margin - (1 - delta) * (p - delta * eta / (1 - delta))) and is_zero(margin.subs(p, 1 / bound))


@statement.proves(
    "numbers: the bound is 700000/3, between 233,333, where the uniform law passes, and 233,334, where not"
)
def numbers() -> bool:
    bound = (1 - DELTA) / (DELTA * ETA)
    return bound == Fraction(700_000, 3) and uniform_passes(233_333) and not uniform_passes(233_334)


@statement.proves("it passes at V = 10^5 and fails at V = 10^6, where the threshold is 3.3e-6")
def examples() -> bool:
    large = Fraction(1, 10**6)
    threshold = min(EPS, DELTA * (large + ETA))
    return uniform_passes(10**5) and not uniform_passes(10**6) and threshold == Fraction(33, 10**7)
