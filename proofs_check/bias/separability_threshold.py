"""Printed (heuristic): random data is separable as often as Wendel counts in D = (V-1) d - dim F dimensions. It is not.

Wendel: m random signs make m vectors in general position in D dimensions lie in a half-space with chance w(m, D) =
2^(1-m) sum_{i<D} C(m-1, i); its middle D = m/2 is d/m = ((S-1) + (V-S)/2)/(V-1) with sum_j (V - S_j) margins. For V =
3, S_j = 2, d = 2, m = 3, supports and signs of embeddings drawn evenly, the heuristic says 11/36; three points with all
signs give 5/36: with supports {1,2}, {1,2}, {1,3} no data is separable, since w_1 = w_2 is forced, while w(3, 1) = 1/4.
Repaired: separable data with a token off a support needs D > 0; for V = 2 the heuristic is exact (embeddings in general
position, signs or next tokens even). What the thresholds are for V > 2 is an open question, no part of this statement.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from math import comb

import sympy as sp

from ..kit.algebra import is_zero, reals
from ..kit.data import Data
from ..kit.rational import rank
from ..statement import Statement

statement = Statement(
    "bias/separability-threshold",
    source="derived (D12)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/definition-2", "bias/data-subspace", "classical/cover-wendel"],
)

# Three points of the plane, no two parallel, no one the sum of others up to signs.
POINTS = [(5, 1), (2, 7), (-3, 4)]


def wendel(m: int, dim: int) -> Fraction:
    """w(m, D)."""
    return Fraction(sum(comb(m - 1, i) for i in range(dim)), 2 ** (m - 1))


def planar(supports: tuple[tuple[int, int], ...], signs: tuple[int, ...]) -> Data:
    """V = 3 and d = 2: the points with signs, and uniform probabilities on the supports."""
    embeddings = [[Fraction(s * x) for x in h] for s, h in zip(signs, POINTS, strict=True)]
    rows = [[Fraction(v in s, 2) for v in range(3)] for s in supports]
    return Data(embeddings, rows, [Fraction(1, 3)] * 3)


@statement.refutes(
    "supports {1,2}, {1,2}, {1,3}, any h_1, h_2 not parallel: (w_1 - w_2).h = 0 twice forces w_1 = w_2, a margin "
    "of 0; w(3, 1) = 1/4"
)
def never_separable() -> bool:
    u1, u2, a1, a2, b1, b2, c1, c2 = reals("u", 2) + reals("a", 2) + reals("b", 2) + reals("c", 2)
    forced = sp.solve([u1 * a1 + u2 * a2, u1 * b1 + u2 * b2], [u1, u2], dict=True)
    # the third context has token 2 off its support: its margin is (w_1 - w_2).h_3
    margin = (u1 * c1 + u2 * c2).subs(forced[0])
    pairs = [(0, 1), (0, 1), (0, 2)]
    dimension = 2 * 2 - planar(tuple(pairs), (1, 1, 1)).dim_subspace
    return len(forced) == 1 and is_zero(margin) and wendel(3, dimension) == Fraction(1, 4)


@statement.refutes(
    "all 27 choices of supports and 8 of signs: 5/36 are separable, by exact decisions; the heuristic says 11/36"
)
def probability() -> bool:
    choices = list(product([(0, 1), (0, 2), (1, 2)], repeat=3))
    found, predicted = Fraction(0), Fraction(0)
    # relabelling tokens and contexts leaves three kinds of choices; signs are equally likely for symmetric embeddings
    for pattern, count in Counter(tuple(sorted(Counter(c).values())) for c in choices).items():
        supports = next(c for c in choices if tuple(sorted(Counter(c).values())) == pattern)
        separable = sum(planar(supports, s).svm.point is not None for s in product((1, -1), repeat=3))
        found += Fraction(separable, 8) * Fraction(count, 27)
        predicted += wendel(3, 4 - planar(supports, (1, 1, 1)).dim_subspace) * Fraction(count, 27)
    return (found, predicted) == (Fraction(5, 36), Fraction(11, 36))


@statement.proves("D = 0 forbids it: 1 c^T is orthogonal to F, these are d dimensions, and its margins are all 0")
def necessary() -> bool:
    v, z, y, i, V, d, f = sp.symbols("v z y i V d f", integer=True)
    c, h = sp.IndexedBase("c"), sp.IndexedBase("h")
    # <(e_z - e_y) h^T, 1 c^T>, (z, y) a pair of the support or a margin; F's complement has V d - f dimensions
    product_ = sp.Sum((sp.KroneckerDelta(v, z) - sp.KroneckerDelta(v, y)) * h[i] * c[i], (v, -sp.oo, sp.oo)).doit()
    return is_zero(product_) and is_zero((V * d - f) - d - ((V - 1) * d - f))


@statement.proves(
    "V = 2: the token y is right iff u.h >= 1, u = +-(w_1 - w_2), one margin a context and F = 0; so D = d and "
    "the signs are Wendel's"
)
def two_tokens() -> bool:
    w1, w2, h = reals("w", 2) + reals("h", 1)
    first, second = (w1 - w2) * h, (w2 - w1) * h
    V, S, d, m = 2, 1, sp.Symbol("d"), sp.Symbol("m")
    middle = sp.solve(sp.Eq((V - 1) * d - m * (S - 1), m * sp.Rational(V - S, 2)), d)
    return is_zero(first + second) and middle == [m / 2]


@statement.proves("in general the middle of the heuristic solves (V-1) d - m (S-1) = m (V-S)/2")
def middle() -> bool:
    V, S, d, m = sp.symbols("V S d m", positive=True)
    (found,) = sp.solve(sp.Eq((V - 1) * d - m * (S - 1), m * (V - S) / 2), d)
    return is_zero(found / m - ((S - 1) + (V - S) / 2) / (V - 1))


@statement.confirms(
    "labellings of 5 points of the plane, no two parallel, that are separable: 2^5 w(5, 2) = 10",
    instances="32 labellings",
)
def labellings() -> bool:
    points = [[Fraction(x), Fraction(1 + x * x)] for x in (-2, -1, 0, 1, 3)]
    found = 0
    for labels in product((0, 1), repeat=5):
        rows = [[Fraction(v == y) for v in range(2)] for y in labels]
        found += Data(points, rows, [Fraction(1, 5)] * 5).svm.point is not None
    return rank(points) == 2 and found == 32 * wendel(5, 2) == 10
