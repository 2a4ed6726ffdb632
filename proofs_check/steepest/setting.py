"""Setting of normalised steepest descent: the margin in a norm, and the step that a norm makes steepest.

    gamma = max_{||W|| <= 1} min_{i, c != y_i} (e_{y_i} - e_c)^T W h_i,      Delta = argmax_{||D|| <= 1} <grad L, D>

for any entrywise or Schatten p-norm; with momentum, grad L is replaced by M_t = beta M_{t-1} + (1 - beta) grad L.
What is shown: the margin problem is convex and 1/gamma is the least norm of a W with all margins >= 1; the steepest
steps are sign(g) (largest entry), g / ||g|| (Frobenius), U V^T (spectral, g = U diag(sigma) V^T), and for
1 < p < infinity D = sign(g) |g|^{q-1} / ||g||_q^{q-1}, 1/p + 1/q = 1 (Schatten: the same for sigma). The gain is the
dual norm of g each time, and the step -D lowers the loss to first order by eta times that gain. M_t weighs past
gradients with a total of 1 - beta^t.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "steepest/setting",
    source="2502.04664 Sec. 2",
    verdict="proved",
    known=["singular value decompositions; Bessel's inequality; a continuous function on a ball has a maximum"],
)

g, a, b = sp.symbols("g a b", positive=True)
i, j, n = sp.symbols("i j n", integer=True, positive=True)


@statement.proves(
    "a margin is linear in W, so the least is concave: at a mixture it is at least the mixture of the least"
)
def concave() -> bool:
    t, r = sp.symbols("t r", nonnegative=True)  # t in [0, 1], r = 1 - t
    lowest, lowest_too = sp.symbols("m m'", real=True)
    above, above_too = sp.symbols("x x'", nonnegative=True)  # a generic margin of W and of W' is its least plus this
    w, w_too, x = sp.IndexedBase("W"), sp.IndexedBase("U"), sp.IndexedBase("x")
    mixed = sp.Sum((t * w[i] + r * w_too[i]) * x[i], (i, 1, n))
    linear = split(mixed - t * sp.Sum(w[i] * x[i], (i, 1, n)) - r * sp.Sum(w_too[i] * x[i], (i, 1, n)))
    gain = t * (lowest + above) + r * (lowest_too + above_too) - (t * lowest + r * lowest_too)
    return bool(linear == 0 and sp.expand(gain).is_nonnegative)


@statement.proves(
    "W / ||W|| has margin m / ||W||: a W with margins >= 1 and norm N gives gamma >= 1/N, and W / gamma back"
)
def reciprocal() -> bool:
    size, gamma = sp.symbols("N gamma", positive=True)
    w, x = sp.IndexedBase("W"), sp.IndexedBase("x")
    value = sp.Sum(w[i] * x[i], (i, 1, n))
    scaled = split(sp.Sum(w[i] / size * x[i], (i, 1, n)) - value / size)
    back = split(sp.Sum(w[i] / gamma * x[i], (i, 1, n)) - value / gamma)
    return bool(scaled == 0 and back == 0)


@statement.proves(
    "largest entry: g D <= |g| for |D| <= 1, entry by entry, and sign(g) attains it: the dual norm is the sum"
)
def sign_step() -> bool:
    below = sp.Symbol("r", nonnegative=True)  # D = 1 - r with 0 <= r <= 2
    real = sp.Symbol("x", real=True)
    return bool(sp.expand(g - g * (1 - below)).is_nonnegative and (real * sp.sign(real)).equals(sp.Abs(real)))


@statement.proves("Frobenius: |g|^2 |D|^2 - <g, D>^2 is half the sum of (g_i D_j - g_j D_i)^2, 0 for D = g / |g|")
def normalised_step() -> bool:
    u, d = sp.IndexedBase("g", real=True), sp.IndexedBase("D", real=True)
    term = sp.expand((u[i] * d[j] - u[j] * d[i]) ** 2)
    squares, lengths, inner = u[i] ** 2 * d[j] ** 2, u[j] ** 2 * d[i] ** 2, u[i] * d[i] * u[j] * d[j]
    # the double sums of `squares` and of `lengths` are |g|^2 |D|^2, that of `inner` is <g, D>^2
    expansion = sp.expand(term - squares - lengths + 2 * inner) == 0
    double = split(sp.Sum(sp.Sum(inner, (i, 1, n)), (j, 1, n)))
    product = sp.Sum(u[i] * d[i], (i, 1, n)) * sp.Sum(u[j] * d[j], (j, 1, n))
    scale = sp.Symbol("s", positive=True)
    equality = term.subs({d[i]: u[i] / scale, d[j]: u[j] / scale})
    return bool(expansion and split(double - product) == 0 and sp.expand(equality) == 0)


@statement.proves("entrywise p: Young's a b <= a^p/p + b^q/q gives Hoelder (entries over their norms; 1/p + 1/q = 1)")
def hoelder() -> bool:
    r = sp.Symbol("r", positive=True)
    p = 1 + r  # any p > 1
    q = p / r
    gap = a**p / p + b**q / q - a * b
    stationary = b ** (1 / r)
    slope, least = sp.diff(gap, a).subs(a, stationary), gap.subs(a, stationary)
    curved = sp.simplify(sp.diff(gap, a, 2)).is_positive
    return bool(sp.simplify(1 / p + 1 / q) == 1 and sp.simplify(slope) == 0 and sp.simplify(least) == 0 and curved)


@statement.proves("its step: D = |g|^{q-1} / N^{q-1} has |D|^p = |g|^q / N^q, sum 1, and g D = |g|^q / N^{q-1}, sum N")
def power_step() -> bool:
    r, size = sp.symbols("r N", positive=True)  # N = ||g||_q, so the sum of g^q is N^q
    p = 1 + r
    q = p / r
    step = (g / size) ** (q - 1)
    power = sp.simplify(sp.expand_log(sp.log(step**p) - q * sp.log(g / size)))
    gain = sp.simplify(sp.expand_log(sp.log(g * step) - q * sp.log(g) + (q - 1) * sp.log(size)))
    return bool(power == 0 and gain == 0 and sp.simplify(size**q / size ** (q - 1)) == size)


@statement.proves(
    "spectral: <g, D> = sum_k sigma_k u_k^T D v_k <= sum_k sigma_k, and U V^T attains it (rank of any size)"
)
def spectral_step() -> bool:
    sigma = sp.IndexedBase("sigma", nonnegative=True)
    below = sp.IndexedBase("r", nonnegative=True)  # u_k^T D v_k = 1 - r_k, by ||D|| <= 1
    bound = split(sp.Sum(sigma[i], (i, 1, n)) - sp.Sum(sigma[i] * (1 - below[i]), (i, 1, n)))
    slack = split(bound - sp.Sum(sigma[i] * below[i], (i, 1, n))) == 0 and (sigma[i] * below[i]).is_nonnegative
    # <sum_i sigma_i u_i v_i^T, sum_j u_j v_j^T> = sum_ij sigma_i (u_i . u_j)(v_i . v_j), with orthonormal vectors
    rank = i + sp.Symbol("e", integer=True, nonnegative=True)  # i is one of 1 .. rank
    inner = sp.simplify(sp.Sum(sp.KroneckerDelta(i, j) ** 2, (j, 1, rank)).doit())
    return bool(slack and inner == 1)


@statement.proves(
    "Schatten p: u_k^T D v_k is a mean of D's singular values d with weights (a^2 + b^2)/2 that sum to w <= 1,"
    " and (mean)^p <= mean of d^p: these numbers have a p-norm of at most ||D||, and Hoelder applies to them and sigma"
)
def schatten_step() -> bool:
    d, m, r = sp.symbols("d m r", positive=True)
    w = sp.Symbol("rest", nonnegative=True)  # 1 - w
    x, y = sp.symbols("x y", real=True)
    p = 1 + r
    young = sp.expand((x**2 + y**2) / 2 - x * y - (x - y) ** 2 / 2) == 0
    above_tangent = d**p - m**p - p * m**r * (d - m)
    flat = sp.simplify(sp.diff(above_tangent, d).subs(d, m)) == 0 and above_tangent.subs(d, m) == 0
    convex = sp.simplify(sp.diff(above_tangent, d, 2)).is_positive
    # the tangents at m = sum w_l d_l, with the weights, sum to w m^p + p m^r (m - w m), at least m^p
    gain = sp.simplify(((1 - w) * m**p + p * m**r * (m - (1 - w) * m) - m**p) / m**p)
    return bool(young and flat and convex and sp.expand(gain).is_nonnegative)


@statement.proves("first order: the slope of f(W - eta D) in eta at 0 is -<grad f, D>, entry by entry")
def descends() -> bool:
    f, w, d, eta = sp.Function("f"), sp.Symbol("w"), sp.Symbol("D"), sp.Symbol("eta")
    slope = sp.diff(f(w - eta * d), eta).subs(eta, 0).doit()
    return is_zero(slope + d * sp.diff(f(w), w))


@statement.proves("momentum: the weights (1 - beta) beta^k of the last t gradients sum to 1 - beta^t, by the recursion")
def average() -> bool:
    beta, t = sp.symbols("beta t", positive=True)
    total = 1 - beta**t
    return bool(total.subs(t, 0) == 0 and is_zero(beta * total + (1 - beta) - total.subs(t, t + 1)))
