"""With unlimited capacity the heads decouple: multi-token training does not change the best first head.

For tabular heads the n-head loss is a sum over heads i and contexts c of w_c CE(p_i(.|c), q_i(.|c)), with a table of
its own for every head. Each term is least exactly at q_i = p_i, head i's own conditional law, whatever the others are.
So an advantage of more heads must come from limited capacity or from optimisation.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement("multitoken/capacity-decoupling", source="derived", verdict="proved", needs=["multitoken/loss"])

p, q, r = sp.symbols("p q r", positive=True)


@statement.proves("CE(p, q) - H(p) = sum_v q f(p / q), f(r) = r log r - r + 1: term by term, as p and q both sum to 1")
def excess() -> bool:
    f = r * sp.log(r) - r + 1
    termwise = is_zero(q * f.subs(r, p / q) - (p * sp.log(p / q) - p + q))
    v, V = sp.symbols("v V", integer=True, positive=True)
    a, b = sp.IndexedBase("p"), sp.IndexedBase("q")
    rest = split(sp.Sum(b[v] - a[v], (v, 1, V))).subs({sp.Sum(a[v], (v, 1, V)): 1, sp.Sum(b[v], (v, 1, V)): 1})
    return termwise and bool(rest == 0)


@statement.proves("f >= 0, and f = 0 only at r = 1: f' = log r, and f at 1 + t and 1 / (1 + t), t >= 0")
def least() -> bool:
    f, t = r * sp.log(r) - r + 1, sp.Symbol("t", nonnegative=True)
    above = nonnegative_from_zero(f.subs(r, 1 + t), t)
    below = nonnegative_from_zero(sp.expand_log(f.subs(r, 1 / (1 + t)) * (1 + t), force=True), t)
    # f is strictly convex, so its one stationary point is the only zero
    return above and below and sp.solve(sp.diff(f, r), r) == [1] and sp.diff(f, r, 2) == 1 / r and f.subs(r, 1) == 0


@statement.proves("a token that p does not have (p = 0) adds q >= 0, which is 0 only at q = 0")
def off_support() -> bool:
    return bool(sp.limit(q * (p / q * sp.log(p / q) - p / q + 1), p, 0, "+") == q and q.is_positive)


@statement.proves("one head more adds a term in its own table: the derivative in head 1's entries is unchanged")
def separate() -> bool:
    first, second = sp.symbols("q1 q2", positive=True)
    w, p1, p2 = sp.symbols("w p1 p2", positive=True)
    one, two = -w * p1 * sp.log(first), -w * p1 * sp.log(first) - w * p2 * sp.log(second)
    return bool(sp.diff(two, first) == sp.diff(one, first) and sp.diff(two, first, second) == 0)
