"""Random signs of m points in general position in d dimensions can be separated with an explicit probability.

Points x_1 .. x_m in R^d, any min(m, d) of them independent, and independent fair signs y_i: some w has y_i <x_i, w> > 0
for all i with probability

    2^(1 - m) sum_{i < d} binomial(m - 1, i).

So too, after Wendel, for random points, almost surely in general position, whose joint distribution does not change
when any of them changes its sign; with such points the signs y_i may be fixed.

Proof (Cover). Let C(m, d) be the number of sign patterns that can be separated. Adding x_m, a pattern of the first
m - 1 points extends in both ways if some separating w is orthogonal to x_m, and in one way otherwise; the patterns of
the first kind are those of the projections on the complement of x_m: C(m, d) = C(m - 1, d) + C(m - 1, d - 1).
"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..kit.rational import nearest, rank
from ..statement import Statement

statement = Statement(
    "classical/cover-wendel",
    source="Cover; Wendel",
    verdict="proved",
    known=[
        "induction on m",
        "random points whose distribution no change of signs alters are distributed as with independent fair signs",
    ],
)

m, d, i = sp.symbols("m d i", integer=True, positive=True)
a, b, e = sp.symbols("a b e", positive=True)


def count(points: int, dim: int) -> int:
    """2 sum_{i < d} binomial(m - 1, i)."""
    return 2 * sum(int(sp.binomial(points - 1, i)) for i in range(dim))


@statement.proves("<x_m, w> = a > 0 and <x_m, w'> = -b < 0: b w + a w' is orthogonal to x_m and separates as both do")
def between() -> bool:
    left, right = sp.symbols("left right", positive=True)  # margins of another point at w and w'
    return is_zero(b * a + a * (-b)) and bool((b * left + a * right).is_positive)


@statement.proves("w separating and orthogonal to x_m: w + e x_m and w - e x_m give x_m both signs and keep the others")
def both_ways() -> bool:
    margin, inner, square = (
        sp.Symbol("margin", positive=True),
        sp.Symbol("inner", positive=True),
        sp.Symbol("x2", positive=True),
    )
    step = margin / (2 * inner)  # inner = |<x_i, x_m>|, the largest; margin the least
    keeps = [sp.simplify(margin + sign * step * inner).is_positive for sign in (1, -1)]
    return all(keeps) and bool((e * square).is_positive)


@statement.proves("w orthogonal to x_m: <x_i, w> = <x_i - t_i x_m, w>; a relation of the latter is one of x_i and x_m")
def projected() -> bool:
    x, t, c = (sp.IndexedBase(name) for name in "xtc")
    last, size = sp.Symbol("x_m"), sp.Symbol("N", integer=True, positive=True)
    # sum c_i (x_i - t_i x_m) = sum c_i x_i - (..) x_m: the x_i and x_m are independent, so all c_i are 0
    relation = sp.Sum(c[i] * (x[i] - t[i] * last), (i, 1, size))
    apart = sp.Sum(c[i] * x[i], (i, 1, size)) - last * sp.Sum(c[i] * t[i], (i, 1, size))
    inner = sp.Sum(c[i] * (x[i] - t[i] * last), (i, 1, size)).subs(last, 0)  # <x_m, w> = 0
    return is_zero(split(relation - apart)) and is_zero(split(inner - sp.Sum(c[i] * x[i], (i, 1, size))))


@statement.proves("B(m, d) = 2 sum_{i < d} binomial(m - 1, i) has the same recursion: Pascal's rule term by term")
def recursion() -> bool:
    pascal = sp.binomial(m, i) - sp.binomial(m - 1, i) - sp.binomial(m - 1, i - 1)
    # sum_{i < d} binomial(m - 2, i - 1) runs over i - 1 < d - 1: the term at i = 0 is binomial(m - 2, -1) = 0
    return bool(sp.combsimp(pascal.rewrite(sp.gamma)).simplify() == 0) and sp.binomial(m, -1) == 0


@statement.proves("the same start: C(1, d) = 2, and C(m, 1) = 2: binomial(0, i) = 0 for i > 0, binomial(m - 1, 0) = 1")
def start() -> bool:
    points = sp.symbols("x", nonzero=True)  # on a line w > 0 and w < 0 give opposite patterns, by the signs of x_i
    opposite = is_zero(sp.sign(points) + sp.sign(-points))
    return bool(sp.binomial(0, i) == 0) and bool(sp.binomial(m - 1, 0) == 1) and opposite


@statement.proves("every pattern of signs has probability 2^-m, so the probability is 2^-m C(m, d)")
def probability() -> bool:
    return is_zero(2**-m * 2 - 2 ** (1 - m))


@statement.confirms(
    "patterns counted one by one, each decided exactly", instances="14 sets of up to 6 points, d up to 4"
)
def counted() -> bool:
    rng = random.Random(0)
    for size, dim in [
        (1, 2),
        (2, 2),
        (3, 2),
        (5, 2),
        (6, 2),
        (3, 3),
        (4, 3),
        (5, 3),
        (6, 3),
        (4, 1),
        (5, 4),
        (6, 4),
        (3, 4),
        (2, 1),
    ]:
        while True:
            points = [[Fraction(rng.randint(-9, 9)) for _ in range(dim)] for _ in range(size)]
            if all(rank(list(c)) == min(size, dim) for c in itertools.combinations(points, min(size, dim))):
                break
        separable = 0
        for signs in itertools.product((1, -1), repeat=size - 1):  # the first sign is 1: w and -w
            rows = [[s * x for x in point] for s, point in zip((1, *signs), points, strict=True)]
            separable += nearest(rows).point is not None
        if 2 * separable != count(size, dim):
            return False
    return True
