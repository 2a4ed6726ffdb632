"""What the max-margin decoder does not depend on, how it follows its data, and its closed form.

W_mm is the matrix of least norm with equal logits on every support S_j and all other logits lower by at least 1.

(i)   Its columns sum to 0, as those of W*; its rows lie in the span of the embeddings.
(ii)  Tokens that are in the same supports have equal rows.
(iii) It depends on supports and embeddings only: probabilities and frequencies do not enter its constraints.
(iv)  h -> Q h, Q orthogonal, gives W_mm Q^T; renaming tokens permutes its rows; h -> c h gives W_mm / c.
(v)   If H = [h_1 .. h_m] has rank m: W = L H^+ with the logits L = W H, and ||W||^2 = tr(L (H^T H)^-1 L^T).
(vi)  Orthonormal embeddings: L = (I - 11^T/V) S, S the 0/1 matrix of supports: (V - S_j)/V on S_j and -S_j/V off it.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import Data, as_matrix, draw
from ..kit.generic import split
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "bias/svm-structure", source="derived (D10)", verdict="proved", needs=["bias/definition-3", "bias/data-subspace"]
)

a, b = sp.symbols("a b", real=True)
more = sp.Symbol("more", nonnegative=True)


@statement.proves("it is unique: the mean of two feasible matrices is feasible, and shorter than the longer one")
def unique() -> bool:
    # entry by entry (a^2 + b^2)/2 - ((a + b)/2)^2 = (a - b)^2/4; constraints are linear: margins 1 + more, 1 + other
    other = sp.Symbol("other", nonnegative=True)
    gap = (a**2 + b**2) / 2 - ((a + b) / 2) ** 2 - (a - b) ** 2 / 4
    return is_zero(gap) and sp.expand(((1 + more) + (1 + other)) / 2 - 1).is_nonnegative is True


@statement.proves("(i) a column less its mean: the same differences, and sum (w - mean)^2 = sum w^2 - V mean^2")
def column_sums() -> bool:
    v, size = sp.symbols("v V", integer=True, positive=True)
    w, mean = sp.IndexedBase("w"), sp.Symbol("mean", real=True)
    total = {sp.Sum(w[v], (v, 1, size)): size * mean}
    lost = split(sp.Sum((w[v] - mean) ** 2, (v, 1, size)) - sp.Sum(w[v] ** 2, (v, 1, size)))
    return is_zero(lost.subs(total) + size * mean**2) and is_zero((a - mean) - (b - mean) - (a - b))


@statement.proves("(i) 1^T (e_z - e_z') h^T = 0: so W* in F has column sums 0")
def finite_part() -> bool:
    one, z, other, h = matrices("one z z' h")
    return vanishes(transpose(one) * (z - other) * h, {transpose(one) * z: sp.S.One, transpose(one) * other: sp.S.One})


@statement.proves("(i) rows projected, P H = H: the same logits, and ||W||^2 = ||W P||^2 + ||W (I - P)||^2")
def row_span() -> bool:
    W, P, H = matrices("W P H")
    rules = {P * P: P, P * H: H, transpose(P): P}
    squares = W * transpose(W) - W * P * transpose(P) * transpose(W) - W * (1 - P) * transpose(1 - P) * transpose(W)
    return vanishes(W * P * H - W * H, rules) and vanishes(squares, rules, trace=True)


@statement.proves("(ii) rows u, v in the same supports replaced by their mean: feasible, and shorter unless u = v")
def equal_patterns() -> bool:
    # logits a, b of u, v: in S_j they are equal; off it, in-support logits are higher by 1 + more and 1 + other
    other, level = sp.Symbol("other", nonnegative=True), sp.Symbol("level", real=True)
    mean = (a + b) / 2
    inside = is_zero(mean.subs(b, a) - a)
    outside = sp.expand(level - mean.subs({a: level - 1 - more, b: level - 1 - other}) - 1).is_nonnegative is True
    return inside and outside and is_zero(a**2 + b**2 - 2 * mean**2 - (a - b) ** 2 / 2)


@statement.proves(
    "(iv) W Q^T on Q h, W/c on c h and, permuted, P W have the logits of W on h; ||W Q^T|| = ||P W|| = ||W||"
)
def equivariant() -> bool:
    W, Q, P, h = matrices("W Q P h")
    c = sp.Symbol("c", positive=True)
    rotation, renaming = {transpose(Q) * Q: sp.S.One}, {transpose(P) * P: sp.S.One}
    logits = vanishes(W * transpose(Q) * Q * h - W * h, rotation) and vanishes(W / c * (c * h) - W * h)
    norms = vanishes(W * transpose(Q) * Q * transpose(W) - W * transpose(W), rotation, trace=True)
    # (e_z - e_v)^T W = (P e_z - P e_v)^T P W, x = e_z - e_v
    x = matrices("x")[0]
    renamed = vanishes(transpose(P * x) * P * W - transpose(x) * W, renaming)
    return logits and norms and renamed and vanishes(transpose(P * W) * P * W - transpose(W) * W, renaming, trace=True)


@statement.proves("(v) G = (H^T H)^-1, H^+ = G H^T: W H H^+ = W for rows in the span of H, ||W||^2 = tr(L G L^T)")
def in_logits() -> bool:
    A, H, G = matrices("A H G")
    W = A * transpose(H)  # rows in the span of H
    rules = {G * transpose(H) * H: sp.S.One, transpose(H) * H * G: sp.S.One, transpose(G): G}
    logits = W * H
    again = vanishes(logits * G * transpose(H) - W, rules)
    return again and vanishes(logits * G * transpose(logits) - W * transpose(W), rules, trace=True)


@statement.proves("(vi) then ||W||^2 = tr(L L^T); a feasible row is longer by |l - l*|^2 + 2 S/V sum t, t >= 0")
def orthonormal() -> bool:
    # l = level on the support, level - 1 - t_v off it; sums over the V - S off-support tokens, of t and t^2
    S, rest, level, sum_t, square_t = sp.symbols("S rest level T T2", real=True)
    V = S + rest
    best, best_off = rest / V, -S / V
    one_lower = is_zero(best - best_off - 1)

    def square(on: sp.Expr, off: sp.Expr) -> sp.Expr:  # S on^2 + sum (off - t)^2
        return S * on**2 + rest * off**2 - 2 * off * sum_t + square_t

    length = S * best**2 + rest * best_off**2
    left = square(level, level - 1) - length - square(level - best, level - 1 - best_off) - 2 * S / V * sum_t
    return one_lower and is_zero(left) and is_zero(best - (1 - S / V)) and is_zero(best_off - (0 - S / V))


def solved(data: Data) -> list[list[Fraction]] | None:
    return None if data.svm.point is None else as_matrix(data.svm.point, data.dim)


@statement.confirms("(i)-(iv) hold for exact solutions, turned and scaled by exact rotations", instances="12 datasets")
def exactly() -> bool:
    found = 0
    for seed in range(12):
        data = draw(seed, vocab_size=4, dim=3, contexts=2, sizes=[1, 2])
        point = solved(data)
        if point is None:
            continue
        found += 1
        turned = [[(3 * x - 4 * y) / 5, (4 * x + 3 * y) / 5, 2 * z] for x, y, z in data.embeddings]
        turned = [[2 * x, 2 * y, z] for x, y, z in turned]  # twice a rotation
        same = [[Fraction(p > 0, sum(q > 0 for q in row)) for p in row] for row in data.probabilities]
        expected = [[(3 * x - 4 * y) / 10, (4 * x + 3 * y) / 10, z / 2] for x, y, z in point]
        patterns = [[v in s for s in data.supports] for v in range(4)]
        rows = all(point[v] == point[u] for v in range(4) for u in range(v) if patterns[u] == patterns[v])
        sums = not any(map(sum, zip(*point, strict=True)))
        other = Data(turned, same, [Fraction(1, 3), Fraction(2, 3)])
        if not (rows and sums and solved(other) == expected):
            return False
    return found >= 6
