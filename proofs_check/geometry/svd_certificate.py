"""The centred supports have the smallest nuclear norm if their singular vectors have the right signs.

S~ has entries 1 - S_j / V for tokens in the support S_j of context j and -S_j / V off it. Let S~ = U s T' be its
compact singular value decomposition. If (U T')[v, j] <= 0 for every v off S_j, then S~ solves

    min ||L||_*   subject to   L[z, j] = L[z', j] on the supports,  L[z, j] - L[v, j] >= 1 off them.

With all supports of k = 1, 2, 3 of V = 5 tokens this holds, and the singular values of S~ are four times 1, sqrt 3,
sqrt 3. The condition is necessary, too, if S~ has rank V - 1 or m. It is not in general, though random designs suggest
it: with V = 6 and the supports {0}, {1, 4}, {2, 4, 5}, {1, .., 5} it fails, and S~ is optimal.
"""

from __future__ import annotations

import itertools

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.intervals import interval
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..kit.spectra import eigenvalues
from ..statement import Statement

statement = Statement("geometry/svd-certificate", source="derived", verdict="proved", needs=["geometry/ufm-nuclear"])

U, T, W, H, E, X = matrices("U T W H E X")
# s^(1/2) and s^(-1/2); diagonal letters are sorted by name.
root, inverse = diagonals("root inverse")
RULES = {transpose(U) * U: sp.S.One, transpose(T) * T: sp.S.One, inverse * root: sp.S.One}
s = root**2
G = U * transpose(T)


@statement.proves(
    "||L||_* >= <L, D> for D = U T' + X, U'X = 0, X T = 0, |X| <= 1 (X = 0 among them): the cost (|W|^2 + |H|^2) / 2 "
    "of L = WH, at best ||L||_* (geometry/ufm-nuclear), exceeds it by half of |W - D H'|^2 + |H'|^2 - |D H'|^2, and "
    "|H'|^2 - |D H'|^2 = |P H'|^2 - |X P H'|^2 >= 0 with P = 1 - T T'"
)
def dual_bound() -> bool:
    h = transpose(H)
    D, P = G + X, 1 - T * transpose(T)
    rules = RULES | {transpose(U) * X: sp.S.Zero, transpose(X) * U: sp.S.Zero, X * T: sp.S.Zero}
    rules |= {transpose(T) * transpose(X): sp.S.Zero}
    cost, rest = transpose(W) * W + H * h - 2 * transpose(D) * W * H, W - D * h
    gap = H * (1 - transpose(D) * D) * h
    split = vanishes(gap - H * P * (1 - transpose(X) * X) * P * h, rules)
    return split and vanishes(cost - transpose(rest) * rest - gap, rules, trace=True)


@statement.proves("at L = S~ it is an equality: <S~, U T'> is the sum of the singular values, and <S~, X> = 0")
def tight() -> bool:
    centred = U * s * transpose(T)
    beside = vanishes(transpose(X) * centred, {transpose(X) * U: sp.S.Zero})
    return beside and vanishes(transpose(G) * centred - s, RULES, trace=True)


@statement.proves("the columns of U T' sum to 0 as those of S~ do: U T' = S~ T s^-1 T'")
def columns() -> bool:
    centred = U * s * transpose(T)
    size, V = sp.symbols("S V", positive=True)
    return vanishes(centred * T * inverse**2 * transpose(T) - G, RULES) and is_zero(
        size * (1 - size / V) + (V - size) * (-size / V)
    )


@statement.proves(
    "a column of a feasible L is a on its support and a - 1 - x off it, x >= 0; times a column g of U T', whose sum is "
    "0, it exceeds the same product for S~ by the sum of -g x over off-support entries, each >= 0 where g <= 0"
)
def column_by_column() -> bool:
    # `on` and `off` are the sums of g over the support and off it: 0 together; g and x one off-support entry.
    a, on = sp.symbols("a on", real=True)
    g, x = sp.Symbol("g", nonpositive=True), sp.Symbol("x", nonnegative=True)
    size, V = sp.symbols("S V", positive=True)
    off = -on
    feasible, centred = a * on + (a - 1) * off, (1 - size / V) * on - size / V * off
    excess = sp.expand((a - 1 - x) * g - (a - 1) * g)
    return is_zero(feasible - centred) and excess.is_nonnegative is True


@statement.proves(
    "necessity: with g = (U T')[v, j] > 0 off a support, S~ - t E, E = (e_v - 1 / V) e_j', is feasible, and for rank "
    "V - 1 (U U' E = E) or m (E T T' = E) has factors that cost ||S~||_* - t g + t^2 / 2 |s^-1/2 U' E|^2 (or E T): less"
)
def necessary() -> bool:
    t = sp.Symbol("t", positive=True)
    w, h = U * root, root * transpose(T)
    left, right = inverse * transpose(U) * E, E * T * inverse
    moved = [(w, h - t * left, U * transpose(U) * E, left), (w - t * right, h, E * T * transpose(T), right)]
    return all(
        vanishes(a * b - (w * h - t * step), RULES)
        and vanishes(
            transpose(a) * a + b * transpose(b) - 2 * (s - t * transpose(G) * E) - t**2 * transpose(extra) * extra,
            RULES,
            trace=True,
        )
        for a, b, step, extra in moved
    )


@statement.proves("there <E, U T'> = g: the column of U T' sums to 0, so the shift by 1 / V drops out; U U' E = E")
def direction() -> bool:
    # rank V - 1: the columns of U span what is orthogonal to 1, so U U' = 1 - J / V; the columns of E sum to 0
    g, rest, V = sp.symbols("g rest V", positive=True)
    (J,) = matrices("J")
    product = (g - (g + rest) / V).subs(rest, -g)
    return is_zero(product - g) and vanishes((1 - J / V) * E - E, {J * E: sp.S.Zero})


@statement.proves("all supports of k of 5 tokens: S~ S~' = c (1 - J / 5) with c = 1, 3, 3, and U T' = S~ / sqrt c")
def five_tokens() -> bool:
    found = []
    for k in (1, 2, 3):
        masks = [[int(v in chosen) for v in range(5)] for chosen in itertools.combinations(range(5), k)]
        centred = sp.Matrix(masks).T - sp.ones(5, len(masks)) * sp.Rational(k, 5)
        gram, centring = centred * centred.T, sp.eye(5) - sp.ones(5, 5) / 5
        found.append(gram[0, 0] / centring[0, 0])
        signs = all((centred[v, j] < 0) == (masks[j][v] == 0) for j in range(len(masks)) for v in range(5))
        if gram != found[-1] * centring or centring.rank() != 4 or not signs:
            return False
    return [sp.sqrt(c) for c in found] == [1, sp.sqrt(3), sp.sqrt(3)]


@statement.proves(
    "not necessary: X = y t' / 50, t = (1, 0, 0, 1), y = (0, 2, 1, -2, -2, 1): U T' + X is a dual matrix for S~ of the "
    "example, negative off the supports, where U T' is not (U T' = S~ K^-1/2, K = S~' S~, eigenvalues isolated)"
)
def example() -> bool:
    masks = [[int(v in support) for v in range(6)] for support in ({0}, {1, 4}, {2, 4, 5}, {1, 2, 3, 4, 5})]
    centred = sp.Matrix(masks).T - sp.ones(6, 1) * sp.Matrix([[sp.Rational(sum(row), 6) for row in masks]])
    t, y = sp.Matrix([1, 0, 0, 1]), sp.Matrix([0, 2, 1, -2, -2, 1])
    moved = y * t.T / 50
    beside = (moved.T * centred).is_zero_matrix and (centred * moved.T).is_zero_matrix and sum(y) == 0
    short = (y.T * y)[0] * (t.T * t)[0] <= 50**2
    gram = centred.T * centred
    values = [value for value, _ in eigenvalues(gram) if value.b > 0.1]
    # K^-1/2 on the range of K, by Lagrange's formula at its eigenvalues, 0 among them
    polar = [[iv.mpf(0)] * 4 for _ in range(6)]
    for value in values:
        others = [other for other in values if other is not value]
        scale = 1 / (iv.sqrt(value) * value * (value - others[0]) * (value - others[1]))
        weights = [others[0] * others[1], -(others[0] + others[1]), iv.mpf(1)]
        for power, weight in enumerate(weights):
            for (v, j), entry in zip(itertools.product(range(6), range(4)), centred * gram ** (power + 1), strict=True):
                polar[v][j] += scale * weight * interval(entry)
    off = [(v, j) for v, j in itertools.product(range(6), range(4)) if not masks[j][v]]
    negative = all((polar[v][j] + interval(moved[v, j])).b < 0 for v, j in off)
    return bool(beside and short and len(values) == centred.rank() == 3 and negative and polar[4][0].a > 0.007)
