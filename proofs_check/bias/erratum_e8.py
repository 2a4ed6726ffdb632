"""Printed: radius (23) of Lemma 5, ||W_mm||/alpha log(2 n V e^(4 ||W*||)), is sufficient. The exponent lost a factor M.

With embeddings (40, 1) and (1, 0), supports {1} and {2, 3} and p_2 = (0, 2/3, 1/3), a decoder W = W* + W_o with
||W_o|| above that radius has a smaller loss than W* + (1 + alpha) ||W_o|| W_mm/||W_mm||. The printed radius is not
covariant either: h -> c h, W -> W/c changes ||W*|| and nothing else. Repaired, with M = sqrt(2) max ||h_j||:

    ||W_o||  >=  (||W_mm||/alpha) log(2 n V e^(2 M ||W_F||))    is sufficient for every decoder W = W_F + W_o,

W_F in F and W_o orthogonal to it; so log(2 n V e^(4 M ||W*||)) is, once ||W_F|| <= 2 ||W*||.
"""

from __future__ import annotations

from fractions import Fraction

import mpmath
import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.data import Data
from ..kit.generic import nonnegative_from_zero
from ..kit.intervals import Interval
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/erratum-E8",
    source="2402.18551 Eq. (23)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/definition-3", "bias/erratum-E7", "bias/split"],
)

alpha, MF, R, n, V, S = sp.symbols("alpha MF R n V S", positive=True)
UPPER = V * sp.exp(MF - (1 + alpha) * R)
LOWER = sp.exp(-MF - R) / (2 * n)
RADIUS = sp.log(2 * n * V * sp.exp(2 * MF)) / alpha


@statement.refutes(
    "n = 4, V = 3, alpha = 1/2: above the printed radius the loss rises by more than 1/100, in interval arithmetic"
)
def counterexample() -> bool:
    one, zero = Fraction(1), Fraction(0)
    rows = [[one, zero, zero], [zero, Fraction(2, 3), Fraction(1, 3)]]
    data = Data([[Fraction(40), one], [one, zero]], rows, [Fraction(1, 4), Fraction(3, 4)])
    wide = data.svm.point
    assert wide is not None
    turned = [x * Fraction(4, 5) if i % 2 == 0 else x for i, x in enumerate(wide)]  # in the complement of F as well
    if any(dot(turned, g) for g in data.generators):
        return False
    with mpmath.workdps(30):
        half = iv.log(iv.mpf(2)) / 2  # W* = (0, half, -half) in the first column
        norms = [iv.sqrt(number(dot(w, w))) for w in (wide, turned)]
        size = 11 * norms[1]  # of W_o = 11 turned
        printed = norms[0] * 2 * iv.log(24 * iv.exp(4 * half * iv.sqrt(iv.mpf(2))))
        before = loss(data, turned, iv.mpf(11), half)
        after = loss(data, wide, iv.mpf(3) / 2 * size / norms[0], half)
        return bool(size.a > printed.b) and bool((after - before).a > 0.01)


def loss(data: Data, matrix: list[Fraction], scale: Interval, half: Interval) -> Interval:
    """CE(W* + scale matrix), enclosed."""
    total = iv.mpf(0)
    entries = zip(data.weights, data.probabilities, data.embeddings, data.logits(matrix), strict=True)
    for weight, row, h, logits in entries:
        finite = [number(h[0]) * sign * half for sign in (0, 1, -1)]
        values = [f + scale * number(x) for f, x in zip(finite, logits, strict=True)]
        level = iv.log(sum((iv.exp(x) for x in values), iv.mpf(0)))
        total += number(weight) * sum((number(p) * (level - x) for p, x in zip(row, values, strict=True)), iv.mpf(0))
    return total


def number(x: Fraction) -> Interval:
    """An enclosure of a fraction."""
    return iv.mpf(x.numerator) / x.denominator


@statement.refutes("h -> c h, W -> W/c keeps the logits and M ||W*||, and divides ||W*|| by c")
def covariance() -> bool:
    c, w, h = sp.symbols("c w h", positive=True)
    norm, M = sp.sqrt(w**2), sp.sqrt(2) * sp.sqrt(h**2)
    scaled = {w: w / c, h: c * h}
    kept = is_zero((w * h).subs(scaled, simultaneous=True) - w * h) and is_zero(
        (M * norm).subs(scaled, simultaneous=True) - M * norm
    )
    return kept and is_zero(norm.subs(w, w / c) - norm / c)


@statement.proves(
    "from below: pi_j >= S_j/n, and the off-support share is y >= e^(-M||W_F|| - R)/S_j <= 1: S y/(n (1+y)) >= LOWER"
)
def from_below() -> bool:
    more, y = sp.symbols("more y", nonnegative=True)
    least = sp.Symbol("x0", positive=True)  # e^(-M||W_F|| - R), at most 1; some margin of W_o is at most R
    size, spare = 1 + more, sp.Symbol("spare", nonnegative=True)  # S_j >= 1; y S_j = x0 + spare
    share = (least + spare) / size
    gap = sp.numer(sp.factor(sp.together(size * share / (1 + share) - least / 2)))
    short = sp.Symbol("short", nonnegative=True)
    positive = sp.expand(gap.subs(least, 1 - short))
    expected = (1 - short) * (more + short) + spare * (2 * size - 1 + short)
    ends = is_zero(LOWER * n - sp.exp(-MF - R) / 2)
    return ends and is_zero(positive - expected) and nonnegative_from_zero(sp.log(1 + y) - y / (1 + y), y)


@statement.proves(
    "from above: at most V terms, each at most e^(M||W_F|| - (1+alpha) R), over a sum on the support that is no "
    "smaller than one term"
)
def from_above() -> bool:
    extra, spare, x = sp.symbols("extra spare x", nonnegative=True)
    exponent = (MF - spare) - (1 + alpha) * R * (1 + extra)
    slack = sp.expand(sp.expand_log(sp.log(UPPER / V), force=True) - exponent)
    return bool(slack.is_nonnegative) and nonnegative_from_zero(x - sp.log(1 + x), x)


@statement.proves("UPPER <= LOWER exactly from the radius on: log(LOWER/UPPER) = alpha (R - RADIUS)")
def comparison() -> bool:
    ratio = sp.expand_log(sp.log(LOWER), force=True) - sp.expand_log(sp.log(UPPER), force=True)
    return is_zero(sp.expand(ratio - alpha * (R - sp.expand_log(RADIUS, force=True))))


@statement.proves("with ||W_F|| <= 2 ||W*|| the radius is at most that with e^(4 M ||W*||)")
def printed_with_the_factor() -> bool:
    star, spare = sp.symbols("star spare", nonnegative=True)  # M ||W*||, and 2 M ||W*|| - M ||W_F||
    larger = sp.log(2 * n * V * sp.exp(4 * star)) / alpha
    difference = sp.expand_log(larger - RADIUS.subs(MF, 2 * star - spare), force=True)
    return bool(sp.simplify(difference - 2 * spare / alpha) == 0 and (2 * spare / alpha).is_nonnegative)
