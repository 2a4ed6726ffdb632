"""With N = K / (4 TV^2) samples the chi-square statistic of K outcomes has about doubled under a law at distance TV.

The statistic sum_k (O_k - N p_k)^2 / (N p_k) has mean K - 1 under p. Under q its mean is

    sum_k q_k (1 - q_k) / p_k  +  N sum_k (q_k - p_k)^2 / p_k,

and the last sum is at least 4 TV^2, with equality for p uniform and |q - p| the same everywhere. So a shift by the
number K of outcomes, in the least favourable case, takes K / (4 TV^2) samples: 6400 for K = 64 and TV = .05, and 16
million for TV = .001. (The spread of the statistic is of order sqrt(2 K), so for large K a test may need fewer.)
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("speculative/chi-square", source="derived", verdict="proved")

k, K = sp.symbols("k K", integer=True, positive=True)
N, tv = sp.symbols("N TV", positive=True)


def needed(outcomes: sp.Expr, variation: sp.Expr) -> sp.Expr:
    return outcomes / (4 * variation**2)


@statement.proves(
    "the mean of a summand: E[(O - N p)^2] = N q (1 - q) + N^2 (q - p)^2, from E[O^2] = N q + N (N - 1) q^2"
)
def summand() -> bool:
    p, q = sp.symbols("p q", positive=True)
    square = N * q + N * (N - 1) * q**2 - 2 * N * p * N * q + (N * p) ** 2
    return is_zero(square / (N * p) - (q * (1 - q) / p + N * (q - p) ** 2 / p)) and is_zero(
        (square / (N * p)).subs(q, p) - (1 - p)
    )


@statement.proves("under p the mean is sum (1 - p_k) = K - 1")
def under_p() -> bool:
    p = sp.IndexedBase("p")
    return bool(split(sp.Sum(1 - p[k], (k, 1, K))).subs(sp.Sum(p[k], (k, 1, K)), 1) == K - 1)


@statement.proves("sum d^2 / p - (2 TV)^2 = sum p (|d| / p - 2 TV)^2 >= 0, where 2 TV = sum |d| and sum p = 1")
def least_shift() -> bool:
    p, d = sp.IndexedBase("p"), sp.IndexedBase("d")  # d stands for |q - p|
    spread = split(sp.Sum(sp.expand(p[k] * (d[k] / p[k] - 2 * tv) ** 2), (k, 1, K)))
    spread = spread.subs({sp.Sum(p[k], (k, 1, K)): 1, sp.Sum(d[k], (k, 1, K)): 2 * tv})
    return bool(sp.expand(spread - (sp.Sum(d[k] ** 2 / p[k], (k, 1, K)) - 4 * tv**2)) == 0)


@statement.proves("uniform p, |q - p| = 2 TV / K everywhere: the shift is N 4 TV^2, which is K at N = K / (4 TV^2)")
def least_favourable() -> bool:
    shift = N * K * (2 * tv / K) ** 2 / (1 / K)
    return is_zero(shift - 4 * N * tv**2) and is_zero(shift.subs(N, needed(K, tv)) - K)


@statement.proves("64 outcomes: 6400 samples for TV = .05 and 16 million for TV = .001")
def numbers() -> bool:
    return bool(needed(64, sp.Rational(5, 100)) == 6400 and needed(64, sp.Rational(1, 1000)) == 16 * 10**6)
