"""A linear decoder fits every choice of m positive distributions exactly when its embeddings have rank m; so d >= m.

W in R^{V x d} acts through its centred rows, (V - 1) d numbers, and has m (V - 1) centred logits W h_j to set. The
count of the capacity bound, (V - 1) d >= m (V - 1), is d >= m; for H = [h_1 .. h_m] of rank m that suffices:
W = L (H^T H)^{-1} H^T has the logits L. This is Lemma 1 of `bias/erratum-E2`, where d >= m replaces d > m.
"""

from __future__ import annotations

import random
from fractions import Fraction

import sympy as sp

from ..kit.rational import rank
from ..statement import Statement

statement = Statement("capacity/linear-decoder", source="derived", verdict="proved", needs=["capacity/jacobian-rank"])

V, d, m, j = sp.symbols("V d m j", integer=True, positive=True)


@statement.proves("the count: (V - 1) d - m (V - 1) = (V - 1)(d - m), so for V >= 2 it is >= 0 exactly when d >= m")
def count() -> bool:
    more = sp.Symbol("e", integer=True, nonnegative=True)
    gap = (V - 1) * d - m * (V - 1)
    tokens = V - 1
    above = sp.factor(gap.subs({V: 2 + more, d: m + sp.Symbol("k", integer=True, nonnegative=True)}))
    below = sp.factor(gap.subs({V: 2 + more, m: d + 1 + sp.Symbol("k", integer=True, nonnegative=True)}))
    return bool(sp.expand(gap - tokens * (d - m)) == 0 and above.is_nonnegative and below.is_negative)


@statement.proves(
    "centring C = I - 1 1^T / V is idempotent with trace V - 1, its rank: every column of W has V - 1 free numbers"
)
def centring() -> bool:
    on, off = 1 - 1 / V, -1 / V  # the entries of C on the diagonal and off it
    square_on, square_off = on**2 + (V - 1) * off**2, 2 * on * off + (V - 2) * off**2
    return bool(
        sp.simplify(square_on - on) == 0 and sp.simplify(square_off - off) == 0 and sp.simplify(V * on - V + 1) == 0
    )


@statement.proves("rank m suffices, any sizes: W = L (H^T H)^{-1} H^T gives W H = L")
def suffices() -> bool:
    h, logits = sp.MatrixSymbol("H", d, m), sp.MatrixSymbol("L", V, m)
    gram = h.T * h
    return bool((logits * gram.inverse() * gram).doit() == logits)


@statement.proves(
    "rank below m does not: with H x = 0, x != 0, every reachable L has L x = W (H x) = 0, and some L has not"
)
def needed() -> bool:
    w, h, x = sp.MatrixSymbol("W", V, d), sp.MatrixSymbol("H", d, m), sp.MatrixSymbol("x", m, 1)
    reached = ((w * h) * x).subs(h * x, sp.ZeroMatrix(d, 1)).doit()
    # L = (e_1 - e_2) x^T is centred, and L x = (e_1 - e_2) |x|^2: x_j x_j with some x_j other than 0
    entry, other = sp.Symbol("x_j", real=True, nonzero=True), sp.Symbol("x_i", real=True)
    return bool(reached == sp.ZeroMatrix(V, 1) and (entry**2 + other**2).is_positive)


@statement.confirms(
    "the map W -> centred W H has rank (V - 1) rank H, which is m (V - 1) exactly when rank H = m",
    instances="60 integer H with entries -1, 0, 1; V = 2, 3, 4; d, m <= 3",
)
def ranks() -> bool:
    rng = random.Random(0)
    for _ in range(60):
        tokens, dim, contexts = rng.randint(2, 4), rng.randint(1, 3), rng.randint(1, 3)
        h = [[Fraction(rng.randint(-1, 1)) for _ in range(contexts)] for _ in range(dim)]
        # row (v, j) of the map, on the entries (u, i) of W: (delta_uv - 1/V) h_ij
        rows = [
            [((u == v) - Fraction(1, tokens)) * h[i][c] for u in range(tokens) for i in range(dim)]
            for v in range(tokens)
            for c in range(contexts)
        ]
        if rank(rows) != (tokens - 1) * rank(h):
            return False
    return True
