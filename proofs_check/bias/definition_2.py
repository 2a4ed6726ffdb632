"""Data is separable if some decoder ranks every support above all other tokens, with equal logits on the support.

    (6a)  (e_z - e_y)^T W h_j = 0  for z, y in S_j        (6b)  (e_z - e_v)^T W h_j >= 1  for z in S_j, v not in S_j

(6a) says that W is orthogonal to the data subspace F. Given (6a), (6b) for one anchor of the support says it for all,
so there are S_j - 1 equations and V - S_j inequalities a context, V - 1 independent ones if h_j != 0. Either such a W
exists, or there are weights alpha_jv >= 0, not all 0, for which sum alpha_jv (e_{a_j} - e_v) h_j^T lies in F (a_j is
an anchor of S_j); never both. So a decoder, or weights, decide the matter, in rationals if the embeddings are
rational.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, reals
from ..kit.data import draw
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/definition-2",
    source="2402.18551 Def. 2, Eq. (6a), (6b)",
    verdict="proved",
    needs=["bias/definition-1", "bias/data-subspace"],
    known=["a compact set has a point nearest to 0", "linear programs over the rationals have rational solutions"],
)


@statement.proves("equal logits on the support: the margin of any z over v is that of the anchor")
def anchor_suffices() -> bool:
    a, z, v = reals("l", 3)
    return is_zero((z - v).subs(z, a) - (a - v)) and is_zero((z - v) - ((z - a) + (a - v)))


@statement.proves("S - 1 equations and V - S inequalities make V - 1, and the rows e_a - e_w, w != a, are independent")
def count() -> bool:
    V, S = sp.symbols("V S", integer=True, positive=True)
    t, w = sp.symbols("t w", integer=True)
    c = sp.IndexedBase("c")
    # coordinate w != a of sum_t c_t (e_a - e_t): it is 0 only if c_w is
    coordinate = sp.Sum(c[t] * (0 - sp.KroneckerDelta(t, w)), (t, -sp.oo, sp.oo)).doit()
    return is_zero((S - 1) + (V - S) - (V - 1)) and is_zero(coordinate + c[w])


@statement.proves(
    "not both: if the weighted sum is in F, which W is orthogonal to, then 0 = sum alpha (margin) >= sum alpha"
)
def not_both() -> bool:
    alpha = sp.Symbol("alpha", nonnegative=True)
    surplus = sp.Symbol("surplus", nonnegative=True)
    first = sp.Symbol("first", positive=True)  # the weight that is not 0
    return bool(sp.expand(alpha * (1 + surplus) - alpha).is_nonnegative and (first * (1 + surplus)).is_positive)


@statement.proves(
    "one of them: x, the point nearest 0 in the convex hull of the constraints a_i less their parts in F, is 0, which "
    "gives weights, or has <x, a_i> >= |x|^2 > 0, which gives W = x / |x|^2: else |x + t (a_i - x)|^2 falls at t = 0"
)
def one_of_them() -> bool:
    # t enters through |x|^2, <x, a> and |a|^2 alone; a hull of finitely many points has a nearest point
    xx, aa = sp.symbols("xx aa", positive=True)
    xa, t = sp.symbols("xa t", real=True)
    square = (1 - t) ** 2 * xx + 2 * t * (1 - t) * xa + t**2 * aa
    slope = sp.expand(sp.diff(square, t).subs(t, 0))
    margin = sp.expand((xa / xx).subs(xa, xx + sp.Symbol("e", nonnegative=True)))
    return is_zero(slope - 2 * (xa - xx)) and bool(sp.expand(margin - 1).is_nonnegative)


@statement.confirms(
    "exactly one of decoder and weights is found, and obeys its rules", instances="40 rational datasets"
)
def alternatives() -> bool:
    found = set()
    for seed in range(40):
        data = draw(seed, vocab_size=3 + seed % 2, dim=2, contexts=3 + seed % 3, sizes=[1, 2])
        answer, rows = data.svm, list(data.margins.values())
        found.add(answer.point is None)
        if answer.point is not None:
            equal = all(dot(g, answer.point) == 0 for g in data.generators)
            if not equal or min(dot(row, answer.point) for row in rows) < 1:
                return False
        else:
            combined = [dot(answer.multipliers, column) for column in zip(*rows, strict=True)]
            inside = all(dot(combined, a) == 0 for a in data.complement)
            if not inside or min(answer.multipliers) < 0 or not any(answer.multipliers):
                return False
    return found == {True, False}
