"""The unnormalised margin grows with the steps, once the loss is small.

    min_{i, c != y_i} (e_{y_i} - e_c)^T W_t h_i  >=  sum_{s=r}^{t-1} (gamma eta_s G_s / L_s - alpha eta_s^2)

where L_r and L_t are at most log 2 / n (no step raises L when eta_s <= 1/alpha_{s1}). The constant alpha_{s2} is not
in our notes of the source; alpha = gamma alpha_{s1} = 2 B^2 e^{2 B eta_0} is derived here. The proof takes from descent
only L_{s+1} <= L_s - gamma eta_s G_s + alpha eta_s^2 G_s, so it holds with any alpha for which that does. The bound
even has log(log 2 / (n L_r)) >= 0 added.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "steepest/lemma-5",
    source="2502.04664 Lemma 5; constant derived",
    verdict="proved",
    needs=["steepest/descent", "steepest/lemma-3"],
    known=["a concave function lies above its chords"],
)

gamma, alpha, eta, level, n = sp.symbols("gamma alpha eta L n", positive=True)
x, slack = sp.symbols("x r", nonnegative=True)
g = sp.Symbol("g", nonnegative=True)  # G/L, at most 1 by Lemma 3 (ii)


@statement.proves(
    "alpha = gamma alpha_{s1} = 2 B^2 e^{2 B eta_0} turns (9) into L_{s+1} <= L_s - gamma eta G + alpha eta^2 G"
)
def constant() -> bool:
    size, first, proxy = sp.symbols("B eta_0 G", positive=True)
    alpha_s1 = 2 * size**2 * sp.exp(2 * size * first) / gamma
    nine = level - gamma * eta * (1 - alpha_s1 * eta) * proxy
    value = 2 * size**2 * sp.exp(2 * size * first)
    return bool(sp.expand(nine - (level - gamma * eta * proxy + value * eta**2 * proxy)) == 0)


@statement.proves(
    "a step: L (1 - gamma eta g + alpha eta^2 g) <= L (1 - u), u = gamma eta g - alpha eta^2, as g = G/L <= 1"
)
def one_step() -> bool:
    share = sp.Symbol("h", nonnegative=True)  # g = 1 - h
    after = level * (1 - gamma * eta * (1 - share) + alpha * eta**2 * (1 - share))
    u = gamma * eta * (1 - share) - alpha * eta**2
    return bool(sp.expand(level * (1 - u) - after).is_nonnegative)


@statement.proves("1 - u <= e^{-u} for every real u, so L_t <= L_r e^{-U}, U = sum of u: exponents add up step by step")
def exponential() -> bool:
    for_positive = nonnegative_from_zero(sp.exp(-x) - 1 + x, x)
    for_negative = nonnegative_from_zero(sp.exp(x) - 1 - x, x)
    u, total = sp.symbols("u U", real=True)
    product = sp.simplify(level * sp.exp(-total) * sp.exp(-u) - level * sp.exp(-(total + u)))
    return bool(for_positive and for_negative and product == 0)


@statement.proves(
    "steps eta_s = 1/alpha_{s1} - r do not raise L: the fall gamma eta (1 - alpha_{s1} eta) G is at least 0"
)
def falling() -> bool:
    alpha_s1, proxy = sp.symbols("alpha_s1 G", positive=True)
    fall = gamma * eta * (1 - alpha_s1 * (1 / alpha_s1 - slack)) * proxy
    return bool(sp.simplify(fall).is_nonnegative)


@statement.proves(
    "a margin m has log(1 + e^-m) <= l_i <= n L: l_i = log(1 + e^-m + other odds), and n L is a sum of such terms"
)
def margin_of_loss() -> bool:
    margin = sp.Symbol("m", real=True)
    odds, rest, loss = sp.symbols("o rest l", nonnegative=True)
    gap = sp.exp(sp.log(1 + sp.exp(-margin) + odds)) - sp.exp(sp.log(1 + sp.exp(-margin)))
    return bool(gap.is_nonnegative and sp.expand(n * ((loss + rest) / n) - loss).is_nonnegative)


@statement.proves("e^z - 1 <= z / log 2 on [0, log 2]: the difference is concave, and 0 at both ends")
def chord() -> bool:
    z = sp.Symbol("z", real=True)
    gap = z / sp.log(2) - (sp.exp(z) - 1)
    return bool(gap.subs(z, 0) == 0 and gap.subs(z, sp.log(2)) == 0 and sp.diff(gap, z, 2).is_negative)


@statement.proves(
    "so e^-m <= e^{nL} - 1 <= n L / log 2, and m >= log(log 2 / (n L_t)) >= U for L_t = L_r e^{-U}, n L_r <= log 2"
)
def margin() -> bool:
    total = sp.Symbol("U", real=True)
    start = sp.log(2) / n * sp.exp(-slack)  # n L_r = log 2 e^{-r}, r >= 0
    bound = sp.log(2) / (n * start * sp.exp(-total))
    more = sp.exp(total + slack) - sp.exp(total)
    return bool(sp.simplify(bound - sp.exp(total + slack)) == 0) and nonnegative_from_zero(more, slack)


@statement.proves(
    "the last bound needs a small loss: one sample of two tokens with L = 2 log 2 has e^-m = 3 > L / log 2 = 2"
)
def needs_a_small_loss() -> bool:
    level_now = 2 * sp.log(2)  # n = 1, so e^-m = e^{L} - 1 exactly
    odds = sp.exp(level_now) - 1
    return bool(odds == 3 and odds > level_now / sp.log(2))
