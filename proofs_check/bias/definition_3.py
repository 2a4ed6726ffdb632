"""The max-margin decoder W_mm is the least matrix with equal logits on supports and margins of at least 1.

    W_mm = argmin ||W||   subject to  (6a) W orthogonal to F,   (6b) (e_a - e_v)^T W h_j >= 1 for v off the support S_j

a is an anchor of S_j. There are m V - sum_j S_j inequalities and sum_j S_j - m equations. For separable data W_mm
exists and is unique, and W_mm / ||W_mm|| is the unit matrix orthogonal to F with the largest least margin, which is 1
/ ||W_mm||. Certificate: a feasible W = P(sum alpha_jv (e_a - e_v) h_j^T), with P the projection off F, alpha >= 0, and
alpha_jv = 0 wherever the margin exceeds 1, is W_mm; then ||W_mm||^2 = sum alpha_jv.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.generic import split
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/definition-3",
    source="2402.18551 Def. 3",
    verdict="proved",
    needs=["bias/definition-2", "bias/data-subspace"],
    known=["a closed set that is not empty has a point nearest to 0"],
)


@statement.proves("counts: V - S_j inequalities and S_j - 1 equations a context, summed over any m contexts")
def counts() -> bool:
    j, m, V = sp.symbols("j m V", integer=True, positive=True)
    S = sp.IndexedBase("S")
    total = sp.Sum(S[j], (j, 1, m))
    above, equal = split(sp.Sum(V - S[j], (j, 1, m))), split(sp.Sum(S[j] - 1, (j, 1, m)))
    return is_zero(above - (m * V - total)) and is_zero(equal - (total - m))


@statement.proves(
    "unique: the midpoint of two feasible matrices of norm B has squared norm B^2 - ||A - A'||^2 / 4, entry by entry"
)
def unique() -> bool:
    a, b, margin = sp.symbols("a b margin", real=True)
    halves = is_zero(((a + b) / 2) ** 2 - (a**2 / 2 + b**2 / 2 - (a - b) ** 2 / 4))
    # and it is feasible: the average of two margins of at least 1
    e, f = sp.symbols("e f", nonnegative=True)
    return halves and bool(sp.expand(((1 + e) + (1 + f)) / 2 - 1).is_nonnegative)


@statement.proves("strongly convex: |x + t (y - x)|^2 has second derivative 2 |y - x|^2 in t, entry by entry")
def strongly_convex() -> bool:
    x, y, t = sp.symbols("x y t", real=True)
    return is_zero(sp.diff((x + t * (y - x)) ** 2, t, 2) - 2 * (y - x) ** 2)


@statement.proves(
    "max-margin form: a unit matrix of least margin g > 0 becomes feasible, of norm 1/g, when divided by g; and a "
    "feasible matrix of norm B becomes a unit matrix of least margin at least 1/B: so the largest g is 1 / least B"
)
def equivalent() -> bool:
    g, norm, excess = sp.Symbol("g", positive=True), sp.Symbol("B", positive=True), sp.Symbol("e", nonnegative=True)
    row, w = sp.IndexedBase("row"), sp.IndexedBase("w")
    i, N = sp.symbols("i N", integer=True, positive=True)
    margin = sp.Sum(row[i] * w[i], (i, 1, N))
    scaled = split(sp.Sum(row[i] * (w[i] / g), (i, 1, N)))
    to_feasible = is_zero(scaled - margin / g) and bool(sp.simplify(g * (1 + excess) / g - 1).is_nonnegative)
    return to_feasible and bool(sp.simplify((1 + excess) / norm - 1 / norm).is_nonnegative)


@statement.proves(
    "certificate: a feasible X has <W, X> = sum alpha <row, X> >= sum alpha = <W, W>, so ||X||^2 >= ||W||^2 + ||X "
    "- W||^2"
)
def certificate() -> bool:
    alpha, e = sp.symbols("alpha e", nonnegative=True)
    at_least = bool(sp.expand(alpha * (1 + e) - alpha).is_nonnegative)  # one constraint, margin 1 + e of X
    own = is_zero((alpha * (1 + e) - alpha).subs(alpha, 0)) and is_zero((alpha * (1 + e) - alpha).subs(e, 0))
    x, w = sp.symbols("x w", real=True)
    cross = is_zero(x**2 - w**2 - (x - w) ** 2 - 2 * (x * w - w * w))  # ||X||^2 - ||W||^2 - ||X - W||^2 = 2 <W, X - W>
    return at_least and own and cross


@statement.proves("<W, X> sees the rows' parts off F alone: a part in F is orthogonal to X, for any generator G c of F")
def off_the_subspace() -> bool:
    N, k = sp.symbols("N k", integer=True, positive=True)
    G, c, X = sp.MatrixSymbol("G", k, N), sp.MatrixSymbol("c", k, 1), sp.MatrixSymbol("X", N, 1)
    return bool(((G.T * c).T * X).doit().subs(G * X, sp.ZeroMatrix(k, 1)).doit() == sp.ZeroMatrix(1, 1))


@statement.confirms(
    "the exact W_mm and its multipliers pass the certificate", instances="30 rational datasets, all separable ones"
)
def instances() -> bool:
    found = 0
    for seed in range(30):
        data = draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[1, 2, 3])
        answer, rows = data.svm, list(data.margins.values())
        if answer.point is None:
            continue
        combined = [dot(answer.multipliers, column) for column in zip(*rows, strict=True)]
        inside = data.project(combined)
        if [a - b for a, b in zip(combined, inside, strict=True)] != answer.point or min(answer.multipliers) < 0:
            return False
        margins = [dot(row, answer.point) for row in rows]
        tight = all(a == 0 or g == 1 for a, g in zip(answer.multipliers, margins, strict=True))
        if min(margins) < 1 or not tight or dot(answer.point, answer.point) != sum(answer.multipliers):
            return False
        found += 1
    return found >= 10
