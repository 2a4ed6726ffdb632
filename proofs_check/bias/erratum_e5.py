"""Printed: one term of a divergence bounds it from below, CE - H >= pi_j p_z log(p_z e^a), a = l_z' - l_z. It does not.

Summands of a divergence can be negative. With p = (0.9, 0.1) and a = 6 the divergence is 5.077..., below the printed
5.305.... Repaired: with 1/e subtracted the bound holds, for every context and every pair of in-support tokens,

    KL(p || q)  >=  p_z log(p_z e^a) - 1/e,

which still tends to infinity with a, as the proof of Theorem 1, case (i), needs.
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.intervals import interval
from ..statement import Statement

statement = Statement(
    "bias/erratum-E5",
    source="2402.18551 Eq. (30)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/split"],
)

p, a, x = sp.symbols("p a x", positive=True)


@statement.refutes("p = (9/10, 1/10), a = 6: the divergence lies below the printed bound, in interval arithmetic")
def counterexample() -> bool:
    nine, six = interval("0.9"), interval(6)
    # softmax of two logits that differ by a: q = (1 / (1 + e^a), 1 / (1 + e^-a))
    divergence = nine * iv.log(nine * (1 + iv.exp(six))) + (1 - nine) * iv.log((1 - nine) * (1 + iv.exp(-six)))
    printed = nine * iv.log(nine * iv.exp(six))
    return bool(divergence.b < printed.a) and bool(5.077 <= divergence.a < divergence.b <= 5.078)


@statement.proves("two tokens: KL - p log(p e^a) = log(1 + e^-a) + (1 - p) log(1 - p)")
def gap() -> bool:
    kl = p * (sp.log(p) + sp.log(1 + sp.exp(a))) + (1 - p) * (sp.log(1 - p) + sp.log(1 + sp.exp(-a)))
    claimed = sp.log(1 + sp.exp(-a)) + (1 - p) * sp.log(1 - p)
    # log(1 + e^a) = a + log(1 + e^-a)
    kl = kl.subs(sp.log(1 + sp.exp(a)), a + sp.log(1 + sp.exp(-a)))
    split = is_zero(sp.exp(a) * (1 + sp.exp(-a)) - (1 + sp.exp(a)))
    return split and is_zero(sp.expand(kl - p * (sp.log(p) + a) - claimed))


@statement.proves("x log x >= -1/e for x > 0: its one stationary point is 1/e, where the second derivative is positive")
def least_value() -> bool:
    f = x * sp.log(x)
    points = sp.solve(sp.diff(f, x), x)
    return bool(points == [sp.exp(-1)] and f.subs(x, points[0]) == -sp.exp(-1) and sp.diff(f, x, 2) == 1 / x)


@statement.proves(
    "more tokens: merging all but z into one lowers a divergence (log-sum inequality, two terms at a time)"
)
def merging() -> bool:
    # g(s) = sum of two terms minus the merged term, on the segment where both q keep their sum: convex, least value 0
    r, s, u, v = sp.symbols("r s u v", positive=True)
    terms = r * sp.log(r / u) + s * sp.log(s / v) - (r + s) * sp.log((r + s) / (u + v))
    slope = sp.simplify(sp.diff(terms, u))
    curvature = sp.factor(slope)
    zero = sp.simplify(terms.subs(u, v * r / s))
    return is_zero(curvature - (s * u - r * v) / (u * (u + v))) and is_zero(sp.expand_log(zero, force=True))


@statement.proves(
    "merged: q_z <= 1 / (1 + e^a) because z' is among the others, so KL >= p log(p e^a) + (1 - p) log(1 - p)"
)
def others() -> bool:
    # KL of the merged pair is -p log q - (1 - p) log(1 - q) + ..., and -log(1 - q) >= 0, -log q >= log(1 + e^a) >= a
    rest = sp.Symbol("rest", positive=True)
    q = 1 / (1 + sp.exp(a) + rest)
    return is_zero(1 / q - sp.exp(a) - (1 + rest)) and (1 + rest).is_positive is True
