"""The max-margin decoder has a dual over matrices with one row a context, whose constraints are simple.

    minimise  D(C) = 1/2 tr(C^T K C) - sum_j sum_{z in S_j} c_jz   over C (m x V), K = H H^T, H with rows h_j^T,
    every row of C with sum 0,  c_jv <= 0 for v off S_j.

For every C of this kind and every W that satisfies the constraints of the NTP-SVM, 1/2 ||W||^2 + D(C) >= 0, and 0
exactly if W = W_mm = C^T H and c_jv > 0 only where the margin is 1. Then ||W_mm||^2 = sum_{z in S_j} c_jz = - sum_off
c_jv, and -c_jv are the multipliers of the margins. The gradient is K C - 1_S, with K C the logits. The projection of a
row y on {sum 0, entries off S_j <= 0} is y - mu on S_j and min(y - mu, 0) off it, for the one mu that makes the sum 0.
Additive embeddings are dependent, h_ab - h_ac - h_db + h_dc = 0, and can make the NTP-SVM infeasible; then D has no
lower bound. (Counts of iterations and times are not part of this statement.)
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import Data, draw
from ..kit.generic import split
from ..kit.matrices import matrices, transpose, vanishes
from ..kit.rational import Vector, dot, solve
from ..statement import Statement

statement = Statement(
    "svm/dual",
    source="derived",
    verdict="proved",
    needs=["bias/definition-3", "bias/data-subspace"],
    known=["KKT conditions with linear constraints", "Farkas' lemma"],
)

# One row: sums over the support (index z, S terms) and off it (index v, Q terms).
z, v, S, Q = sp.symbols("z v S Q", integer=True, positive=True)
inside, outside = sp.IndexedBase("c_in"), sp.IndexedBase("c_off")


@statement.proves("1/2 |W|^2 + 1/2 |C^T H|^2 = 1/2 |W - C^T H|^2 + tr(C^T H W^T): rows times logits")
def expand() -> bool:
    W, C, H = matrices("W C H")
    X = W - transpose(C) * H
    squares = W * transpose(W) + transpose(C) * H * transpose(H) * C - X * transpose(X)
    return vanishes(squares / 2 - W * transpose(H) * C, trace=True)


@statement.proves("rows of C times feasible logits (a on S_j, a - 1 - t_v off): sum_S c + sum_off (-c_v) t_v")
def weak_duality() -> bool:
    level, t = sp.Symbol("a"), sp.IndexedBase("t")
    product = sp.Sum(inside[z] * level, (z, 1, S)) + sp.Sum(outside[v] * (level - 1 - t[v]), (v, 1, Q))
    on = sp.Sum(inside[z], (z, 1, S))
    claimed = on - sp.Sum(outside[v] * t[v], (v, 1, Q))
    balance = {sp.Sum(outside[v], (v, 1, Q)): -on}
    terms = sp.symbols("c slack", nonnegative=True)  # -c_v, t_v: so 1/2 |W|^2 + D(C) = 1/2 |W - C^T H|^2 + sum >= 0
    return is_zero(split(product - claimed).subs(balance)) and bool(sp.Mul(*terms).is_nonnegative)


@statement.proves("C exists: W_mm = P_perp sum alpha (e_z - e_v) h^T (KKT); P_perp moves in-support entries only")
def from_multipliers() -> bool:
    # alpha_v (e_z - e_v) h^T for v off S_j, less (e_z - e_z') h^T in any amount: the row sums to 0, entry v is -alpha_v
    one, anchor, other, off = matrices("one z z' v")
    amount, alpha = sp.symbols("amount alpha", positive=True)
    row = alpha * (anchor - off) + amount * (anchor - other)
    sums = {transpose(one) * e: sp.S.One for e in (anchor, other, off)}
    return vanishes(transpose(one) * row, sums) and bool(row.expand().coeff(off) == -alpha)


@statement.proves("d/de of D(C + e E) at 0 is tr(E^T (K C - 1_S)), K symmetric; the logits are H W^T = H H^T C")
def gradient() -> bool:
    C, E, ones, H = matrices("C E ones H")
    e, K = sp.Symbol("e", real=True), H * transpose(H)
    X = C + e * E
    value = sp.expand(transpose(X) * K * X / 2 - transpose(ones) * X)
    slope = sp.diff(value, e).subs(e, 0) - transpose(E) * (K * C - ones)
    return vanishes(slope, trace=True) and vanishes(H * transpose(transpose(C) * H) - K * C)


@statement.proves("d/ds D(s C) = 0 at s = 1: |W|^2 = tr(C^T K C) = sum_S c, which is -sum_off c by the row sums")
def norm() -> bool:
    s, quadratic, linear = sp.symbols("s quadratic linear", positive=True)
    slope = sp.diff(s**2 * quadratic / 2 - s * linear, s).subs(s, 1)
    return bool(sp.solve(slope, quadratic) == [linear])


@statement.proves("projection: <y - x, x' - x> <= 0 for allowed x', as y - x = mu but where x = 0 and y > mu")
def projection() -> bool:
    # mu (sum x' - sum x) = 0 by the sums; the rest (y - x - mu)(x' - x) with y - mu = above > 0, x = 0, x' = -below
    above, mu = sp.Symbol("above", positive=True), sp.Symbol("mu", real=True)
    below, free = sp.symbols("below free", nonnegative=True)
    unclipped = is_zero((mu - free) - sp.Min(-free, 0) - mu)  # y = mu - free
    return unclipped and bool(sp.Min(above, 0) == 0) and bool((above * (-below - 0)).is_nonpositive)


@statement.proves("sum_S (y - mu) + sum_off min(y - mu, 0) falls in mu at a rate of at least S_j: one root")
def threshold() -> bool:
    y, mu = sp.symbols("y mu", real=True)
    on, step = sp.diff(y - mu, mu), sp.Symbol("step", nonnegative=True)
    # off the support min(y - mu, 0) does not rise: below, at and above the kink
    falls = [sp.Min(x - step, 0) - sp.Min(x, 0) for x in (-step, sp.Integer(0), step)]
    ends = [sp.limit(y - mu, mu, end) for end in (sp.oo, -sp.oo)]
    return bool(on == -1) and all(bool(f.is_nonpositive) for f in falls) and ends == [-sp.oo, sp.oo]


@statement.proves("h_xy = f_x + g_y: h_ab - h_ac - h_db + h_dc = 0. C^T H = 0 with sum_S c > 0: D(s C) has no bound")
def dependent() -> bool:
    f, g = sp.symbols("f_a f_d"), sp.symbols("g_b g_c")
    total = (f[0] + g[0]) - (f[0] + g[1]) - (f[1] + g[0]) + (f[1] + g[1])
    s, linear = sp.symbols("s linear", positive=True)
    return is_zero(total) and bool(sp.limit(0 * s**2 - s * linear, s, sp.oo) == -sp.oo)


def dual(data: Data, point: Vector) -> list[Vector]:
    """C from the exact multipliers; its in-support entries make up for what P_perp takes off."""
    alpha = dict(zip(data.margins, data.svm.multipliers, strict=True))
    total = [sum((a * data.margins[i][k] for i, a in alpha.items()), -x) for k, x in enumerate(point)]
    pairs = [(j, support[0], z) for j, support in enumerate(data.supports) for z in support[1:]]
    amounts = solve([list(column) for column in zip(*data.generators, strict=True)], total) if pairs else []
    assert amounts is not None
    rows = [[Fraction(0)] * data.vocab_size for _ in data.supports]
    moves = [(j, data.supports[j][0], v, a) for (j, v), a in alpha.items()]
    for j, z, v, a in moves + [(*pair, -b) for pair, b in zip(pairs, amounts, strict=True)]:
        rows[j][z] += a
        rows[j][v] -= a
    return rows


@statement.confirms("exact C: its constraints, C^T H = W_mm, |W|^2 = sum_S c, D(C) = -|W|^2/2", instances="16 datasets")
def exactly() -> bool:
    drawn = [draw(seed, vocab_size=4, dim=3, contexts=2, sizes=[1, 2, 3]) for seed in range(16)]
    solved = [(data, data.svm.point) for data in drawn if data.svm.point is not None]
    for data, point in solved:
        rows = dual(data, point)
        image = [
            sum(r[v] * h[i] for r, h in zip(rows, data.embeddings, strict=True)) for v in range(4) for i in range(3)
        ]
        inside = sum(rows[j][z] for j, support in enumerate(data.supports) for z in support)
        signs = all(rows[j][v] <= 0 for j, v in data.margins) and not any(map(sum, rows))
        if not (signs and image == point and inside == dot(point, point)):
            return False
    return len(solved) >= 8


@statement.confirms("additive embeddings of four bigrams: K singular, an infeasible choice of tokens", instances="one")
def infeasible() -> bool:
    f, g = {"a": (1, 0), "d": (2, 1)}, {"b": (0, 3), "c": (1, 1)}
    h = [[Fraction(x + y) for x, y in zip(f[s], g[t], strict=True)] for s, t in ("ab", "ac", "db", "dc")]
    data = Data(h, [[Fraction(v == token) for v in range(2)] for token in (0, 1, 1, 0)], [Fraction(1, 4)] * 4)
    gram = [[dot(x, y) for y in h] for x in h]
    return all(dot(row, [Fraction(s) for s in (1, -1, -1, 1)]) == 0 for row in gram) and data.svm.point is None
