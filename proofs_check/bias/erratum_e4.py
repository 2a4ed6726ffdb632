"""Printed: CE_F(W) = lim CE(W + R W_d) as R -> infinity, for W_d satisfying (6a). W_d = 0 satisfies (6a).

CE_F leaves the off-support tokens out of every softmax. With W_d = 0 the limit is CE(W), which is larger. Repaired:
if W_d satisfies (6b) too, that is, it puts every off-support logit at least 1 below the support, then

    0  <=  CE(W + R W_d) - CE_F(W)  <=  V e^(G - R)  ->  0,

G being the largest amount by which W puts an off-support logit above one in the support.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/erratum-E4",
    source="2402.18551 App. D, after (12)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/auxiliary-loss", "bias/definition-2"],
)


@statement.refutes("three equal logits, p = (1/2, 1/2, 0), W_d = 0: the limit is CE(0) = log 3, and CE_F(0) = log 2")
def counterexample() -> bool:
    p, R = [sp.Rational(1, 2), sp.Rational(1, 2), 0], sp.Symbol("R", positive=True)
    logits = [R * direction for direction in (0, 0, 0)]

    def loss(tokens: int) -> sp.Expr:
        level = sp.log(sum(sp.exp(x) for x in logits[:tokens]))
        return sum(q * (level - x) for q, x in zip(p, logits, strict=True))

    limit, inside = sp.limit(loss(3), R, sp.oo), sp.simplify(loss(2))
    return bool(limit == sp.log(3) and inside == sp.log(2) and (limit - inside).is_positive)


@statement.proves(
    "per target: the difference is log(1 + y), y = sum over off-support v of e^(l_v - R m_v) / A, so >= 0"
)
def difference() -> bool:
    A, off, a = sp.symbols("A off a", positive=True)  # e^logit summed on the support, off it, and of the target
    full, inside = sp.log(A + off) - sp.log(a), sp.log(A) - sp.log(a)
    y = sp.Symbol("y", nonnegative=True)
    same = is_zero((full - inside).subs(off, y * A) - sp.log(A * (1 + y)) + sp.log(A))
    return same and nonnegative_from_zero(sp.log(1 + y), y)


@statement.proves(
    "log(1 + y) <= y, and each of at most V terms of y is below e^(G - R), since m_v >= 1 and A >= e^(l_z)"
)
def bound() -> bool:
    y, extra, spare, others = sp.symbols("y extra spare others", nonnegative=True)
    G, R, lz = sp.symbols("G R l_z", positive=True)
    A, lv, margin = sp.exp(lz) + others, lz + G - spare, 1 + extra
    # A e^(G - R) - e^(l_v - R m_v) = others e^(G - R) + e^(l_z + G - R) (1 - e^-(spare + R extra))
    gap = A * sp.exp(G - R) - sp.exp(lv - R * margin)
    parts = others * sp.exp(G - R) + sp.exp(lz + G - R) * (1 - sp.exp(-(spare + R * extra)))
    less = nonnegative_from_zero(1 - sp.exp(-y), y) and bool((spare + R * extra).is_nonnegative)
    return less and is_zero(gap - parts) and nonnegative_from_zero(y - sp.log(1 + y), y)


@statement.proves("the bound tends to 0")
def limit() -> bool:
    V, G, R = sp.symbols("V G R", positive=True)
    return bool(sp.limit(V * sp.exp(G - R), R, sp.oo) == 0)
