"""A parallel head trained by cross-entropy need not have the highest acceptance rate.

The head q of the second token sees nothing of the first. Cross-entropy makes it the marginal law, q(y) = E_x p(y|x).
Its acceptance rate is the sum over y of F_y(q(y)), where F_y(q) = E_x min(p(y|x), q) is concave, with slope
P_x(p(y|x) > q). So the best q takes a common slope: its entries are quantiles of p(y|x), not means. The linear
program is solved exactly by taking slopes in falling order, and a multiplier certifies the optimum.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Law, smaller, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "speculative/head-not-optimal", source="derived", verdict="proved", needs=["speculative/acceptance-rate"]
)

ONE_HOT = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]
DETERMINISTIC: tuple[Law, list[Law]] = (
    [Fraction(4, 10), Fraction(3, 10), Fraction(3, 10)],
    [ONE_HOT[0], ONE_HOT[1], ONE_HOT[1]],
)


def rate(first: Law, second: list[Law], q: Law) -> Fraction:
    pairs = [(w, p, value) for w, row in zip(first, second, strict=True) for p, value in zip(row, q, strict=True)]
    return sum((w * min(p, value) for w, p, value in pairs), Fraction(0))


def marginal(first: Law, second: list[Law]) -> list[Fraction]:
    return [
        sum((w * p for w, p in zip(first, column, strict=True)), Fraction(0)) for column in zip(*second, strict=True)
    ]


def best(first: Law, second: list[Law]) -> tuple[list[Fraction], Fraction]:
    """The head filled along falling slopes, and the slope where the mass 1 runs out."""
    pieces = []
    for y, column in enumerate(zip(*second, strict=True)):
        ends = sorted({Fraction(0), *map(Fraction, column)})
        for low, high in zip(ends, ends[1:], strict=False):
            pieces.append((sum((w for w, p in zip(first, column, strict=True) if p > low), Fraction(0)), y, high - low))
    q, left, slope = [Fraction(0)] * len(second[0]), Fraction(1), Fraction(0)
    for piece, y, width in sorted(pieces, reverse=True):
        slope, taken = piece, min(width, left)
        q[y], left = q[y] + taken, left - taken
        if not left:
            break
    return q, slope


def dual(first: Law, second: list[Law], slope: Fraction) -> Fraction:
    """An upper bound of every head's rate: slope + sum_y max_s (F_y(s) - slope s), the maxima at break points."""
    bound = slope
    for column in zip(*second, strict=True):
        values = [
            sum((w * min(p, s) for w, p in zip(first, column, strict=True)), Fraction(0)) - slope * s
            for s in (Fraction(0), *column)
        ]
        bound += max(values)
    return bound


@statement.proves(
    "p(x) = (.4, .3, .3), y = 0, 1, 1: the marginal head (.4, .6) is kept at rate .52, the head (0, 1) at .6"
)
def example() -> bool:
    head = marginal(*DETERMINISTIC)
    return bool(
        head == [Fraction(2, 5), Fraction(3, 5)]
        and rate(*DETERMINISTIC, head) == Fraction(52, 100)
        and rate(*DETERMINISTIC, [0, 1]) == Fraction(6, 10)
    )


@statement.proves(
    "no head does better there: .6 - (.4 q + .6 (1 - q)) = .2 q >= 0; and the dual bound of slope .6 is .6"
)
def optimal() -> bool:
    q = sp.Symbol("q", nonnegative=True)
    first = sp.Rational(4, 10)
    slack = sp.expand(sp.Rational(6, 10) - (first * q + (1 - first) * (1 - q)))
    return bool(slack == q / 5) and dual(*DETERMINISTIC, Fraction(6, 10)) == Fraction(6, 10)


@statement.proves(
    "all laws positive, V = 4 (a rational table): the filled head equals its dual bound and beats the marginal"
)
def positive_example() -> bool:
    target = table(3, 4, 2)
    first, second = target(()), [target((x,)) for x in range(4)]
    q, slope = best(first, second)
    top = rate(first, second, q)
    return sum(q) == 1 and top == dual(first, second, slope) and top > rate(first, second, marginal(first, second))


@statement.proves(
    "the dual bound holds for every head: for a context min(p, s) grows by h from s to s + h while s + h <= p, and not "
    "at all from s >= p on, so F_y is linear between break points and constant after them, and F_y(s) - slope s, "
    "slope >= 0, is largest at one; sum_y q(y) = 1 turns sum_y slope q(y) into slope"
)
def weak_duality() -> bool:
    s, h, more = sp.symbols("s h more", nonnegative=True)
    before = smaller(s + h + more, s + h) - smaller(s + h + more, s)
    after = smaller(s, s + more + h) - smaller(s, s + more)
    (y, V), slope = sp.symbols("y V", integer=True, positive=True), sp.Symbol("slope")
    F, q = sp.IndexedBase("F"), sp.IndexedBase("q")
    total = split(sp.Sum(F[y] - slope * q[y], (y, 1, V))).subs(sp.Sum(q[y], (y, 1, V)), 1) + slope
    return bool(before == h and after == 0 and total == sp.Sum(F[y], (y, 1, V)))


@statement.confirms(
    "filling equals the dual bound, never below the marginal head", instances="20 rational tables, V = 4"
)
def more_tables() -> bool:
    def holds(seed: int) -> bool:
        target = table(seed, 4, 2)
        first, second = target(()), [target((x,)) for x in range(4)]
        q, slope = best(first, second)
        top = rate(first, second, q)
        return top == dual(first, second, slope) and top >= rate(first, second, marginal(first, second))

    return all(holds(seed) for seed in range(20))
