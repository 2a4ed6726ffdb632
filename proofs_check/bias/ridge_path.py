"""Printed: on the regularisation path the error of the direction is of order 1/B exactly. It can be log B / B, or 0.

Compatible and separable data, W_r the minimiser of CE + (r/2)||W||^2, W_B that of CE on ||W|| <= B (the same points, as
both are stationary), E = CE - H, gamma = 1/||W_mm||. These hold as printed, with all r, B for the identity:

    r <W_r, W_mm> = <-grad CE, W_mm>,  E(W_r) / (r <W_r, W_mm>) -> 1,  ||W_r|| / log(1/r) -> ||W_mm||,
    ||P_F W_r - W*|| = O(r log(1/r)),  log E(W_B) / B -> -gamma.

Refuted: ||W_B/B - gamma W_mm|| = Theta(1/B). One-hot contexts (1, 0) and (1, 1) with the same token of two: the second
constraint is active with multiplier 0, and the error times B tends to infinity; with (1, 0) alone the error is 0.
Repaired: it is O(1/B) if the active constraints have multipliers that are all positive; and then Theta(1/B) if W* is
not 0, since its part in F is P_F W_B / B.

Below W_o is the part off F, l = log(1/r), a_i the normals off F of the constraints <a_i, W> >= 1, nu_i = <a_i, W_mm>,
b_i = pi_j softmax_v / r, so that W_o = sum b_i a_i; c, C stand for bounded factors.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "bias/ridge-path",
    source="derived (D8)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/theorem-1-boundary", "bias/theorem-1-genie", "bias/norm-ball-path", "bias/lemma-4", "bias/split"],
    known=["Cauchy-Schwarz", "KKT conditions", "smooth functions with a positive definite Hessian are strongly convex"],
)

x, y, s, log, N = sp.symbols("x y s l N", positive=True)  # N = ||W_mm||
u = sp.Symbol("u", nonnegative=True)
c, C, delta, alpha, rho = sp.symbols("c C delta alpha rho", positive=True)


@statement.refutes("(1, 0), (1, 1): (x, y) = w_1 - w_2 has y e^y >= x - y: y, the error times B, is unbounded")
def counterexample() -> bool:
    # stationary: r x = s_1 + s_2, r y = s_2 up to a factor, s_i = 1/(1 + e^margin), margins x and x + y
    first, second = 1 / (1 + sp.exp(x)), 1 / (1 + sp.exp(x + y))
    ratio = second / first  # = y / (x - y)
    # ratio e^y - 1 = (e^y - 1) / (1 + e^(x + y)) > 0
    gap = is_zero(ratio * sp.exp(y) - 1 - (sp.exp(y) - 1) / (1 + sp.exp(x + y)))
    return gap and nonnegative_from_zero(sp.exp(u) - 1, u)


@statement.refutes("(1, 0) alone: the gradient is along W_mm on its line, so W_B / B = gamma W_mm")
def no_error() -> bool:
    w, h = sp.Matrix([[x, 0], [-x, 0]]), sp.Matrix([1, 0])
    masses = (w * h).applyfunc(sp.exp)
    gradient = (masses / sum(masses) - sp.Matrix([1, 0])) * h.T
    return is_zero(gradient / gradient[0, 0] - w / x)


@statement.proves("grad CE + r W = 0 gives the identity: r <W, W_mm> = -<grad CE, W_mm>")
def identity() -> bool:
    r, inner, slope = sp.symbols("r inner slope", real=True)  # <W, W_mm>, <grad CE, W_mm>
    return is_zero(sp.solve(sp.Eq(slope + r * inner, 0), slope)[0] + r * inner)


@statement.proves("W* + l W_mm: r/2 ||W_r||^2 <= C e^-l + r/2 (W*^2 + l^2 N^2): limsup ||W_r||/l <= N, E = O(r l^2)")
def upper() -> bool:
    star = sp.Symbol("W*", positive=True)
    r = sp.exp(-log)
    bound = 2 / r * (C * sp.exp(-log) + r / 2 * (star**2 + log**2 * N**2))  # ||W_r||^2
    excess = r * (C + (star**2 + log**2 * N**2) / 2)
    return is_zero(sp.limit(bound / log**2, log, sp.oo) - N**2) and bool(
        sp.limit(excess / (r * log**2), log, sp.oo) == N**2 / 2
    )


@statement.proves("so all margins are >= l - 2 log l - C (`bias/norm-ball-path`), ||W_o|| >= N margin: liminf >= N")
def lower() -> bool:
    margin = log - 2 * sp.log(log) - C
    return bool(sp.limit(N * margin / log, log, sp.oo) == N)


@statement.proves("<W_o, W_mm> >= N^2 margin, and ||W_o||/l -> N: so W_o / l -> W_mm")
def direction() -> bool:
    norm_squared, inner = log**2 * N**2 * (1 + s), N**2 * (1 - s) * log  # s: what is left of the limits, to 0
    return is_zero(((norm_squared - 2 * log * inner + log**2 * N**2) / log**2).subs(s, 0))


@statement.proves("sum pi eps <= r <W_r, W_mm> as nu_i >= 1; ||grad CE_F|| <= r ||W_F|| + C eps: both are O(r l)")
def finite_part() -> bool:
    slack, r, mu = sp.symbols("slack r mu", positive=True)
    more = sp.expand((1 + slack) * s - s).is_positive is True  # softmax s with nu = 1 + slack, on either side
    # P_F grad CE = -r W_F, and it is within C eps of grad CE_F: on the support softmax = (1 - eps) q
    # CE_F is mu-convex near W*: ||P_F W_r - W*|| <= ||grad CE_F|| / mu, KL <= ||grad CE_F||^2 / (2 mu)
    gradient = r * C + c * r * sp.log(1 / r)
    order = sp.limit(gradient.subs(r, sp.exp(-log)) / (sp.exp(-log) * log), log, sp.oo)
    kl = sp.limit((gradient**2 / (2 * mu)).subs(r, sp.exp(-log)) / (sp.exp(-log) * log), log, sp.oo)
    return more and bool(order == c) and bool(kl == 0)


@statement.proves("r <W_r, W_mm> ~ r l N^2; inactive softmax <= r^(1 + delta) and KL are o(r l): the ratio tends to 1")
def ratio() -> bool:
    inactive = sp.exp(-(1 + delta) * log) / (sp.exp(-log) * log)
    tail = sp.limit(-sp.log(1 - s) / s, s, 0, "+")  # -log(1 - eps) ~ eps
    return bool(sp.limit(inactive, log, sp.oo) == 0) and bool(tail == 1)


@statement.proves("log E(W_B) >= -gamma B - C (some margin is at most gamma B) and <= log C - R, R/B -> gamma")
def rate() -> bool:
    B, star = sp.symbols("B W*", positive=True)
    radius = sp.sqrt(B**2 - star**2) / N
    below, above = (-B / N - C) / B, (sp.log(C) - radius) / B
    return is_zero(sp.limit(below, B, sp.oo) + 1 / N) and is_zero(sp.limit(above, B, sp.oo) + 1 / N)


@statement.proves("rho + log rho = l, x_i = <a_i, W_o - rho W_mm>: b_i = rho c_i e^(-x_i - rho (nu_i - 1))")
def centre() -> bool:
    nu, shift = sp.symbols("nu x", real=True)
    r = sp.exp(-rho) / rho
    softmax = c * sp.exp(-(rho * nu + shift))
    return is_zero(softmax / r - rho * c * sp.exp(-shift - rho * (nu - 1)))


@statement.proves("||W_o - rho W_mm||^2 = sum (b_i - rho alpha_i) x_i, active terms at most rho (K - alpha |x|)")
def active() -> bool:
    # (c e^-x - alpha) x with x >= 0: x e^-x <= 1/e; with x = -u < 0, e^u >= u: at most alpha^2/c - alpha u
    peak = sp.solve(sp.diff(x * sp.exp(-x), x), x) == [1]
    grows = nonnegative_from_zero(sp.exp(u) - u - 1, u)
    square = alpha**2 / c - alpha * u - (alpha * u - c * u**2) - (alpha / sp.sqrt(c) - sp.sqrt(c) * u) ** 2
    A, b, a = matrices("A b a")  # rows a_i: W_o = A^T b, W_mm = A^T alpha
    move = transpose(A) * (b - rho * a)
    same = vanishes(transpose(move) * move - transpose(b - rho * a) * (A * move))
    return peak and grows and is_zero(square) and same


@statement.proves("inactive terms and their b_i, with x_i >= -C sqrt rho, tend to 0: so active x_i are bounded")
def inactive() -> bool:
    term = rho * c * sp.exp(-rho * delta - 1)
    share = rho * c * sp.exp(C * sp.sqrt(rho) - rho * delta)
    return bool(sp.limit(term, rho, sp.oo) == 0) and bool(sp.limit(share.subs(rho, s**2), s, sp.oo) == 0)


@statement.proves("W_o - rho W_mm, o(1) off the active a_i, is so bounded, and ||W_B/B - gamma W_mm|| <= 2 C/B")
def bounded() -> bool:
    # W = rho W_mm + e, |e| <= C, B = |W| >= rho N - C: |W/B - W_mm/N| <= |e|/B + |rho N - B|/B
    off = sp.Symbol("off", nonnegative=True)  # | |W| - rho N | = C - off
    return bool(sp.expand(2 * C - (C + C - off)).is_nonnegative)
