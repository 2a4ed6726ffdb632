"""Normalising the gradient off F alone restores the rate of one-hot data.

    W <- W - eta_F P_F g - eta P_perp g/||P_perp g||:   P_F W_k -> W* linearly,   eta k gap_k -> N (mean - min) x_i

gap = 1 - min_i <a_i, W_perp> N/||W_perp||, N = ||W_mm|| = 1/gamma; x_i = log(pi_j c_i/alpha_i) for active i, and the
mean has weights alpha. Hypotheses: separable data, positive multipliers of all active constraints, small steps:
eta_F < 1/L and eta below a constant of the data. (With eta N times an eigenvalue of the Hessian of l above 2, see (4),
the limit is unstable.)

Proof. Off F a step goes along sum p_i a_i, p_i the share of i in the off-support mass G = sum_j pi_j eps_j, and
||sum p_i a_i|| >= gamma. (1) The loss falls by at least const (||P_F g||^2 + G) a step, so both tend to 0 and P_F W
tends to W*. (B bounds the Hessian off F over G along a step: logits move by a bounded amount.) (2) Then log of the tail
falls by a constant a step: G decays geometrically, and with it P_F W - W*. (3) Off F the step is one of descent on
l(X) = log sum c_i e^(-<a_i, X>), up to geometric errors, of step size eta/||grad l|| <= eta N: it does not expand
distances, so X_k stays at a bounded distance of tau_k W_mm + X*, where p_i = alpha_i/N^2. (4) Across W_mm l is strictly
convex on bounded sets: X_k - tau_k W_mm converges geometrically, and tau_k N - eta k converges.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/split-normalised",
    source="derived (D7)",
    verdict="proved",
    needs=["bias/split", "bias/sharp-gd-direction", "bias/offset", "bias/smoothness", "bias/any-data"],
    known=[
        "Cauchy-Schwarz; positive definite forms are at least const |x|^2",
        "a strictly convex function with a minimum has bounded sublevel sets, and gradients that tend to 0 lead to it",
    ],
)

N, eta, k, u = sp.symbols("N eta k u", positive=True)
G, F, L = sp.symbols("G F L", positive=True)


@statement.proves("||sum p_i a_i|| >= gamma: its product with W_mm is sum p_i <a_i, W_mm> >= 1 = gamma ||W_mm||")
def steep() -> bool:
    share, slack = sp.symbols("p_i slack_i", nonnegative=True)
    term = sp.expand(share * (1 + slack) - share)  # over sum p_i = 1
    return term.is_nonnegative is True


@statement.proves("(1) second order of a step <= eta_F^2 L ||g_F||^2 + eta^2 B G: loss falls by const (||g_F||^2 + G)")
def descent() -> bool:
    # Var(x + y) <= 2 Var x + 2 Var y; Var of moves at off-support tokens alone, below M eta, is at most M^2 eta^2 eps
    first, second, mass, size = sp.symbols("x y eps m", real=True)
    parallelogram = 2 * first**2 + 2 * second**2 - (first + second) ** 2 - (first - second) ** 2
    mean = mass * size
    variance = mass * (size - mean) ** 2 + (1 - mass) * mean**2 - (mass * size**2 - mean**2)
    # steps eta_F = (1/L) w/(1 + w), eta = gamma/B w/(1 + w), w > 0
    w, bound = sp.symbols("w B", positive=True)
    step_f, step = w / (1 + w) / L, w / (1 + w) / N / bound
    fall = step_f * F**2 * (1 - step_f * L) + step * G / N - step**2 * bound * G
    return is_zero(parallelogram) and is_zero(variance) and sp.expand(sp.factor(fall)).is_positive is True


@statement.proves("(2) log of the tail falls by eta gamma - eta^2 B/2 - o(1) a step, so by a constant: G is geometric")
def geometric() -> bool:
    odds = sp.Symbol("T", positive=True)
    ratio = sp.limit(sp.log(1 + odds) / (odds / (1 + odds)), odds, 0)  # of the tail to G, context by context
    w, bound = sp.symbols("w B", positive=True)
    step = 2 * w / (1 + w) / N / bound
    return bool(ratio == 1) and sp.factor(step / N - step**2 * bound / 2).is_positive is True


@statement.proves(
    "(1), (2) P_F g = grad CE_F + O(G): softmax_z - q_z = -eps q_z, others are at most eps; H_F >= const near W*, so "
    "rho' <= q rho + C r^k, q < r < 1, for rho = ||P_F W - W*||, which keeps rho <= K r^k, K >= C/(r - q)"
)
def linear() -> bool:
    q, gain, more, size, a, on, off = sp.symbols("q gain more C a on off", positive=True)
    on_f = is_zero(a / (on + off) - a / on + off / (on + off) * a / on)
    r, bound = q + gain, size / gain + more
    return on_f and sp.expand(r * bound - (q * bound + size)).is_positive is True


@statement.proves("(3) errors: a + e over its length s is at most (||e|| + |r - s|)/s <= 2 ||e||/s off a/r, r = ||a||")
def normalising() -> bool:
    a, e = sp.symbols("a e", real=True)  # an entry
    r, s, size, less = sp.symbols("r s size less", nonnegative=True)  # size = ||e||, |r - s| = size - less
    entry = (a + e) / s - a / r - (e + (r - s) * (a / r)) / s
    return is_zero(entry) and sp.expand(2 * size - (size + (size - less))).is_nonnegative is True


@statement.proves("(3) W_mm gamma^2 is minus grad l on the line tau W_mm + X*: there p_i = alpha_i/N^2, sum p_i = 1")
def comparison() -> bool:
    c, alpha, tau = sp.symbols("c alpha tau", positive=True)
    x = sp.log(c / alpha)  # <a_i, X*>, and <a_i, W_mm> = 1
    weight = c * sp.exp(-(tau + x))
    total = N**2 * sp.exp(-tau)  # sum alpha = N^2
    slack = sp.Symbol("slack", positive=True)
    inactive = sp.limit(c * sp.exp(-(1 + slack) * tau) / total, tau, sp.oo)
    return is_zero(sp.simplify(weight / total - alpha / N**2)) and bool(inactive == 0)


@statement.proves("(3) X = tau W_mm + Y has l = psi(Y) - tau, ||grad l||^2 = gamma^2 + ||grad psi||^2, steps <= eta N")
def across() -> bool:
    tau, y, b, c, psi = sp.symbols("tau y b c psi'", real=True)
    sums = sp.Function("S", positive=True)(y)  # of exp(c_i - <b_i, Y>): e^-tau is a factor of every term of e^l
    factor = is_zero(sp.exp(c - tau - b * y) - sp.exp(-tau) * sp.exp(c - b * y))
    level = sp.log(sp.exp(-tau) * sums)
    slopes = is_zero(sp.diff(level, tau) + 1) and is_zero(sp.diff(level, y) - sp.diff(sp.log(sums), y))
    # d/dtau is <grad l, W_mm>: the part of grad l along W_mm is that over N, orthogonal to grad psi
    square = (sp.diff(level, tau) / N) ** 2 + psi**2
    return factor and slopes and bool((square - 1 / N**2).is_nonnegative)


@statement.proves(
    "(4) the step across W_mm, Y - eta grad psi/||grad l||, has the derivative 1 - eta N Hess psi at the limit"
)
def linearised() -> bool:
    y, curvature = sp.symbols("y lam", real=True)
    slope = curvature * y + sp.Symbol("rest") * y**2
    step = y - eta * slope / sp.sqrt(1 / N**2 + slope**2)
    return is_zero(sp.diff(step, y).subs(y, 0) - (1 - eta * N * curvature))


@statement.proves("(3), (4) 1 - h lam is in [-1, 1] for 0 <= lam <= L_l, h <= 2/L_l, and inside for lam > 0, h < 2/L_l")
def stable() -> bool:
    v, w = sp.symbols("v w", positive=True)  # lam = L v/(1 + v), h = (2/L) w/(1 + w)
    factor = 1 - 2 * v / (1 + v) * w / (1 + w)
    return sp.factor(1 - factor).is_positive is True and sp.factor(1 + factor).is_positive is True


@statement.proves(
    "(4) a step along W_mm is eta gamma/||grad l|| = eta - O(||grad psi||^2): tau_k N = eta k + const + o(1)"
)
def progress() -> bool:
    slope = sp.Symbol("psi'", positive=True)
    along = (1 / N) / sp.sqrt(1 / N**2 + slope**2)
    lost = sp.limit((1 - along) / slope**2, slope, 0)
    return is_zero(lost - N**2 / 2)


@statement.proves(
    "eta k gap -> b - N min x for margins tau + x_i, norm sqrt((tau N + b)^2 + c^2), tau N = eta k + const"
)
def limit() -> bool:
    # b = N times the mean of the x_i with weights alpha (`bias/sharp-gd-direction`)
    b, c, least, start = sp.symbols("b c x const", real=True)
    tau = (eta * k + start) / N
    relative = (tau + least) * N / sp.sqrt((tau * N + b) ** 2 + c**2)
    return is_zero(sp.limit((1 - relative).subs(k, 1 / u) / u * eta, u, 0) - (b - least * N))
