"""Square loss on free embeddings learns one singular value at a time, each by a logistic law.

Gradient flow on |W H - S~|^2 / 2 from W(0) = e^-delta U R', H(0) = e^-delta R T', where S~ = U sigma T' is the compact
singular value decomposition of the centred supports and R'R = 1, stays of the form W = U a R', H = R a T' with a
diagonal, and the singular values s = a^2 of W H follow

    s' = 2 s (sigma - s),     s(t) = sigma / (1 + (sigma e^(2 delta) - 1) e^(-2 sigma t)).

As delta grows, s(delta tau) tends to 0 before tau = 1 / sigma and to sigma after: larger singular values first. Without
the half in the loss everything is twice as fast.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "geometry/saxe-dynamics",
    source="2505.08348 (recalled); derived",
    verdict="proved",
    known=["a smooth differential equation has one solution through a point"],
)

t, sigma, delta, tau = sp.symbols("t sigma delta tau", positive=True)
s = sigma / (1 + (sigma * sp.exp(2 * delta) - 1) * sp.exp(-2 * sigma * t))

U, T, R = matrices("U T R")
a, level = diagonals("a sigma")
RULES = {transpose(X) * X: sp.S.One for X in (U, T, R)}


def velocities(factor: int) -> tuple[sp.Expr, sp.Expr]:
    """Minus the gradients of (factor / 2) |W H - S~|^2 in W and H."""
    w, h = U * a * transpose(R), R * a * transpose(T)
    residual = w * h - U * level * transpose(T)
    return -factor * residual * transpose(h), -factor * transpose(w) * residual


def spectral(factor: int) -> bool:
    """Whether both velocities are those of a' = factor a (sigma - a^2) with U, R, T at rest."""
    rate = factor * a * (level - a**2)
    of_w, of_h = velocities(factor)
    return vanishes(of_w - U * rate * transpose(R), RULES) and vanishes(of_h - R * rate * transpose(T), RULES)


@statement.proves("the gradient of |W H - S~|^2 / 2 is (W H - S~) H' in W and W'(W H - S~) in H: first order in a step")
def gradients() -> bool:
    W, H, S, D = matrices("W H S D")
    eps = sp.Symbol("eps", real=True)
    for w, h, gradient in ((W + eps * D, H, (W * H - S) * transpose(H)), (W, H + eps * D, transpose(W) * (W * H - S))):
        residual = w * h - S
        loss = sp.expand(transpose(residual) * residual / 2)
        if not vanishes(loss.coeff(eps, 1) - transpose(D) * gradient, trace=True):
            return False
    return True


@statement.proves("on W = U a R', H = R a T' the flow is a' = a (sigma - a^2): U, R, T do not move, for all sizes")
def stays_spectral() -> bool:
    return spectral(1)


@statement.proves("s = a^2 has s' = 2 a a' = 2 s (sigma - s)")
def square() -> bool:
    x = sp.Symbol("a", positive=True)
    slope = sp.diff(x**2, x) * x * (sigma - x**2)
    return is_zero(slope - (2 * x**2) * (sigma - x**2))


@statement.proves("the closed form solves it, from s(0) = e^(-2 delta)")
def solves() -> bool:
    return is_zero(sp.diff(s, t) - 2 * s * (sigma - s)) and is_zero(s.subs(t, 0) - sp.exp(-2 * delta))


@statement.proves(
    "switch, as delta grows: at tau = (1 - x) / sigma, 0 < x <= 1, 1 / s(delta tau) >= e^(2 delta x) and s tends to 0; "
    "at tau = (1 + x) / sigma, x > 0, it tends to sigma"
)
def switch() -> bool:
    x, rest = sp.symbols("x rest", positive=True)
    before, after = (1 / s.subs(t, delta * (1 + sign * x) / sigma) for sign in (-1, 1))
    # 1 / s - e^(2 delta x) = (1 - e^(-2 delta (1 - x))) / sigma, not negative since 1 - x = rest >= 0
    excess = (1 - sp.exp(-2 * delta * (1 - x))) / sigma
    shrinks = sp.limit(sp.exp(-2 * delta * x), delta, sp.oo) == 0
    by_rest = excess.subs(x, 1 - rest)
    sign = by_rest.subs(rest, 0) == 0 and sp.diff(by_rest, rest).is_positive is True
    return bool(is_zero(before - sp.exp(2 * delta * x) - excess) and shrinks and sign) and bool(
        sp.limit(sp.expand(after, power_exp=True), delta, sp.oo) == 1 / sigma
    )


@statement.proves("without the half in the loss a' and s' double, and s(2 t) solves s' = 4 s (sigma - s)")
def doubled() -> bool:
    fast = s.subs(t, 2 * t)
    return spectral(2) and is_zero(sp.diff(fast, t) - 4 * fast * (sigma - fast))
