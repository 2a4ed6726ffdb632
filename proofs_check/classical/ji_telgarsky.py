"""On binary data of any kind the direction of gradient descent is O(log log k / log k) off, the finite part less.

Two tokens, any contexts and probabilities, step 0 < eta < 2/L, any start. With F', W*, W_mm of `bias/any-data`:

    |P_F' W_k - W*| = O(log k / sqrt k), hence O(log^2 k / sqrt k),
    |W_k/|W_k| - W_mm/|W_mm|| = O(log log k / log k) if something diverges.

Proof. The first from the rate of the loss, C log^2 k / k, and strong convexity of CE' near W*. The second as in
`classical/soudry`, along U_k = W* + W_mm log k + w log log k + X + v/k: contexts where both tokens stay possible have
logits that move in F' alone, the others are one-hot; v makes the pull of the latter on F' vanish to first order.

Recalled from Ji and Telgarsky (abstract); proved here.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "classical/ji-telgarsky",
    source="1803.07300",
    verdict="proved",
    needs=["bias/any-data", "classical/soudry", "classical/path-equals-gd"],
    known=[
        "Farkas' lemma, as in classical/soudry",
        "near a minimum where the Hessian is positive definite a smooth function is strongly convex",
        "Taylor's theorem",
    ],
)

k, s, eta, mu, C = sp.symbols("k s eta mu C", positive=True)
x = sp.Symbol("x", nonnegative=True)  # 1/k


@statement.proves(
    "CE(W_k) <= CE(U) + (|W_0 - U|^2 + c)/(2 eta k), U = W* + W_mm log k: excess over inf CE is O(log^2 k / k)"
)
def rate() -> bool:
    c1, c2, c3 = sp.symbols("c1:4", positive=True)
    bound = C / k + (c1 + c2 * sp.log(k) + c3 * sp.log(k) ** 2) / (2 * eta * k)
    return is_zero(sp.limit(bound * k / sp.log(k) ** 2, k, sp.oo) - c3 / (2 * eta))


@statement.proves("mu/2 |P_F' W_k - W*|^2 is at most that: O(log k / sqrt k), which over log^2 k / sqrt k tends to 0")
def finite_part() -> bool:
    distance = sp.symbols("distance", positive=True)
    found = sp.solve(sp.Eq(mu / 2 * distance**2, C * sp.log(k) ** 2 / k), distance**2)[0]
    exact = is_zero(found - (sp.sqrt(2 * C / mu) * sp.log(k) / sp.sqrt(k)) ** 2)
    return exact and bool(sp.limit((sp.log(k) / sp.sqrt(k)) / (sp.log(k) ** 2 / sp.sqrt(k)), k, sp.oo) == 0)


@statement.proves("both tokens possible: the logistic gradient at W* + v/k is its value at W* + H v/k + O(k^-2)")
def inside() -> bool:
    logit, move, p = sp.symbols("l d p", real=True)
    sigmoid = 1 / (1 + sp.exp(-(logit + x * move)))
    slope = is_zero(sp.diff(sigmoid - p, x) - sigmoid * (1 - sigmoid) * move)
    # the second derivative is at most d^2 in size, so the rest is at most d^2 x^2 / 2
    second = is_zero(sp.diff(sigmoid, x, 2) - sigmoid * (1 - sigmoid) * (1 - 2 * sigmoid) * move**2)
    return slope and second


@statement.proves(
    "eta H v = P_F' sum alpha a_i cancels the pull of the others, sum alpha a_i / k, on F'; W_mm / k is left"
)
def balance() -> bool:
    force_f, force_off, moved = sp.symbols("force_F force_off H_v", real=True)
    value = sp.solve(sp.Eq(-eta * moved + force_f, 0), moved)[0]  # H v
    left = (force_f + force_off) * x - eta * value * x
    return is_zero(left - force_off * x)


@statement.proves("one-hot contexts: a factor e^(d/k) = 1 + O(1/k) from v changes eta pi softmax = alpha/k by O(k^-2)")
def others() -> bool:
    alpha, p = sp.symbols("alpha p", positive=True)
    d = sp.Symbol("d", real=True)
    odds = alpha * x / (eta * p) * sp.exp(d * x)
    rest = eta * p * odds / (1 + odds) - alpha * x
    return is_zero(rest.subs(x, 0)) and is_zero(sp.diff(rest, x).subs(x, 0))


@statement.proves(
    "U misses a step by O(1/(k log k)), v/k - v/(k+1) = O(k^-2): log log k in total, over |W_k| the claim"
)
def direction() -> bool:
    move = sp.limit(k**2 * (1 / k - 1 / (k + 1)), k, sp.oo)
    total = is_zero(sp.diff(sp.log(sp.log(k)), k) - 1 / (k * sp.log(k)))
    N = sp.Symbol("N", positive=True)
    off = 2 * C * sp.log(s) / (N * s - C * sp.log(s))  # s = log k, |rho| <= C log s
    return bool(move == 1) and total and is_zero(sp.limit(off * s / sp.log(s), s, sp.oo) - 2 * C / N)
