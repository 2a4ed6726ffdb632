"""Gradient descent on separable one-hot data follows the max-margin direction like log k, up to a bounded matrix.

Cross-entropy of m one-hot contexts that some W separates, step 0 < eta < 2/L, any start; a_i = (e_y - e_v) h_j^T, y the
label of context j, and W_mm = sum alpha_i a_i the shortest W with <a_i, W> >= 1 for all i = (j, v), alpha_i >= 0.

(1) W_k = W_mm log k + rho_k. rho_k is bounded if there are multipliers with alpha_i > 0 for all active constraints;
    otherwise |rho_k| = O(log log k).
(2) Bounded: the loss is of order 1/k exactly, |W_k| ~ |W_mm| log k, margin and direction are O(1/log k) off and 1 - cos
    is O(1/log^2 k). Otherwise: O(log log k / log k) for margin and direction.

Proof of (1). A step of descent does not expand distances; the curve U_k = W_mm log k + w log log k + X misses it by
O(1/(k log k)), and by O(k^-(1 + theta)), theta > 0, if w = 0. Multipliers need not be unique: call an active constraint
tied if some choice has alpha_i > 0; a mean of such choices is positive at all tied ones. X is where the Phi of
`bias/offset` over the tied ones is least: there eta pi_j exp(-<a_i, X>) =: alpha_i are multipliers again, so that
exp(-<a_i, U_k>) = alpha_i / (eta pi_j k). w leaves the margins of tied constraints and raises those of the other active
ones: by linear duality (Farkas) there is such a w.

Recalled from Soudry et al., who allow other losses with an exponential tail; this form is proved here.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "classical/soudry",
    source="1710.10345",
    verdict="proved",
    needs=["bias/definition-3", "bias/offset", "bias/one-hot", "bias/smoothness"],
    known=[
        "Farkas' lemma and KKT conditions for linear constraints",
        "gradients differ by the mean Hessian of the segment",
        "the norm of a symmetric matrix is its largest absolute eigenvalue",
        "sums of decreasing terms are bounded by integrals",
    ],
)

k, s, eta, p, alpha, beta, c, theta = sp.symbols("k s eta p alpha beta c theta", positive=True)  # s = log k
N, C = sp.symbols("N C", positive=True)  # |W_mm|, a bound


@statement.proves("0 <= h <= L, 0 < eta < 2/L: |1 - eta h| <= 1, the spectrum of a mean Hessian: steps do not expand")
def nonexpansive() -> bool:
    u, w = sp.symbols("u w", nonnegative=True)  # h = L u/(1+u), eta = (2/L) w/(1+w)
    factor = 1 - 2 * u / (1 + u) * w / (1 + w)
    return bool(sp.factor(1 - factor).is_nonnegative) and bool(sp.factor(1 + factor).is_nonnegative)


@statement.proves("minus the gradient of a context is pi_j sum_v softmax_v (e_y - e_v) h_j^T, for any number of tokens")
def pulls() -> bool:
    v, V = sp.symbols("v V", integer=True, positive=True)
    e, share, label = sp.IndexedBase("e"), sp.IndexedBase("s"), sp.Symbol("e_y")
    total = split(sp.Sum(share[v] * (label - e[v]), (v, 1, V))).subs(sp.Sum(share[v], (v, 1, V)), 1)
    return is_zero(total - (label - sp.Sum(share[v] * e[v], (v, 1, V))))  # e_y - softmax


@statement.proves("with eta pi e^-<a_i, X> = alpha_i where Phi is least: grad Phi = 0 says sum alpha_i a_i = W_mm")
def offset() -> bool:
    coordinate, a, rest, decoder = sp.symbols("X_r a_r rest w_r", real=True)  # one coordinate, one term of the sum
    force = eta * p * sp.exp(-(a * coordinate + rest))
    return is_zero(sp.diff(force + decoder * coordinate, coordinate) - (decoder - force * a))


@statement.proves("<w, W_mm> = sum alpha <a_i, w> = 0 with all <a_i, w> >= 0 at active ones: w is 0 where alpha > 0")
def second_direction() -> bool:
    margin, others = sp.Symbol("margin", positive=True), sp.Symbol("others", nonnegative=True)
    return bool((alpha * margin + others).is_positive)  # so no margin with alpha > 0 can be positive


@statement.proves(
    "at U_k eta pi softmax_v is alpha/k + O(k^-2) with multiplier, O(1/(k log k)) active without, else O(k^-1-theta)"
)
def forces() -> bool:
    # odds: x alpha/(eta p), others of this kind x beta; active without multiplier x c e^-t, t = <a_i, w> log log k with
    # <a_i, w> >= 1, so e^-t <= 1/log k = y; inactive x^(1+theta) up to powers of the logarithm: x z
    x, y, z = sp.symbols("x y z", nonnegative=True)
    total = x * alpha / (eta * p) + x * beta + x * y * c + x * z
    first = eta * p * (x * alpha / (eta * p)) / (1 + total) - alpha * x
    others = [eta * p * x * c / (1 + total), eta * p * x / (1 + total)]  # times y, and times z
    orders = [sp.cancel(first / x**2), *(sp.cancel(term / x) for term in others)]
    power = sp.Symbol("power", positive=True)
    powers = sp.limit(s**power * sp.exp(-theta * s), s, sp.oo)  # (log k)^power k^-theta
    return all(sp.denom(term).subs({x: 0, y: 0, z: 0}) != 0 for term in orders) and bool(powers == 0)


@statement.proves(
    "U moves by W_mm/k + O(k^-2) + w O(1/(k log k)): what sum alpha a_i / k = W_mm/k does not cancel is that"
)
def increments() -> bool:
    first = sp.limit(k**2 * (sp.log(1 + 1 / k) - 1 / k), k, sp.oo)
    # log log(k+1) - log log k <= its derivative at k, which falls
    slope = sp.diff(sp.log(sp.log(k)), k)
    falls = sp.factor(sp.diff(slope, k) + (1 + sp.log(k)) / (k**2 * sp.log(k) ** 2))
    return bool(first == -sp.Rational(1, 2)) and is_zero(slope - 1 / (k * sp.log(k))) and is_zero(falls)


@statement.proves("(1) the misses add up: k^-(1 + theta) to 1 + 1/theta at most, 1/(k log k) to log log k + C")
def sums() -> bool:
    bounded = sp.integrate(k ** (-1 - theta), (k, 1, sp.oo))
    return is_zero(bounded - 1 / theta) and is_zero(sp.diff(sp.log(sp.log(k)), k) - 1 / (k * sp.log(k)))


@statement.proves(
    "(2) active margins are log k + O(1): k times the loss, a sum of log(1 + odds), stays between constants"
)
def loss() -> bool:
    odds = sp.exp(-s) * c
    return is_zero(sp.limit(sp.log(1 + odds) * sp.exp(s), s, sp.oo) - c)


@statement.proves("(2) |W/|W| - W_mm/N| <= 2 |rho|/|W| and 1 - cos is half its square; |W|/log k -> N")
def direction() -> bool:
    # |W/|W| - u| <= |W - N s u|/|W| + |N s - |W||/|W|, both at most |rho|/|W|
    off = 2 * C / (N * s - C)
    cosine = sp.Symbol("cos", real=True)
    half = is_zero((2 - 2 * cosine) / 2 - (1 - cosine))
    return half and is_zero(sp.limit(off * s, s, sp.oo) - 2 * C / N) and bool(sp.limit((N * s + C) / s, s, sp.oo) == N)


@statement.proves(
    "(2) the margin (s - C)/(N s + C) is within O(1/s) of 1/N; with C log s in place of C, within O(log s / s)"
)
def margin() -> bool:
    bounded = 1 / N - (s - C) / (N * s + C)
    slower = bounded.subs(C, C * sp.log(s))
    constant = C / N + C / N**2
    return is_zero(sp.limit(bounded * s, s, sp.oo) - constant) and is_zero(
        sp.limit(slower * s / sp.log(s), s, sp.oo) - constant
    )
