"""Printed: gradient descent diverges, ||W_k|| -> infinity (Lemma 3). Not where the infimum of CE is attained.

With one context h = 1, two tokens and p = (3/4, 1/4), all steps from W_0 = 0 with step size up to 1 = 1/(2L)
stay within log(3)/sqrt(2) of 0. Repaired: if the data is compatible and NTP-separable,

    ||W_k||  >=  log((1/(n r_k) - 1) / (V - 1)) / M  ->  infinity,

where r_k >= CE(W_k) - H tends to 0 (`bias/lemma-2`), n is the number of training sequences, V that of tokens, and
M = sqrt(2) max ||h_j||.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/erratum-E3",
    source="2402.18551 Lemma 3",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/lemma-2", "bias/lemma-3", "bias/split"],
)

P = sp.Rational(3, 4)
x, eta = sp.symbols("x eta", positive=True)
sigma = 1 / (1 + sp.exp(-x))


@statement.refutes("W_k = (x_k, -x_k)/2 with x_{k+1} = g(x_k) = x_k + 2 eta (3/4 - sigma(x_k)), and g(log 3) = log 3")
def fixed_point() -> bool:
    w1, w2 = sp.symbols("w1 w2", real=True)
    loss = sp.log(sp.exp(w1) + sp.exp(w2)) - P * w1 - (1 - P) * w2
    slopes = [sp.diff(loss, w).subs({w1: x / 2, w2: -x / 2}) for w in (w1, w2)]
    steps = is_zero(-slopes[0] - (P - sigma)) and is_zero(slopes[0] + slopes[1])
    return steps and is_zero(sigma.subs(x, sp.log(3)) - P)


@statement.refutes("g increases for step sizes up to 1, and g(0) > 0, so 0 <= x_k <= log 3 for all k")
def trapped() -> bool:
    s = sp.Symbol("s", real=True)
    derivative = 1 + 2 * eta * sp.diff(P - sigma, x)
    # sigma' = s (1 - s) <= 1/4
    quarter = is_zero(sp.diff(sigma, x) - sigma * (1 - sigma)) and is_zero(
        sp.Rational(1, 4) - s * (1 - s) - (s - sp.Rational(1, 2)) ** 2
    )
    least = 1 - 2 * eta / 4
    follows = is_zero(derivative.subs(sp.diff(sigma, x), sp.Rational(1, 4)) - least)
    step = 1 - sp.Symbol("less", nonnegative=True)  # eta <= 1
    start = 2 * eta * (P - sigma.subs(x, 0))
    return quarter and follows and bool((least.subs(eta, step)).is_positive) and bool(start.is_positive)


@statement.proves(
    "||W|| <= B leaves a mass 1/(1 + (V-1) e^(M B)) to an off-support token, so r >= 1/(n (1 + (V-1) e^(M B))), "
    "solved for B"
)
def radius() -> bool:
    e = sp.Symbol("e", nonnegative=True)
    n, r, V, M = sp.symbols("n r V M", positive=True)
    bound = sp.log((1 / (n * r) - 1) / (V - 1)) / M
    solved = is_zero(1 / (n * (1 + (V - 1) * sp.exp(M * bound))) - r)
    # -log(1 - eps) with eps = e/(1 + e) is log(1 + e), and log(1 + e) >= e/(1 + e)
    return solved and nonnegative_from_zero(sp.log(1 + e) - e / (1 + e), e)


@statement.proves("that radius tends to infinity as r -> 0, that is q = 1/(n r) -> infinity")
def limit() -> bool:
    q, others, M = sp.symbols("q others M", positive=True)  # others = V - 1
    return bool(sp.limit(sp.log((q - 1) / others) / M, q, sp.oo) == sp.oo)
