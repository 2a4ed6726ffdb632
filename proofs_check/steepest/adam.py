"""Adam without eps comes within O((d log t + n d) / t^{1/3}) of the best margin in the norm of the largest entry.

Entrywise, M_t = b1 M_{t-1} + (1 - b1) g_t, V_t = b2 V_{t-1} + (1 - b2) g_t^2 from 0, g_t = grad L(W_t), and
W_{t+1} = W_t - eta_t M_t / sqrt V_t; 0 < b1 <= b2 < 1; one-hot separable data; no entry of g_1 is 0. Our notes of the
source give neither step sizes nor proof. Shown: if a t^{-e} <= eta_t <= b t^{-e} never rises, 1/3 <= e <= 2/3, then
from some t on gamma - min margin(W_t) / ||W_t||_max <= K (n + log t) / t^{1/3}. K depends on gamma, B = max ||h_i||_1,
a, b, b1, b2, early losses and the least |entry of g_1|. Proof: M, sqrt V are within A_i O(eta_t) of g, |g| in entry i,
|g_i| <= A_i, sum A_i <= 2 B G (`steepest/theorem-2`, token by token), so (9) holds with another alpha, and Theorem 1's
phases follow. Entries of a step may exceed eta, but ||W_t||_max <= ||W_1||_max + sum eta + constant.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement(
    "steepest/adam",
    source="2502.04664",
    verdict="proved",
    needs=["steepest/theorem-1", "steepest/theorem-2", "steepest/lemma-3", "steepest/lemma-4", "steepest/descent"],
    known=["Cauchy-Schwarz and the triangle inequality for series; geometric series"],
)

b1, eta, x, gamma = sp.symbols("b1 eta x gamma", positive=True)
odds = sp.Symbol("o", positive=True)  # o / (1 + o) is any number in (0, 1)
share = odds / (1 + odds)
r, y = sp.symbols("r y", nonnegative=True)
k, s, N = sp.symbols("k s N", integer=True, positive=True)


@statement.proves(
    "|M| <= C sqrt V: Cauchy-Schwarz with the squares (1-b1)^2 b1^{2k} / ((1-b2) b2^k), whose series has a ratio"
    " b1^2/b2 < 1 and the sum C^2"
)
def bounded_steps() -> bool:
    below_one = sp.factor(share + r - share**2)  # b2 - b1^2 with b1 = o/(1+o), b2 = b1 + r
    a, v = sp.IndexedBase("a", real=True), sp.IndexedBase("v", real=True)
    lagrange = sp.expand((a[s] * v[k] - a[k] * v[s]) ** 2 - a[s] ** 2 * v[k] ** 2 - a[k] ** 2 * v[s] ** 2)
    return bool(below_one.is_positive and lagrange == -2 * a[s] * v[s] * a[k] * v[k])


@statement.proves(
    "the last k steps sum to at most k b T^{-e}/(1-e), T = t-1: s^{-e} <= (s^{1-e} - (s-1)^{1-e})/(1-e), telescoped,"
    " and (1-u)^{1-e} >= 1-u: entries of W move by C times that, so D_k <= k x, x = O(eta_t)"
)
def path() -> bool:
    # 1 - 1/s and 1 - u are e^{-y}, y >= 0; the first over s^{1-e}; slopes times e^y
    gap = (1 - sp.exp(-(1 - share) * y)) / (1 - share) - (1 - sp.exp(-y))
    slope = sp.simplify(sp.expand(sp.simplify(sp.diff(gap, y)) * sp.exp(y), power_exp=True))
    back = sp.exp(-(1 - share) * y) / sp.exp(-y) - 1
    return bool(gap.subs(y, 0) == 0) and all(nonnegative_from_zero(sp.simplify(f), y) for f in (slope, back))


@statement.proves(
    "|M - g| <= A (sum (1-b) b^k (e^{kx} - 1) + b^t), |sqrt V - |g|| <= A ((sum (1-b) b^k (e^{kx} - 1)^2)^{1/2} + b^t)"
    " (triangle inequality of the length with weights (1-b) b^k): both are A O(eta_t)"
)
def averages() -> bool:
    first = (1 - share) * (1 / (1 - share * sp.exp(x)) - 1 / (1 - share))
    square = (1 - share) * (1 / (1 - share * sp.exp(2 * x)) - 2 / (1 - share * sp.exp(x)) + 1 / (1 - share))
    root = sp.factor(share - share**2)  # the weights sum to z = 1 - b^t, and sqrt z >= z
    fades = sp.limit(x * sp.exp(-x * sp.log(1 + odds)), x, sp.oo) == 0  # t^e b^t <= t b^t, b = 1/(1 + o)
    limits = sp.limit(first / x, x, 0, "+") - odds, sp.limit(square / x**2, x, 0, "+") - odds - 2 * odds**2
    return bool(all(sp.simplify(gap) == 0 for gap in limits) and root.is_positive and fades)


@statement.proves(
    "an entry g > 0 with |M - g|, |sqrt V - g| <= h: g |M/sqrt V - 1| <= 4h if sqrt V >= g/2, else g < 2h and it is at"
    " most 2 (1 + C) h; summed, with h = A O(eta) and sum A <= 2 B G, at most kappa eta G"
)
def entry() -> bool:
    g, h, bound, more = sp.symbols("g h C z", positive=True)
    m, v = sp.symbols("m v", real=True)  # M = g + m, sqrt V = g + v
    exact = sp.simplify(g * ((g + m) / (g + v) - 1) - g * (m - v) / (g + v)) == 0
    near = sp.factor(4 * h - g * 2 * h / (g / 2 + r)).is_nonnegative  # |m - v| <= 2h, sqrt V = g/2 + r
    return bool(exact and near and sp.expand((1 + bound) * (2 * h - g).subs(h, g / 2 + more)).is_positive)  # near, far


@statement.proves(
    "so (9) holds with alpha = (2 B^2 C^2 e^{2BCb} + kappa)/gamma: gain (gamma - kappa eta) G, steps <= C eta"
)
def descent() -> bool:
    kappa, size, step, top, level, proxy = sp.symbols("kappa B C b L G", positive=True)
    smooth = 2 * size**2 * step**2 * sp.exp(2 * size * step * top)
    curvature = 4 * (eta * step * size) ** 2 * sp.exp(2 * size * step * top) * proxy  # at most: `steepest/descent`
    after = level - eta * (gamma - kappa * eta) * proxy + curvature / 2
    return bool(sp.expand(after - (level - gamma * eta * (1 - (smooth + kappa) / gamma * eta) * proxy)) == 0)


@statement.proves("M_t^2 <= (1-b1) sum b1^k g_{t-k}^2, as the weights W = 1 - b1^t < 1 make M^2 <= W times that")
def jensen() -> bool:
    weight, g, m = sp.IndexedBase("w", nonnegative=True), sp.IndexedBase("g", real=True), sp.Symbol("m", real=True)
    sums = [sp.Sum(weight[k] * g[k] ** power, (k, 1, N)) for power in range(3)]
    spread = sp.Sum(weight[k] * (g[k] - m) ** 2, (k, 1, N))  # at least 0 for every m
    whole, mean, square = sp.symbols("W M Q", positive=True)
    formula = split(spread - (sums[2] - 2 * m * sums[1] + m**2 * sums[0])) == 0
    least = sp.simplify((square - 2 * m * mean + m**2 * whole).subs(m, mean / whole) - (square - mean**2 / whole)) == 0
    weights = sp.factor(1 / whole - 1).subs(whole, share).simplify().is_positive  # M^2 <= M^2 / W for W < 1
    return bool(formula and least and weights)


@statement.proves(
    "(1-b2) sum b1^k g_{t-k}^2 = sum b1^k (V_{t-k} - b2 V_{t-k-1}) = V_t - (b2-b1) sum_{k>=1} b1^{k-1} V_{t-k};"
    " by x >= 1 + log x, M^2/V <= 1 + const (b1^{t-1} + sum b1^{k-1} (log V_t - log V_{t-k}))"
)
def telescoped() -> bool:
    b2, now, before, rest, q = sp.symbols("b2 V V' R q", positive=True)
    earlier = before - (b2 - b1) * rest  # the claim at t - 1, whose sum is R; its next is V' + b1 R
    step = sp.expand((now - b2 * before) + b1 * earlier - (now - (b2 - b1) * (before + b1 * rest))) == 0
    logs = nonnegative_from_zero(sp.exp(r) - 1 - r, r) and nonnegative_from_zero(sp.exp(-r) - 1 + r, r)
    level = (1 - b1) / (1 - b2) * (1 - (b2 - b1) * (1 - q) / (1 - b1))  # q = b1^{t-1}
    return bool(step and logs and sp.simplify(level - 1 - (b2 - b1) / (1 - b2) * q) == 0)


@statement.proves(
    "sum_t eta_t (log V_t - log V_{t-k}) <= sum_{s<=k} eta_s u_s, u = log 4B^2 - log V >= 0, as eta does not rise;"
    " u_s <= c + c's by V_s >= (1-b2) b2^{s-1} g_1^2, so its sum over k with b1^{k-1} is some 2C';"
    " so (sum eta |M|/sqrt V)^2 <= E sum eta M^2/V <= E (E + 2C') <= (E + C')^2, E = sum eta"
)
def abel() -> bool:
    step, u, drop = sp.symbols("eta_s u_s f", nonnegative=True)  # eta_{s+k} = eta_s - f
    moved = sp.expand(step * u - (step - drop) * u).is_nonnegative
    total, last = sp.Function("P"), sp.Symbol("T", integer=True, positive=True)  # P(n) = sum_{s<=n} eta_s u_s
    shifted, off = total(last - k) - (total(last) - total(k)), total(last) - total(last - k)  # off >= 0
    c, slope, q = sp.symbols("c c' q", positive=True)
    one = sp.diff(1 / (1 - q), q)  # sum k q^{k-1}; sum k^2 q^{k-1} is the next
    series = (c * one + slope * sp.diff(q * one, q)).subs(q, share)
    cauchy = sp.expand((x + c) ** 2 - x * (x + 2 * c)).is_nonnegative  # E, C'
    finite = sp.factor(sp.simplify(series)).is_polynomial(odds)
    return bool(moved and sp.expand(shifted - total(k) + off) == 0 and finite and cauchy)


@statement.proves(
    "s^{1-2e} <= t^{2/3-e}, so sum eta^2 <= b^2 t^{2/3-e} (1 + log t); sum_{s<t} eta >= a (t-1) t^{-e} >= a t^{1-e}/2;"
    " (C1 n + C2 + C3 t^{2/3-e} (1 + log t)) / t^{1-e} <= (C1 + C2 + C3)(n + log t) t^{-1/3}, as t^{e-1} <= t^{-1/3}"
)
def sums() -> bool:
    f, over, logs, more = sp.symbols("f f' l m", nonnegative=True)  # e = 1/3 + f = 2/3 - f'; log s = l, log t = l + m
    e = sp.Rational(1, 3) + f
    power = (sp.Rational(2, 3) - e) * (logs + more) - (1 - 2 * e) * logs
    exponent = sp.expand((power - f * logs - over * more).subs(f, sp.Rational(1, 3) - over)) == 0
    half = sp.expand((2 + r - 1) - (2 + r) / 2).is_nonnegative  # t = 2 + r
    c1, c2, c3, ratio = sp.symbols("C1 C2 C3 z", positive=True)  # z = t^{e-1} t^{1/3} <= 1
    gap = (c1 + c2 + c3) * (1 + more + logs) - (c1 * (1 + more) + c2) * ratio - c3 * (1 + logs)
    small = sp.expand(-sp.Rational(1, 3) - (sp.Rational(2, 3) - over - 1)).is_nonnegative
    bound = sp.expand(-sp.diff(gap, ratio)).is_positive and sp.expand(gap.subs(ratio, 1)).is_nonnegative
    return bool(exponent and half and small and bound)
