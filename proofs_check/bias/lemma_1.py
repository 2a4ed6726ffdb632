"""With more dimensions than contexts and independent embeddings, all data is compatible and separable, in many ways.

Let H be the matrix (d, m) of the embeddings, of rank m (printed: d > m; d >= m is enough, see `bias/erratum-E2`).
Let E_j be the matrix of the rows e_a - e_z, z in S_j but not the anchor a, and a_j the log-odds log(p_ja / p_jz).
W H = L with columns L_j = E_j^+ a_j has a solution W; it satisfies (4). With columns L_j = 1 on S_j and 0 off S_j it
satisfies (6). There are infinitely many solutions of both.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.rational import dot, rank, solve
from ..statement import Statement

statement = Statement(
    "bias/lemma-1",
    source="2402.18551 Lemma 1",
    verdict="proved",
    needs=["bias/definition-1", "bias/definition-2", "bias/data-subspace"],
    known=["a square matrix with trivial kernel is invertible"],
)

V, d, m, r = sp.symbols("V d m r", integer=True, positive=True)
H, L = sp.MatrixSymbol("H", d, m), sp.MatrixSymbol("L", V, m)
pseudo = sp.Inverse(H.T * H) * H.T


def same(left: sp.Expr, right: sp.Expr) -> bool:
    """Equality of matrix expressions once multiplied out."""
    return bool(sp.expand(left).doit() == sp.expand(right).doit())


@statement.proves("any logits L are reached, by W = L (H^T H)^-1 H^T; H^T H is invertible, as x^T H^T H x = ||H x||^2")
def reached() -> bool:
    x = sp.MatrixSymbol("x", m, 1)
    return same(L * pseudo * H, L) and same(x.T * H.T * H * x, (H * x).T * (H * x))


@statement.proves("(4): E (E^+ a) = a for the pseudo-inverse E^+ = E^T (E E^T)^-1 of independent rows")
def log_odds() -> bool:
    E, a = sp.MatrixSymbol("E", r, V), sp.MatrixSymbol("a", r, 1)
    c = sp.MatrixSymbol("c", r, 1)
    return same(E * E.T * sp.Inverse(E * E.T) * a, a) and same(c.T * E * E.T * c, (E.T * c).T * (E.T * c))


@statement.proves("(6): columns 1 on the support and 0 off it have difference 0 on it and margin 1 over the others")
def margins() -> bool:
    z, y, v = sp.symbols("z y v", integer=True)
    inside = sp.Function("inside")  # 1 on the support, 0 off it
    column = {inside(z): 1, inside(y): 1, inside(v): 0}
    return [(inside(z) - inside(t)).subs(column) for t in (y, v)] == [0, 1]


@statement.proves("infinitely many: adding one row c to all rows of W moves all logits of a context alike")
def shifts() -> bool:
    t, z, y, i = sp.symbols("t z y i", integer=True)
    w, h, c = sp.IndexedBase("W"), sp.IndexedBase("h"), sp.IndexedBase("c")
    moved = [(w[token, i] + t * c[i]) * h[i] for token in (z, y)]
    return is_zero(moved[0] - moved[1] - (w[z, i] * h[i] - w[y, i] * h[i])) and sp.expand(moved[0]).coeff(t) != 0


@statement.proves("d > m: also W + B (I - H H^+) for every B, which changes no logit at all")
def off_the_embeddings() -> bool:
    B = sp.MatrixSymbol("B", V, d)
    return same((B - B * H * pseudo) * H, sp.ZeroMatrix(V, m))


@statement.confirms(
    "logits of (6) are reached exactly; generators are independent", instances="d > m and d = m, 20 rational datasets"
)
def instances() -> bool:
    found = 0
    for seed in range(40):
        data = draw(seed, vocab_size=4, dim=3, contexts=2 + seed % 2, sizes=[1, 2, 3])
        if rank(data.embeddings) < len(data.embeddings):
            continue
        rows = [solve(data.embeddings, [Fraction(v in s) for s in data.supports]) for v in range(4)]
        decoder = [x for row in rows if row is not None for x in row]
        if len(decoder) != 12 or data.dim_subspace != len(data.generators):
            return False
        if any(dot(g, decoder) for g in data.generators) or any(
            dot(row, decoder) != 1 for row in data.margins.values()
        ):
            return False
        found += 1
    return found >= 20
