"""On separable data the excess loss of gradient descent falls as ||W_mm||^2 over the time eta k.

    eta k (CE(W_k) - inf CE)  ->  sum alpha_i = ||W_mm||^2

Hypotheses and symbols of `bias/sharp-gd-expansion`. The excess is the part on F, CE_F(W_k) - CE_F(W*) = O(1/k^2), plus
sum_j pi_j log(1 + T_j), where T_j sums the odds of the off-support tokens of context j, and pi_j T_j eta k tends to
the sum of its multipliers (`bias/sharp-gd-duals`).
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/sharp-gd-loss",
    source="derived (D4.1)",
    verdict="proved",
    needs=["bias/split", "bias/sharp-gd-expansion", "bias/sharp-gd-duals", "bias/sharp-gd-finite"],
)

t, p, alpha, w = sp.symbols("t p alpha w", positive=True)
odds = sp.Symbol("T", positive=True)


@statement.proves("the tail of a context is -log(1 - eps) = log(1 + T), eps = T/(1 + T)")
def tail() -> bool:
    return is_zero(sp.log(1 / sp.cancel(1 - odds / (1 + odds))) - sp.log(1 + odds))


@statement.proves("log(1 + T) lies between T - T^2/2 and T, so pi t T -> alpha gives pi t log(1 + T) -> alpha")
def limit_of_tail() -> bool:
    high, low = odds - sp.log(1 + odds), sp.log(1 + odds) - odds + odds**2 / 2
    slopes = [sp.factor(sp.diff(f, odds)) for f in (high, low)]
    ends = all(f.subs(odds, 0) == 0 for f in (high, low)) and all(s.is_positive is True for s in slopes)
    bounds = [p * t * f.subs(odds, alpha / (p * t)) for f in (odds, odds - odds**2 / 2)]
    return ends and all(sp.limit(f, t, sp.oo) == alpha for f in bounds)


@statement.proves("the part on F vanishes after scaling: it is at most (L/2) ||P_F W - W*||^2 with P_F W - W* = O(1/t)")
def part_on_f() -> bool:
    # along a segment f(1) - f(0) - f'(0) is the integral of (1 - s) f''(s), f'' <= L r^2, and f'(0) = 0 at W*
    s, smooth, size = sp.symbols("s L C", positive=True)
    bound = sp.integrate((1 - s) * smooth * (size / t) ** 2, (s, 0, 1))
    return is_zero(bound - smooth / 2 * (size / t) ** 2) and bool(sp.limit(t * bound, t, sp.oo) == 0)


@statement.confirms(
    "w + e^w = 2t + C solves dw/dt = 2/(1 + e^w), the flow of CE = log(1 + e^-w) for W = (w/2, -w/2); ||W_mm||^2 = 1/2",
    instances="V = 2, d = 1, one context with one next token",
)
def closed_form() -> bool:
    decoder = sp.Matrix([w, -w]) / 2
    loss = sp.log(1 + sp.exp(-w))
    speed = -sp.diff(loss, w) * 2  # dw/dt = <e_1 - e_2, dW/dt>
    time = (w + sp.exp(w)) / 2  # up to C
    solves = is_zero(sp.simplify(sp.diff(time, w) * speed - 1))
    return solves and bool(sp.limit(time * loss, w, sp.oo) == decoder.subs(w, 1).dot(decoder.subs(w, 1)))


@statement.confirms("sum alpha = ||W_mm||^2 for the exact solution of the NTP-SVM", instances="12 rational datasets")
def exactly() -> bool:
    found = [draw(seed, vocab_size=4, dim=4, contexts=3, sizes=[1, 2, 3]).svm for seed in range(12)]
    points = [(svm.point, sum(svm.multipliers)) for svm in found if svm.point is not None]
    return len(points) >= 6 and all(dot(point, point) == total for point, total in points)
