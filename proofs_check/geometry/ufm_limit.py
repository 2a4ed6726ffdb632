"""As the ridge vanishes, logits are a finite part plus a growing multiple of the max-margin logits.

Let L_lambda minimise CE(L) + lambda ||L||_* (the logits of geometry/ufm-nuclear), L_in be the finite part and nu the
norm ||L_mm||_* of the max-margin logits (geometry/finite-part, geometry/lmm). As lambda -> 0:

    CE(L_lambda) -> H, by at most lambda (V - 1 + ||L_in||_* + nu log(1 / lambda));
    P L_lambda -> L_in, with P the projection on F (columns that live on the supports and sum to 0);
    the least margin of L_lambda - P L_lambda, over its nuclear norm, tends to the largest possible, 1 / nu: the limit
    points of L_lambda / ||L_lambda||_* are solutions L_mm / nu, and it converges if there is only one.

This is how "L_lambda ~ L_in + R(lambda) L_mm" is read here; R(lambda) = log((V - 1) / (CE(L_lambda) - H)) will do.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "geometry/ufm-limit",
    source="2408.15417",
    verdict="proved",
    needs=["geometry/ufm-nuclear", "geometry/finite-part", "geometry/lmm", "bias/split"],
    known=["bounded sequences of matrices have limit points; the logarithm is continuous"],
)

R, nu, C, K, V = sp.symbols("R nu C K V", positive=True)
lam = sp.Symbol("lambda", positive=True)


@statement.proves(
    "genie: at L_in + R L_mm the excess loss of a context is log(1 + off / on), at most the sum over its v off the "
    "support of e^(mean of log p) e^(-R margin): at most (V - 1) e^-R, as log p <= 0 and margins are >= 1"
)
def genie() -> bool:
    # One token on the support, logit log p - mean + R a, and one off it, R (a - 1 - x); `on` sums p to 1.
    p, x, a, share = sp.symbols("p x a share", positive=True)
    mean = -sp.Symbol("minus_mean", nonnegative=True)
    on = sp.exp(sp.log(p) - mean + R * a) / p  # the sum over the support, since p sums to 1
    ratio = sp.exp(R * (a - 1 - x)) / on
    bound = sp.exp(mean - R * x)
    concave = is_zero(sp.diff(share - sp.log(1 + share), share) - share / (1 + share))
    return is_zero(ratio - sp.exp(-R) * bound) and (mean - R * x).is_nonpositive is True and concave


@statement.proves(
    "with R = log(1 / lambda) the cost of the genie bounds that of L_lambda: CE - H <= the bound, and it -> 0"
)
def loss() -> bool:
    finite = sp.Symbol("finite", positive=True)
    cost = (V - 1) * sp.exp(-R) + lam * (finite + nu * R)
    bound = cost.subs(R, sp.log(1 / lam))
    stated = lam * (V - 1 + finite + nu * sp.log(1 / lam))
    return is_zero(sp.expand(bound - stated)) and sp.limit(bound, lam, 0, "+") == 0


@statement.proves(
    "the excess is at least sum_j pi_j KL(p_j || q_j) (bias/split) and KL >= sum (sqrt p - sqrt q)^2, token by token "
    "with -log r >= 2 (1 - sqrt r): so q_j -> p_j, log-odds of q_j, which P L_lambda holds, too, and P L_lambda -> L_in"
)
def finite_part() -> bool:
    p, q, r = sp.symbols("p q r", positive=True)
    termwise = 2 * p * (1 - sp.sqrt(q / p))
    # the sums of p and of q are 1, so p - q may be added to every term
    hellinger = is_zero(sp.expand(termwise - (p - q) - (sp.sqrt(p) - sp.sqrt(q)) ** 2))
    gap = -sp.log(r) - 2 * (1 - sp.sqrt(r))
    slope = is_zero(sp.diff(gap, r) - (sp.sqrt(r) - 1) / r)  # falls to r = 1, rises after: least value gap(1) = 0
    return hellinger and slope and gap.subs(r, 1) == 0


@statement.proves(
    "lower bound: the excess is at least pi s_v >= pi (1 - eps) q_z e^-(l_z - l_v), with s_v <= eps <= -log(1 - eps); "
    "q_z -> p_z and P L_lambda stays bounded, so it is at least c e^-g, g the least margin of L_lambda - P L_lambda"
)
def lower() -> bool:
    eps = sp.Symbol("eps", positive=True)
    z, v, on, rest = sp.symbols("l_z l_v on rest", positive=True)
    off = sp.exp(v) + rest
    s_v, q_z, mass = sp.exp(v) / (on + off), sp.exp(z) / on, off / (on + off)
    softmax = is_zero(s_v - (1 - mass) * q_z * sp.exp(-(z - v)))
    tail = is_zero(sp.diff(-sp.log(1 - eps) - eps, eps) - eps / (1 - eps))
    return softmax and is_zero(mass - s_v - rest / (on + off)) and tail


@statement.proves(
    "norm: let R give the genie the loss of L_lambda, e^-R = (CE(L_lambda) - H) / (V - 1), so R -> oo; L_lambda costs "
    "no more, so ||L_lambda||_* <= ||L_in||_* + R nu"
)
def norm() -> bool:
    excess, finite = sp.symbols("excess finite", positive=True)
    radius = sp.log((V - 1) / excess)
    genie_cost = (V - 1) * sp.exp(-radius) + lam * (finite + nu * radius)
    room = sp.expand((genie_cost - excess) / lam)
    return is_zero(room - finite - nu * radius) and sp.limit(radius.subs(V, 1 + C), excess, 0, "+") == sp.oo


@statement.proves(
    "margin: (V - 1) e^-R >= c e^-g gives g >= R - K1, and the norm of L_lambda - P L_lambda is at most R nu + K2: the "
    "ratio tends to 1 / nu, and no logits that are equal on the supports have a ratio above 1 / nu"
)
def margin() -> bool:
    c, K1, K2, g, size = sp.symbols("c K1 K2 g size", positive=True)
    least = sp.solve(sp.Eq(sp.log(V - 1) - R, sp.log(c) - g), g)[0]
    constant = is_zero(least - (R - sp.log(V - 1) + sp.log(c)))
    # logits of margin g and norm `size`, divided by g, are feasible: size / g >= nu
    best = sp.solve(sp.Eq(size / g, nu), g)[0] / size
    return bool(constant and sp.limit((R - K1) / (R * nu + K2), R, sp.oo) == 1 / nu and best == 1 / nu)


@statement.confirms(
    "one context, V = 2: L = x (1, -1), in closed form", instances="x / log(1 / lambda) -> 1 / 2 = L_mm"
)
def closed_form() -> bool:
    x = sp.Symbol("x", real=True)
    slope = sp.diff(sp.log(1 + sp.exp(-2 * x)) + lam * sp.sqrt(2) * x, x)
    at = sp.log(sp.sqrt(2) / lam - 1) / 2
    return is_zero(slope.subs(x, at)) and sp.limit(at / sp.log(1 / lam), lam, 0, "+") == sp.Rational(1, 2)
