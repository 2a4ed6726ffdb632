"""Printed: in the toy words 1 and 5 share a row of W_mm but not of W*, and rows lie in the cones of their contexts.

The supports are {1,2,5}, {1,4,5}, {2,3,4}; the figures give no coordinates, so H = 0.8811 cannot be computed. The row
of a word in W_mm need not lie in the cone of the embeddings of the contexts it follows: with embeddings (-3, 1), (2,
1), (-1/2, -1) the row of word 3 is not even on the line of its one context. Repaired: w_1 = w_5 in W_mm for all
embeddings for which W_mm exists, while the rows of W* differ unless p_j1 = p_j5; and a row of W_mm is a combination of
the word's own contexts, less a combination with coefficients >= 0 of the others.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import Data, as_matrix
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/figure-toy",
    source="2402.18551 Figs. 1, 2",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/definition-1", "bias/definition-3"],
)

SUPPORTS = [{1, 2, 5}, {1, 4, 5}, {2, 3, 4}]
EMBEDDINGS = [[Fraction(x, 2) for x in h] for h in ((-6, 2), (4, 2), (-1, -2))]


def toy() -> Data:
    """The toy at these embeddings."""
    rows = [[Fraction(word in support, 3) for word in range(1, 6)] for support in SUPPORTS]
    return Data(EMBEDDINGS, rows, [Fraction(1, 3)] * 3)


@statement.refutes(
    "the exact W_mm at these embeddings has its certificate, and its row of word 3 is not parallel to the third "
    "embedding"
)
def cone() -> bool:
    data = toy()
    found, rows = data.svm, list(data.margins.values())
    if found.point is None:
        return False
    combined = [dot(found.multipliers, column) for column in zip(*rows, strict=True)]
    own = [a - b for a, b in zip(combined, data.project(combined), strict=True)] == found.point
    margins = [dot(row, found.point) for row in rows]
    tight = all(a == 0 or g == 1 for a, g in zip(found.multipliers, margins, strict=True))
    (x, y), (a, b) = as_matrix(found.point, 2)[2], data.embeddings[2]
    return own and tight and min(margins) >= 1 and min(found.multipliers) >= 0 and x * b - y * a != 0


@statement.proves("of all pairs of words 1 and 5 alone follow the same contexts")
def pattern() -> bool:
    pairs = [(v, w) for v in range(1, 6) for w in range(v + 1, 6)]
    return [(v, w) for v, w in pairs if all((v in s) == (w in s) for s in SUPPORTS)] == [(1, 5)]


@statement.proves(
    "averaging rows 1 and 5 lowers w_1^2 + w_5^2 by (w_1 - w_5)^2 / 2 and keeps (6): so the least W has w_1 = w_5"
)
def equal_rows() -> bool:
    w1, w5 = sp.symbols("w1 w5", real=True)
    e, f = sp.symbols("e f", nonnegative=True)
    lower = is_zero(w1**2 + w5**2 - 2 * ((w1 + w5) / 2) ** 2 - (w1 - w5) ** 2 / 2)
    # on a support with 1 and 5 both logits are the common level; off one, margins 1 + e and 1 + f average
    level = sp.Symbol("l", real=True)
    return (
        lower and is_zero((level + level) / 2 - level) and bool(sp.expand(((1 + e) + (1 + f)) / 2 - 1).is_nonnegative)
    )


@statement.proves("(4) at a context that both follow: (w_1 - w_5).h = log(p_1 / p_5), which is 0 for p_1 = p_5 only")
def different_rows() -> bool:
    p1, p5 = sp.symbols("p1 p5", positive=True)
    shared = [s for s in SUPPORTS if {1, 5} <= s]
    return len(shared) == 2 and sp.solve(sp.log(p1) - sp.log(p5), p1) == [p5]


@statement.proves(
    "W_mm sums alpha_jv (e_a - e_v) h_j^T and parts b_jz (e_a - e_z) h_j^T of F: off S_j, row v has -alpha_jv h_j "
    "from context j"
)
def rows() -> bool:
    v, a, t, z = sp.symbols("v a t z", integer=True)
    alpha, b = sp.IndexedBase("alpha"), sp.IndexedBase("b")
    margins = sp.Sum(alpha[t] * (sp.KroneckerDelta(a, v) - sp.KroneckerDelta(t, v)), (t, -sp.oo, sp.oo))
    inside = b[z] * (sp.KroneckerDelta(a, v) - sp.KroneckerDelta(z, v))  # z and a are in the support, v is not
    off = {sp.KroneckerDelta(a, v): 0, sp.KroneckerDelta(z, v): 0}
    return is_zero(sp.expand(margins.function).subs(off) + alpha[t] * sp.KroneckerDelta(t, v)) and inside.subs(off) == 0
