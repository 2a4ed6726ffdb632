"""Typical acceptance keeps x if p(x) > min(eps, delta exp(-H(p))); it does not preserve the law of the model.

A step emits the greedy token first, without a test, then the longest prefix of tokens that pass among its candidates;
delta = sqrt(eps), for example eps = .09 and delta = .3. For rational p = n / m (m the common denominator) the test is
decided exactly: exp(-H) = prod p^p, so p(x) > delta exp(-H) exactly if p(x)^m > delta^m prod_z p_z^(n_z). Candidates
are fixed by the heads, so the output is deterministic, at a distance 1 - p(output) from the law p.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.decoding import distance
from ..statement import Statement

statement = Statement("medusa/typical-acceptance", source="2401.10774 Sec. 2.3", verdict="proved")

EPS, DELTA = Fraction(9, 100), Fraction(3, 10)


def passes(p: list[Fraction], x: int) -> bool:
    """The test, by integer powers."""
    m = math.lcm(*(value.denominator for value in p))
    power = math.prod((value ** int(value * m) for value in p if value), start=Fraction(1))
    return p[x] > EPS or p[x] ** m > DELTA**m * power


@statement.proves("exp(-H) = prod p^p, and its m-th power at p = n / m is prod p^n, token by token")
def exponential() -> bool:
    p, m = sp.Symbol("p", positive=True), sp.Symbol("m", integer=True, positive=True)
    factor = sp.exp(p * sp.log(p))
    return bool(sp.simplify(factor - p**p) == 0) and is_zero(m * (p * sp.log(p)) - sp.expand_log(sp.log(p ** (p * m))))


@statement.proves(
    "p(x) > min(eps, t) exactly if p(x) > eps or p(x) > t; uniform on 2, 8, 16, 32: all pass; (97, 2, 1)/100: 0"
)
def examples() -> bool:
    order = all(
        (value > min(eps, t)) == (value > eps or value > t) for value, eps, t in itertools.product(range(3), repeat=3)
    )
    uniform = all(passes([Fraction(1, V)] * V, 0) for V in (2, 8, 16, 32))
    sharp = [Fraction(97, 100), Fraction(2, 100), Fraction(1, 100)]
    return order and uniform and [passes(sharp, x) for x in range(3)] == [True, False, False]


@statement.proves("eps = .09 and delta = .3 agree with delta = sqrt(eps)")
def root() -> bool:
    return DELTA**2 == EPS


@statement.proves("p = (1/2, 1/2): both tokens pass, so the draft is the output, for certain: TV = 1/2 from p")
def not_exact() -> bool:
    half = [Fraction(1, 2)] * 2
    outputs = [{draft: Fraction(1)} for draft in range(2) if passes(half, draft)]
    return len(outputs) == 2 and all(distance(output, {0: half[0], 1: half[1]}) == Fraction(1, 2) for output in outputs)


@statement.proves(
    "a deterministic output x is at TV = 1 - p(x): half of (1 - p(x)) + sum of the others' p = 2 (1 - p(x))"
)
def deterministic() -> bool:
    p = sp.Symbol("p", nonnegative=True)
    return bool(sp.expand(((1 - p) + (1 - p)) / 2 - (1 - p)) == 0)
