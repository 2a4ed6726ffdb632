"""Momentum on the dual closes the margin like log t / t^2; normalised descent does so like 1/t, plain like 1/log t.

Exponential loss L, |x_i| <= 1, <x_i, u> >= gamma > 0 for a unit u; d_t = grad L(w_t) / L(w_t), w_0 = 0, g_(-1) = 0 and

    g_t = beta_t (g_(t-1) + d_t),   beta_t = t/(t+1),   w_(t+1) = w_t - theta (g_t + d_t),   theta = 1.

Recalled from Ji, Srebro and Telgarsky: the margin is gamma - O(log t / t^2); the algorithm is recalled only in outline.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "classical/dual-momentum",
    source="2107.00595",
    verdict="open: source incomplete",
    missing=(
        "the algorithm word for word and the accelerated bound: that the smoothed margin -log L falls short of "
        "gamma |w| by O(log t) only. Proved here: momentum is a weighted mean of all d_s, and |w_T| grows like T^2"
    ),
    needs=["classical/primal-dual", "classical/nacson", "classical/soudry"],
    known=["Cauchy-Schwarz"],
)

t, s, T = sp.symbols("t s T", integer=True, positive=True)
gamma = sp.Symbol("gamma", positive=True)


@statement.proves("(t + 1) g_t = t g_(t-1) + t d_t: so g_t = (1/(t + 1)) sum_{s <= t} s d_s")
def mean() -> bool:
    d = sp.IndexedBase("d")
    before = sp.Sum(s * d[s], (s, 1, t - 1)) / t  # g_(t-1)
    after = (sp.Sum(s * d[s], (s, 1, t - 1)) + t * d[t]) / (t + 1)
    first = d[1] / 2 - sp.Rational(1, 2) * (0 + d[1])  # t = 1, g_0 = 0
    return is_zero(after - t / (t + 1) * (before + d[t])) and is_zero(first)


@statement.proves("<-d_s, u> >= gamma, so a step goes at least gamma (1 + t/2) along u, and |w_T| >= gamma T (T + 3)/4")
def growth() -> bool:
    weights = sp.summation(s, (s, 1, t)) / (t + 1)  # of the mean
    total = sp.summation(1 + t / 2, (t, 0, T - 1))
    return is_zero(sp.simplify(weights - t / 2)) and is_zero(sp.expand(total - T * (T + 3) / 4))


@statement.proves("-log L >= gamma |w| - C log T would give the margin gamma - O(log T / T^2)")
def rate() -> bool:
    C, x = sp.symbols("C x", positive=True)
    length = gamma * x * (x + 3) / 4
    return is_zero(sp.limit(C * sp.log(x) / length * x**2 / sp.log(x), x, sp.oo) - 4 * C / gamma)
