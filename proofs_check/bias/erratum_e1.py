"""Printed: minimising CE on a ball (8) minimises a strictly convex function, so it is unique. It is not strict.

Adding a multiple s of one row c to every row of the decoder W changes no probability: CE(W + s 1 c^T) = CE(W).
Repaired: if the data is compatible and NTP-separable, the minimiser of CE on the ball ||W|| <= B is unique all the
same. CE is convex; no minimiser is inside the ball, since CE falls along W_mm everywhere (`bias/theorem-1-boundary`);
and the midpoint of two different minimisers would be one inside.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, over_pairs
from ..statement import Statement

statement = Statement(
    "bias/erratum-E1",
    source="2402.18551 Sec. 4, Eq. (8)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/loss", "bias/theorem-1-boundary"],
    known=["a continuous function on a compact set has a minimum"],
)


@statement.refutes("any V: the softmax a / (a + rest) does not change when all logits grow by s (c . h)")
def shift() -> bool:
    a, rest = sp.symbols("a rest", positive=True)
    s, ch = sp.symbols("s ch", real=True)
    moved = a * sp.exp(s * ch) / (a * sp.exp(s * ch) + rest * sp.exp(s * ch))
    return is_zero(moved - a / (a + rest))


@statement.refutes("V = 3, h = 1, p = (3/4, 1/4, 0): CE is log 3 at W = 0, at W = (2, 2, 2) and at their midpoint")
def no_lower_between() -> bool:
    p = [sp.Rational(3, 4), sp.Rational(1, 4), 0]
    losses = []
    for w in (0, 1, 2):
        logits = [sp.Integer(w)] * 3
        level = sp.log(sp.expand(sum(sp.exp(x) for x in logits)))
        losses.append(sp.expand_log(sum(q * (level - x) for q, x in zip(p, logits, strict=True)), force=True))
    return all(is_zero(loss - sp.log(3)) for loss in losses)


@statement.proves(
    "CE is convex: the second derivative of log sum_v exp(l_v + t x_v) is half the sum of s_u s_v (x_u - x_v)^2"
)
def convex() -> bool:
    t, x, y, m1, m2 = sp.symbols("t x y m1 m2", real=True)
    level = sp.Function("Z")(t)  # Z^(i) / Z is the i-th moment of x under the softmax
    curvature = sp.diff(sp.log(level), t, 2).subs(sp.diff(level, t, 2), m2 * level).subs(sp.diff(level, t), m1 * level)
    spread = over_pairs((x - y) ** 2 / 2, x, y, [sp.Integer(1), m1, m2])
    return is_zero(curvature - spread) and bool(((x - y) ** 2).is_nonnegative)


@statement.proves("the midpoint of two matrices of norm B has squared norm B^2 - ||A - A'||^2 / 4 (entry by entry)")
def midpoint() -> bool:
    a, b = sp.symbols("a b", real=True)
    return is_zero(((a + b) / 2) ** 2 - (a**2 / 2 + b**2 / 2 - (a - b) ** 2 / 4))


@statement.proves("the slope of CE along W_mm is at most - sum pi_j eps_j < 0, so a minimiser is never inside the ball")
def slope() -> bool:
    # -<grad CE, W_mm> sums p_z s_u (x_z - x_u): 0 for u in the support, and x_z - x_v = 1 + e with e >= 0 off it
    p, s = sp.symbols("p s", positive=True)
    e = sp.Symbol("e", nonnegative=True)
    return bool(sp.expand(p * s * (1 + e) - p * s).is_nonnegative)
