"""Gradient descent on separable data goes in a direction if and only if the regularisation path does: the same one.

f(w) = sum_i loss(<x_i, w>) with <x_i, w> >= gamma > 0 for some unit w = u0 and |x_i| <= X; the loss is convex,
positive, decreasing to 0 (so strictly), with a Lipschitz derivative, so that f has a smoothness constant L. w_B is a
minimum of f in the ball of radius B; descent has 0 < eta <= 1/L, or is gradient flow, from any start. Then

    w_B / B -> u   if and only if   w_k / |w_k| -> u.

Two lemmas hold for every convex f that is L-smooth and 0 < eta < 2/L (g the gradient, f_k = f(w_k)):
(1) f_K <= f(U) + (|w_0 - U|^2 + c) / (2 eta K) for all U and K, c = 2 eta/(2 - eta L) (f_0 - inf f);
(2) if |w_k| tends to infinity and, for every alpha > 0 and k past some k(alpha), f at (1 + alpha) |w_k| u is at most
    f_k, then w_k / |w_k| -> u. The same with the part of w in a subspace, the other part kept.

Recalled from Ji, Dudik, Schapire and Telgarsky, whose wording is not at hand; this form is proved here.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "classical/path-equals-gd",
    source="Ji-Dudik-Schapire-Telgarsky COLT 2020",
    verdict="proved",
    needs=["bias/erratum-E12"],
    known=["Cauchy-Schwarz", "bounded sequences have convergent subsequences"],
)

eta, L, N, alpha, epsilon, K = sp.symbols("eta L N alpha epsilon K", positive=True)
d, g, inner, along, new, step = sp.symbols("d g inner along N' step", real=True)
f, later, goal = sp.symbols("f f' f(U)", real=True)


@statement.proves(
    "(1) |w' - U|^2 <= |w - U|^2 - 2 eta (f - f(U)) + eta^2 g^2, which telescopes; f_k falls, so f_K is least"
)
def comparator() -> bool:
    moved = d**2 - 2 * eta * inner + eta**2 * g**2  # inner = <g, w - U> >= f - f(U), by convexity
    bound = d**2 - 2 * eta * (f - goal) + eta**2 * g**2
    first = is_zero(bound - moved - 2 * eta * (inner - (f - goal)))
    start, c = sp.symbols("start c", positive=True)  # eta^2 g^2 sums to at most c (`bias/erratum-E12`)
    total = start + c - 2 * eta * K * (f - goal)  # >= |w_K - U|^2 >= 0
    return first and is_zero(sp.solve(sp.Eq(total, 0), f)[0] - goal - (start + c) / (2 * eta * K))


@statement.proves("(1) eta <= 1/L: |w' - U|^2 <= |w - U|^2 - 2 eta (f' - f(U)): closer to U as long as f' >= f(U)")
def contraction() -> bool:
    share = sp.Symbol("s", nonnegative=True)  # eta L = 1/(1 + s)
    fall = eta * (1 - eta * L / 2) * g**2  # f - f' is at least this
    slack = sp.factor((2 * eta * fall - eta**2 * g**2).subs(L, 1 / (eta * (1 + share))))
    # -2 eta (f - f(U)) + eta^2 g^2 <= -2 eta (f - f(U)) + 2 eta (f - f') = -2 eta (f' - f(U))
    same = is_zero(-2 * eta * (f - goal) + 2 * eta * (f - later) + 2 * eta * (later - goal))
    return same and bool(slack.is_nonnegative)


@statement.proves("(2) f(U) <= f, U = (1 + alpha) N u, N = |w|: <-g, u> >= <-g, w> / ((1 + alpha) N), by convexity")
def towards() -> bool:
    # 0 <= f - f(U) <= <-g, U - w> = (1 + alpha) N along - inner; with an error e in U there is <-g, e> besides
    slack = ((1 + alpha) * N * along - inner) / ((1 + alpha) * N)
    return is_zero(along - inner / ((1 + alpha) * N) - slack) and bool(((1 + alpha) * N).is_positive)


@statement.proves(
    "(2) eta <-g, w> / N >= N' - N - step^2 / (2 N), as N'^2 = N^2 + 2 eta <-g, w> + step^2; step^2 is summable"
)
def increments() -> bool:
    gained = (new**2 - N**2 - step**2) / (2 * N)
    return is_zero(gained - (new - N - step**2 / (2 * N)) - (new - N) ** 2 / (2 * N))


@statement.proves("(2) summed: <w_k, u> >= N/(1 + alpha) - C, whose ratio to N has limits 1/(1 + alpha) and 1")
def direction() -> bool:
    C = sp.Symbol("C", positive=True)
    return bool(sp.limit(sp.limit((N / (1 + alpha) - C) / N, N, sp.oo), alpha, 0) == 1)


@statement.proves(
    "flow: |w - U|^2 has the derivative -2 <g, w - U>, and N = |w| has <-g, w>/N: (1), (2) without squares"
)
def flow() -> bool:
    time, point, others = sp.symbols("t U others", positive=True)  # one coordinate, the squares of the others
    w, slope = sp.Function("w")(time), sp.Symbol("g_r", real=True)
    moves = {sp.diff(w, time): -slope}
    distance = sp.diff((w - point) ** 2, time).subs(moves) + 2 * slope * (w - point)
    length = sp.diff(sp.sqrt(w**2 + others), time).subs(moves) + slope * w / sp.sqrt(w**2 + others)
    return is_zero(distance) and is_zero(length)


@statement.proves("inf f = 0 along u0: by (1) f_K -> 0, and |w_K| -> infinity as f > 0; w + s u0 is lower, |w_B| = B")
def diverges() -> bool:
    excess, slack, s = sp.symbols("excess slack s", positive=True)
    start = sp.Symbol("start", positive=True)  # excess = f(U), as small as one likes
    reached = sp.limit(excess + start / (2 * eta * K), K, sp.oo) == excess
    margin = sp.Symbol("m", real=True) + s * (sp.Symbol("gamma", positive=True) + slack)  # of w + s u0
    return bool(reached) and bool(sp.diff(margin, s).is_positive) and sp.limit(margin, s, sp.oo) == sp.oo


@statement.proves(
    "if the path has a direction: f(w_B) <= f_k at B = (1 + alpha) N >= |w_k|, and |w_B - B u| <= epsilon B"
)
def from_path() -> bool:
    # so <-g, B u - w> >= -epsilon B |g|: the bound of (2) loses epsilon |g|, in total epsilon times the length gone
    length = sp.Symbol("g", positive=True)
    lost = is_zero(
        (inner - epsilon * (1 + alpha) * N * length) / ((1 + alpha) * N) - inner / (1 + alpha) / N + epsilon * length
    )
    C, ratio = sp.symbols("C r", positive=True)
    cosine = (N / (1 + alpha) - C - epsilon * ratio * N) / N
    return lost and bool(sp.limit(cosine, N, sp.oo).subs({epsilon: 0, alpha: 0}) == 1)


@statement.proves(
    "the length gone is at most X/gamma <w_k - w_0, u0>: |g| <= X sum |loss'| and <-g, u0> >= gamma sum |loss'|"
)
def length() -> bool:
    weight, margin, size, more, less = sp.symbols("weight gamma X more less", nonnegative=True)
    # one point: -loss' = weight, <x_i, u0> = gamma + more, |x_i| = X - less
    return bool((size * weight * (margin + more) - margin * weight * (size - less)).expand().is_nonnegative)


@statement.proves(
    "if descent has a direction: where f_k first is <= f(w_B), |w_k| >= B about, and earlier it came ever closer"
)
def from_descent() -> bool:
    # In units of B, large: p = w_B/B, w_s = r u on the way, r from 0 to rho >= 1. By contraction |rho u - p| <=
    # |r u - p|; the square is r^2 - 2 r c + 1, c = <u, p> <= 1. At r = 0: c >= rho/2 > 0. At r = c <= rho: the
    # difference is -(rho - c)^2 <= 0, so rho = c = 1 and |u - p|^2 = 2 - 2 c = 0.
    r, c, rho = sp.symbols("r c rho", real=True)
    square = r**2 - 2 * r * c + 1
    at_zero = is_zero(square.subs(r, 0) - square.subs(r, rho) - 2 * rho * (c - rho / 2))
    at_c = is_zero(square.subs(r, c) - square.subs(r, rho) + (rho - c) ** 2)
    return at_zero and at_c and bool(square.subs({r: 1, c: 1}) == 0)


@statement.proves("a step is short against B, so passing f(w_B) between two steps changes nothing: step^2 is summable")
def overshoot() -> bool:
    total, B = sp.symbols("total B", positive=True)
    return bool(sp.limit(sp.sqrt(total) / B, B, sp.oo) == 0)
