"""Gradient descent whose steps grow as the loss falls closes the margin like 1/t, with an explicit constant.

Exponential loss L(w) = sum_{i <= n} exp(-<x_i, w>), |x_i| <= 1, <x_i, u> >= gamma > 0 for a unit u; w_0 = 0 and
w_(t+1) = w_t - (theta / L) grad L with 0 < theta <= 1. Then for every T >= 1

    min_i <x_i, w_T> / |w_T|  >=  gamma - (log n + 1/2) / (theta gamma T).

Proof. psi(p) = log sum exp p at p_i = -<x_i, w>, q = grad psi(p), g = sum q_i x_i, so that w moves by theta g and p by
-theta <x_i, g>. psi falls by at least theta (|g_t|^2 + |g_(t+1)|^2)/2 a step. The recalled statement adds that the
direction is O(1/t) off as well, and that O(log n / log t) is tight for constant steps.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "classical/primal-dual",
    source="1906.04540; constant derived",
    verdict="open: source incomplete",
    missing=(
        "the conditions of the rate 1/t of the direction (with an active constraint of multiplier 0 it is log t / t), "
        "and in which sense O(log n / log t) is tight. The rate of the margin is proved here in full"
    ),
    known=["Cauchy-Schwarz", "the triangle inequality"],
)

theta, gamma, G, T, n = sp.symbols("theta gamma G T n", positive=True)


@statement.proves("psi(p) - psi(p') = <q', p - p'> + KL(q' || q), where log q_i = p_i - psi: any number of points")
def bregman() -> bool:
    q, p, old, psi, new = sp.symbols("q' p p' psi psi'", real=True)
    term = q * ((old - new) - (p - psi))  # q' log(q'/q), q' sums to 1 over the points
    return is_zero(sp.expand(term - q * (old - p)) - q * (psi - new))


@statement.proves("KL >= |q' - q|_1^2 / 2 (Pinsker): two outcomes by two derivatives, and merging lowers a divergence")
def pinsker() -> bool:
    a, b, r, s, u, v = sp.symbols("a b r s u v", positive=True)
    kl = a * sp.log(a / b) + (1 - a) * sp.log((1 - a) / (1 - b)) - 2 * (a - b) ** 2
    slope = sp.diff(kl, b)  # (b - a)(1/(b(1-b)) - 4), and 1/(b(1-b)) - 4 = (1 - 2b)^2/(b(1-b))
    two = is_zero(slope - (b - a) * (1 - 2 * b) ** 2 / (b * (1 - b))) and kl.subs(b, a) == 0
    # log-sum inequality: r log(r/u) + s log(s/v) - (r+s) log((r+s)/(u+v)) has least value 0 in u, at u s = r v
    terms = r * sp.log(r / u) + s * sp.log(s / v) - (r + s) * sp.log((r + s) / (u + v))
    merged = is_zero(sp.diff(terms, u) + (r * v - s * u) / (u * (u + v)))
    return two and merged and is_zero(sp.expand_log(sp.simplify(terms.subs(u, v * r / s)), force=True))


@statement.proves(
    "<q', p - p'> = theta <g', g> = theta (|g|^2 + |g'|^2 - |g' - g|^2)/2 and |g' - g| <= |q' - q|_1, theta <= 1"
)
def descent() -> bool:
    X, q, new = matrices("X q q'")  # rows x_i
    g, later = transpose(X) * q, transpose(X) * new
    move = theta * transpose(new) * X * g - theta * transpose(later) * g
    polar = (
        transpose(later) * g - (transpose(g) * g + transpose(later) * later - transpose(later - g) * (later - g)) / 2
    )
    rest = sp.Symbol("rest", nonnegative=True)  # theta = 1/(1 + rest)
    left = (1 - 1 / (1 + rest)) / 2  # what is left of KL, over |q' - q|_1^2
    return vanishes(move) and vanishes(polar, trace=True) and bool(sp.factor(left).is_nonnegative)


@statement.proves("summed: -psi_T >= -log n - theta/2 + theta sum_{t<T} |g_t|^2, as |g_0| <= 1 and psi_0 = log n")
def summed() -> bool:
    first, middle, last = sp.symbols("g0 middle gT", nonnegative=True)  # squares; the middle ones occur twice
    total = theta * (first + 2 * middle + last) / 2
    below = theta * (first + middle) - theta * first / 2
    points = sp.Symbol("n", integer=True, positive=True)
    start = sp.Sum(sp.exp(0), (sp.Symbol("i"), 1, points)).doit()  # e^psi at w = 0
    return sp.expand(total - below).is_nonnegative is True and bool(start == points)


@statement.proves("every margin is at least -psi; |w_T| <= theta sum |g_t|; |g_t| >= <g_t, u> >= gamma")
def lengths() -> bool:
    term, rest, weight, more = sp.symbols("term rest weight more", positive=True)
    margin = sp.expand((term + rest) - term).is_positive  # e^-margin is a term of e^psi
    along = sp.expand(weight * (gamma + more) - weight * gamma).is_positive  # q sums to 1
    return bool(margin) and bool(along)


@statement.proves(
    "sum |g|^2 >= gamma sum |g| =: gamma G >= gamma^2 T: the ratio is at least gamma - (log n + 1/2)/(theta gamma T)"
)
def ratio() -> bool:
    less = sp.Symbol("less", nonnegative=True)
    length = theta * G
    bound = (theta * gamma * G - sp.log(n) - sp.Rational(1, 2)) / length
    claimed = gamma - (sp.log(n) + sp.Rational(1, 2)) / (theta * gamma * T)
    exact = is_zero((bound - claimed).subs(G, gamma * T))
    rises = is_zero(sp.diff(bound, G) - (sp.log(n) + sp.Rational(1, 2)) / (theta * G**2))
    # a shorter w raises a positive ratio; a negative one is least at the shortest, |w| >= <w, u> >= theta gamma T
    shortest = (theta * gamma**2 * T - sp.log(n) - sp.Rational(1, 2)) / (theta * gamma * T)
    shorter = sp.factor(1 / length - 1 / (length + less)).is_nonnegative is True
    return exact and rises and shorter and is_zero(shortest - claimed)


@statement.confirms(
    "flow in time t of x' = q_1 + q_2 = 1: y + e^y = 1 + t, so that y, the error times |w|, grows like log t",
    instances="x_1 = (1, 0), x_2 = (1, 1), w = (x, y)",
)
def degenerate() -> bool:
    x, y = sp.symbols("x y", positive=True)
    terms = sp.exp(-x), sp.exp(-x - y)
    speed = terms[1] / sum(terms)  # y' = q_2
    return is_zero(sp.diff(y + sp.exp(y), y) * speed - 1) and bool(sp.limit(sp.log(y + sp.exp(y)) / y, y, sp.oo) == 1)
