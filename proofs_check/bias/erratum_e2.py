"""Printed: Lemma 1 assumes d > m. It is enough that d >= m and that the embeddings are linearly independent.

H is the matrix (d, m) of the embeddings, of rank m. Then for every matrix L of logits (V, m) there is a decoder W with
W H = L. With L_zj = log p_jz on the supports the log-odds equations (4) hold, whatever L is off them; with L = 1 on
the supports and 0 off them W is constant on every support and has all margins 1, which is (6). There are infinitely
many of both: L + 1 c^T serves (4) for every row c, and r L serves (6) for every r >= 1.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.rational import rank, solve
from ..statement import Statement

statement = Statement(
    "bias/erratum-E2", source="2402.18551 Lemma 1", verdict="proved", needs=["bias/definition-1", "bias/definition-2"]
)


@statement.proves("W = L (H^T H)^-1 H^T has W H = L, for matrices of any shapes with H^T H invertible")
def decoder() -> bool:
    V, d, m = sp.symbols("V d m", integer=True, positive=True)
    H, L = sp.MatrixSymbol("H", d, m), sp.MatrixSymbol("L", V, m)
    W = L * (H.T * H).I * H.T
    return bool((W * H).doit() == L and W.shape == (V, d))


@statement.proves("H^T H is invertible if H x = 0 only for x = 0, which rank m says: x^T H^T H x = ||H x||^2")
def gram() -> bool:
    d, m = sp.symbols("d m", integer=True, positive=True)
    H, x = sp.MatrixSymbol("H", d, m), sp.MatrixSymbol("x", m, 1)
    return bool((x.T * H.T * H * x).doit() == ((H * x).T * (H * x)).doit())


@statement.proves("these logits satisfy (4) and (6), also after L + 1 c^T and r L")
def logits() -> bool:
    p, q = sp.symbols("p q", positive=True)
    c = sp.Symbol("c", real=True)
    r = 1 + sp.Symbol("more", nonnegative=True)
    odds = is_zero((sp.log(p) + c) - (sp.log(q) + c) - sp.expand_log(sp.log(p / q)))
    on, off = sp.Integer(1), sp.Integer(0)
    return bool(odds and r * on - r * on == 0 and (r * (on - off) - 1).is_nonnegative)


@statement.confirms(
    "d = m: the logits of (6) are reached exactly and every margin is 1",
    instances="20 rational datasets with d = m = 3",
)
def square() -> bool:
    found = 0
    for seed in range(40):
        data = draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[1, 2, 3])
        if rank(data.embeddings) < 3 or found == 20:
            continue
        rows = [solve(data.embeddings, [Fraction(v in s) for s in data.supports]) for v in range(4)]
        if any(row is None for row in rows):
            return False
        reached = data.logits([x for row in rows if row is not None for x in row])
        if any(x != (v in s) for row, s in zip(reached, data.supports, strict=True) for v, x in enumerate(row)):
            return False
        found += 1
    return found == 20
