"""Adam with a constant step size on soft labels: recorded figures, and an open limit.

Recorded on instance A2 (step size 0.01, 2 10^5 steps): floor near 1e-5, ||P_F W - W*|| near 5-8e-3, cosine 0.969 off F,
still rising. No law is known. What can be shown: with eps = 0 the step of Adam does not depend on the scale of the
gradients, and it does not shrink where a gradient entry decays geometrically. For g_k = c r^k, beta_1 < r <= 1 and
beta_2 < r^2,

    m_k / sqrt(v_k)  ->  (1 - beta_1) r/(r - beta_1) sqrt((r^2 - beta_2)/((1 - beta_2) r^2))  >  0,

so W cannot converge at such a rate: with beta = (0.9, 0.99), not while g shrinks by less than 0.5 percent a step.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/adam-plateau",
    source="derived (D6, numerical)",
    verdict="open",
    missing="a law for the floor and the radius, which are recorded figures of one run; and the limit direction of "
    "Adam on soft labels",
)

b1, b2, r, extra = sp.symbols("beta_1 beta_2 r e", positive=True)
j, k = sp.symbols("j k", integer=True, nonnegative=True)


def weighted(beta: sp.Expr, power: int) -> sp.Expr:
    """Weighted mean of past powers over the present one for g_k = r^k: (1 - beta) sum_j (beta/r^power)^j."""
    return (1 - beta) / (1 - beta / r**power)


@statement.proves("(1 - beta) sum_j beta^j g_(k-j)^n over g_k^n tends to (1 - beta)/(1 - beta/r^n) if beta < r^n")
def geometric_sum() -> bool:
    ratio = sp.Symbol("q", positive=True)  # beta/r^n
    partial = sp.summation(ratio**j, (j, 0, k))
    closed = (1 - ratio ** (k + 1)) / (1 - ratio)
    inside = closed.subs(ratio, 1 / (1 + extra))
    limit = sp.limit(inside, k, sp.oo) - (1 / (1 - ratio)).subs(ratio, 1 / (1 + extra))
    step = partial.args[1][0] if isinstance(partial, sp.Piecewise) else partial
    return is_zero(sp.powsimp(sp.expand((step - closed) * (1 - ratio)))) and is_zero(limit)


@statement.proves(
    "m/sqrt(v) tends to (1 - beta_1) r/(r - beta_1) sqrt((r^2 - beta_2)/((1 - beta_2) r^2)), which is 1 at r = 1"
)
def no_shrinking() -> bool:
    found = weighted(b1, 1) / sp.sqrt(weighted(b2, 2))
    stated = (1 - b1) * r / (r - b1) * sp.sqrt((r**2 - b2) / ((1 - b2) * r**2))
    default = stated.subs({b1: sp.Rational(9, 10), b2: sp.Rational(99, 100), r: sp.Rational(995, 1000)})
    positive = sp.Rational(995, 1000) ** 2 > sp.Rational(99, 100) and default.is_positive is True
    return bool(positive) and is_zero(sp.simplify(found**2 - stated**2)) and is_zero(found.subs(r, 1) ** 2 - 1)


@statement.proves("with eps = 0 steps stay the same when all gradients are multiplied by c: (m, v) become (c m, c^2 v)")
def scale_free() -> bool:
    c, v = sp.symbols("c v", positive=True)
    m, g = sp.symbols("m g", real=True)

    def update(m: sp.Expr, v: sp.Expr, g: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2

    (plain_m, plain_v), (scaled_m, scaled_v) = update(m, v, g), update(c * m, c**2 * v, c * g)
    induction = is_zero(scaled_m - c * plain_m) and is_zero(scaled_v - c**2 * plain_v)
    return induction and is_zero((c * m) / sp.sqrt(c**2 * v) - m / sp.sqrt(v))
