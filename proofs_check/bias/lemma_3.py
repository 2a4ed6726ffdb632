"""Gradient descent diverges, ||W_k|| -> infinity, if the data is compatible and NTP-separable (without: erratum E3).

With CE(W_k) - H <= r_k -> 0 from `bias/lemma-2`, n training sequences, V tokens, M = sqrt(2) max ||h_j||:

    ||W_k||  >=  log((1/(n r_k) - 1)/(V - 1)) / M.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/lemma-3", source="2402.18551 Lemma 3", verdict="proved", needs=["bias/lemma-2", "bias/split"]
)

B, M, n, r = sp.symbols("B M n r", positive=True)
V = sp.Symbol("V", integer=True, positive=True)
RADIUS = sp.log((1 / (n * r) - 1) / (V - 1)) / M


@statement.proves(
    "logits of one context differ by at most sqrt(2) ||h|| ||W|| <= M B: Cauchy-Schwarz by Lagrange's identity, "
    "two entries at a time"
)
def logit_gap() -> bool:
    a, b, c, d = sp.symbols("a b c d", real=True)
    lagrange = sp.expand((a**2 + b**2) * (c**2 + d**2) - (a * c + b * d) ** 2 - (a * d - b * c) ** 2)
    return bool(lagrange == 0 and sp.sqrt(1**2 + (-1) ** 2) == sp.sqrt(2))  # ||e_u - e_v||


@statement.proves("so an off-support token v has 1/s_v = 1 + sum_u e^(l_u - l_v) <= 1 + (V-1) e^(M B)")
def mass() -> bool:
    u = sp.Symbol("u", integer=True)
    gap = sp.Symbol("gap", nonnegative=True)  # M B - (l_u - l_v)
    total = sp.Sum(sp.exp(M * B), (u, 1, V - 1)).doit()
    return nonnegative_from_zero(1 - sp.exp(-gap), gap) and is_zero(total - (V - 1) * sp.exp(M * B))


@statement.proves("r >= CE - H >= pi_j (-log(1 - eps_j)) >= s_v/n, as -log(1 - x) >= x and pi_j >= 1/n")
def excess() -> bool:
    e, more = sp.symbols("e more", nonnegative=True)
    # x = e/(1 + e): -log(1 - x) = log(1 + e)
    return nonnegative_from_zero(sp.log(1 + e) - e / (1 + e), e) and bool(
        ((1 / n + more) * e - e / n).expand().is_nonnegative
    )


@statement.proves(
    "n r (1 + (V-1) e^(M B)) = 1 at B = RADIUS, and the left-hand side grows with B: so ||W_k|| >= RADIUS"
)
def solved() -> bool:
    left = n * r * (1 + (V - 1) * sp.exp(M * B))
    others = sp.Symbol("others", positive=True)  # V - 1
    return is_zero(left.subs(B, RADIUS) - 1) and bool(sp.diff(left.subs(V, 1 + others), B).is_positive)


@statement.proves("RADIUS tends to infinity as r -> 0, that is q = 1/(n r) -> infinity")
def limit() -> bool:
    q, others = sp.symbols("q others", positive=True)
    return bool(sp.limit(RADIUS.subs(r, 1 / (n * q)).subs(V, 1 + others), q, sp.oo) == sp.oo)
