"""Myopic descent converges for strongly convex, smooth losses; with tied weights under a forward bias.

Untied: theta_k <- theta_k - eta G_k, G_k = grad_{theta_k} l_k(theta_1, .., theta_k). Assume that G_k is mu-strongly
monotone and L-Lipschitz in theta_k, and moves by at most beta (|d_1| + .. + |d_{k-1}|) when the past moves by d_i.
Then for 0 < eta < 2 mu / L^2, with rho^2 = 1 - 2 eta mu + eta^2 L^2 < 1, the weighted distance sum_k t^k |theta_k -
theta~_k|, t = (1 - rho) / (1 - rho + 2 eta beta), shrinks by the factor (1 + rho) / 2 a step: for EVERY coupling
beta.

Tied: theta <- theta - eta g(theta, theta), where g(t, theta) = grad_t sum_k l_k(theta, .., theta, t) is mu-strongly
monotone and L-Lipschitz in t and beta-Lipschitz in theta. If beta < mu (the present outweighs the past: a forward
bias in this sense), then for 0 < eta < 2 (mu - beta) / (L + beta)^2 the distance to theta~ shrinks by the factor
sqrt(1 - 2 eta (mu - beta) + eta^2 (L + beta)^2) < 1. Without it (beta > mu) myopic descent can diverge for every eta.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "planning/convergence",
    source="2404.00859 (secondary)",
    verdict="open: source incomplete",
    missing="the paper's definition of forward bias and its constants (its text was not at hand); every step "
    "is proved with the assumptions above",
    needs=["planning/myopic-optimum"],
    known=["Banach's theorem: a contraction of R^d has a fixed point"],
)

eta, mu, L, beta, rho = sp.symbols("eta mu L beta rho", positive=True)


@statement.proves(
    "one step: |e - eta g|^2 = |e|^2 - 2 eta <g, e> + eta^2 |g|^2 <= (1 - 2 eta mu + eta^2 L^2) |e|^2, a factor "
    "that is below 1 exactly for 0 < eta < 2 mu / L^2, and at least 0 as mu <= L"
)
def one_step() -> bool:
    e, g = matrices("e g")
    expanded = vanishes(
        transpose(e - eta * g) * (e - eta * g)
        - (transpose(e) * e - 2 * eta * transpose(g) * e + eta**2 * transpose(g) * g),
        trace=True,
    )
    square, inner, norm, slack, more = sp.symbols("square inner norm slack more", nonnegative=True)
    left = square - 2 * eta * (mu * square + slack) + eta**2 * (L**2 * square - more)
    bounded = sp.expand((1 - 2 * eta * mu + eta**2 * L**2) * square - left)
    below = is_zero(2 * eta * mu - eta**2 * L**2 - eta * L**2 * (2 * mu / L**2 - eta))
    extra = sp.Symbol("extra", nonnegative=True)
    at_least = sp.expand((1 - 2 * eta * mu + eta**2 * L**2 - (1 - eta * mu) ** 2).subs(L, mu + extra))
    return expanded and bounded.is_nonnegative is True and below and at_least.is_nonnegative is True


@statement.proves(
    "untied: |e_k|' <= rho |e_k| + eta beta sum_{i<k} |e_i|, so W = sum_k t^k |e_k| becomes at most "
    "(rho + eta beta t / (1 - t)) W, since sum_{k=i+1}^n t^k <= t^i t / (1 - t), for any number n of positions"
)
def weighted() -> bool:
    i = sp.Symbol("i", integer=True, positive=True)
    more = sp.Symbol("more", integer=True, nonnegative=True)  # n = i + more
    t, odds = sp.symbols("t odds", positive=True)
    # by induction on n: for n = i the sum is empty, and one more position adds t^(n+1)
    tail = t ** (i + 1) * (1 - t**more) / (1 - t)
    start = is_zero(tail.subs(more, 0))
    step = is_zero(tail.subs(more, more + 1) - tail - t ** (i + more + 1))
    rest = is_zero(t ** (i + 1) / (1 - t) - tail - t ** (i + more + 1) / (1 - t))
    return start and step and rest and (1 / (1 - t)).subs(t, odds / (1 + odds)).simplify().is_positive is True


@statement.proves("with t = (1 - rho) / (1 - rho + 2 eta beta), which lies in (0, 1), that factor is (1 + rho) / 2 < 1")
def untied_factor() -> bool:
    room = sp.Symbol("room", positive=True)
    small = room / (1 + room)  # 1 - rho, any number in (0, 1)
    t = small / (small + 2 * eta * beta)
    factor = (1 - small) + eta * beta * t / (1 - t)
    within = sp.simplify(1 - t).is_positive is True and t.is_positive is True
    halfway = (1 + (1 - small)) / 2
    return within and is_zero(sp.simplify(factor - halfway)) and sp.simplify(1 - halfway).is_positive is True


@statement.proves(
    "tied: G(theta) = g(theta, theta) is (mu - beta)-strongly monotone and (L + beta)-Lipschitz, as the coupling "
    "adds at least -beta |e|^2 and at most beta |e|; then the one-step bound holds with these constants"
)
def tied() -> bool:
    bias, size = sp.symbols("bias size", positive=True)  # mu = beta + bias, |e| = size
    slack, more = sp.symbols("slack more", nonnegative=True)
    inner = (beta + bias) * size**2 + slack - beta * size**2 + more  # own part, then coupling
    monotone = sp.expand(inner - bias * size**2).is_nonnegative is True
    factor = 1 - 2 * eta * bias + eta**2 * (L + beta) ** 2
    share = sp.Symbol("share", positive=True)
    inside = factor.subs(eta, 2 * bias / (L + beta) ** 2 / (1 + share))
    return (
        monotone
        and sp.factor(1 - inside).is_positive is True
        and is_zero(factor.subs(eta, 2 * bias / (L + beta) ** 2) - 1)
    )


a, b, theta, fixed = sp.symbols("a b theta fixed", real=True)


@statement.proves(
    "forward bias cannot be dropped: l_1 = (t_1 - 1)^2 / 2, l_2 = (t_2 - 3 t_1 - 1)^2 / 2 have strongly convex "
    "own parts (mu = L = 2, beta = 3) and a strongly convex sum, yet e' = (1 + eta) e for every eta > 0"
)
def diverges() -> bool:
    first, second = sp.symbols("t1 t2", real=True)
    losses = [(first - 1) ** 2 / 2, (second - 3 * first - 1) ** 2 / 2]
    equal = {first: theta, second: theta}
    g = (sp.diff(losses[0], first) + sp.diff(losses[1], second)).subs(equal)
    optimum = sp.solve(g, theta)[0]
    error = sp.expand(theta - eta * g - optimum)
    convex = sp.diff(sum(losses).subs(equal), theta, 2) > 0
    own, coupling = sp.diff(losses[0], first, 2) + sp.diff(losses[1], second, 2), sp.diff(losses[1], second, first)
    return is_zero(error - (1 + eta) * (theta - optimum)) and bool(convex) and own == 2 and coupling == -3


@statement.proves(
    "at the border beta = mu there may be no myopic optimum: l_2 = (t_2 - 2 t_1 - 1)^2 / 2 gives the constant "
    "gradient -2"
)
def border() -> bool:
    first, second = sp.symbols("t1 t2", real=True)
    losses = [(first - 1) ** 2 / 2, (second - 2 * first - 1) ** 2 / 2]
    g = (sp.diff(losses[0], first) + sp.diff(losses[1], second)).subs({first: theta, second: theta})
    return bool(sp.expand(g) == -2)


@statement.proves("the same coupling with untied weights: the powers of the step matrix tend to 0 for 0 < eta < 2")
def untied_converges() -> bool:
    step = sp.Matrix([[1 - eta, 0], [3 * eta, 1 - eta]])
    times, rate = sp.Symbol("times", integer=True, positive=True), 1 - eta
    power = sp.Matrix([[rate**times, 0], [3 * eta * times * rate ** (times - 1), rate**times]])
    induction = (step * power - power.subs(times, times + 1)).applyfunc(sp.simplify) == sp.zeros(2, 2)
    size = sp.Symbol("size", positive=True)
    decays = sp.limit(times * (1 / (1 + size)) ** (times - 1), times, sp.oo) == 0  # |rate| = 1 / (1 + size)
    return bool(induction and power.subs(times, 1) == step and decays)
