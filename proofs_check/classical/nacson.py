"""Normalised gradient descent with steps c/sqrt t closes the margin like log t / sqrt t.

Exponential loss L(w) = sum_i exp(-<x_i, w>), |x_i| <= 1, data with margin gamma > 0: <x_i, u> >= gamma for a unit u.
w_(t+1) = w_t - eta_t grad L / |grad L| with eta_t = c t^(-1/2). Then

    min_i <x_i, w_T> / |w_T|  >=  gamma - O(log T / sqrt T).

The paper's abstract adds that with a fixed step exponential tails have the best rate, 1/log t, in a family of losses.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "classical/nacson",
    source="1803.01905",
    verdict="open: source incomplete",
    missing=(
        "the family of losses among which exponential tails are optimal at a fixed step, and in which sense: only the "
        "abstract is at hand. The first claim, the rate of normalised descent, is proved here in full"
    ),
    needs=["classical/soudry"],
    known=["Cauchy-Schwarz", "integrals of decreasing functions bound their sums"],
)

c, T, t, gamma, A, start = sp.symbols("c T t gamma A start", positive=True)


@statement.proves(
    "along a step of length eta: L'' <= e^eta L as |x_i| <= 1, so L' <= L (1 - eta r + eta^2 e^eta / 2), r = |g|/L"
)
def one_step() -> bool:
    eta, loss, r, s = sp.symbols("eta L r s", positive=True)
    inner = sp.Symbol("inner", real=True)  # <x, d>^2 <= 1 for a unit d; terms grow at most by e^(s), s <= eta
    second = sp.diff(sp.exp(-s * inner), s, 2)
    taylor = sp.integrate((eta - s) * sp.exp(eta) * loss, (s, 0, eta))
    bound = loss - eta * r * loss + taylor
    return is_zero(second - inner**2 * sp.exp(-s * inner)) and is_zero(
        bound - loss * (1 - eta * r + eta**2 * sp.exp(eta) / 2)
    )


@statement.proves(
    "|g| >= <-g, u> >= gamma L: r >= gamma; log(1 + y) <= y: -log L gains eta gamma - eta^2 e^eta / 2 or more"
)
def gain() -> bool:
    weight, more, y = sp.symbols("weight more y", nonnegative=True)
    along = sp.expand(weight * (gamma + more) - gamma * weight).is_nonnegative  # one term of <-g, u> - gamma L
    above, below = y - sp.log(1 + y), -y - sp.log(1 - y)
    # y in (-1, 0]: -y' - log(1 - y') has the derivative y'/(1 - y') >= 0 and is 0 at 0
    slope = sp.simplify(sp.diff(below, y) - y / (1 - y))
    return bool(along) and nonnegative_from_zero(above, y) and slope == 0 and below.subs(y, 0) == 0


@statement.proves("every margin is at least -log L, a term being at most the sum; |w_T| <= |w_0| + sum eta_t")
def margin_from_loss() -> bool:
    term, rest = sp.symbols("term rest", positive=True)
    return sp.expand((term + rest) - term).is_positive is True


@statement.proves("sum t^(-1/2) >= 2 sqrt(T+1) - 2 and sum 1/t <= 1 + log T: margin/|w| >= gamma - O(log T / sqrt T)")
def total() -> bool:
    first, squares = sp.integrate(t ** sp.Rational(-1, 2), (t, 1, T + 1)), 1 + sp.integrate(1 / t, (t, 1, T))
    steps = c * first
    # with steps >= this sum and A = c^2 e^c / 2: (gamma S - A squares - start) / (S + start), rising in S
    short = gamma - (gamma * steps - A * squares - start) / (steps + start)
    S = sp.Symbol("S", positive=True)
    rises = sp.factor(sp.diff((gamma * S - A - start) / (S + start), S)).is_positive is True
    sums = is_zero(sp.simplify(first - 2 * sp.sqrt(T + 1) + 2)) and is_zero(sp.simplify(squares - 1 - sp.log(T)))
    return rises and sums and is_zero(sp.limit(short * sp.sqrt(T) / sp.log(T), T, sp.oo) - A / (2 * c))
