"""Normalised steepest descent with a t^{-1/2} <= eta_t <= b t^{-1/2} comes as near to the best margin as stated.

    gamma - min margin(W_t) / ||W_t||  <=  K (n + log t) / sqrt t     from some t on,

in any norm that is at least the largest entry (entrywise and Schatten p-norms), for one-hot separable data and any
W_1. K depends on gamma, B = max ||h_i||_1, a, b, ||W_1|| and early losses; not on n or t. The proof uses only
||D_t|| <= 1 and, from a step p on, (9): L_{t+1} <= L_t - gamma eta_t (1 - alpha eta_t) G_t with alpha eta_t <= 1/2;
p >= (2 alpha b)^2. Phases: early (t < p); L > log 2 / n (p <= t < r); then L <= log 2 / n.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "steepest/theorem-1",
    source="2502.04664 Thm 1",
    verdict="proved",
    needs=["steepest/descent", "steepest/lemma-3", "steepest/lemma-5", "steepest/norm-order"],
    known=["the sums of t^{-1/2} diverge"],
)

a, b, gamma, alpha, size, n = sp.symbols("a b gamma alpha B n", positive=True)
eta, level, proxy, slack = sp.symbols("eta L G r", nonnegative=True)
early_loss, early_steps, start = sp.symbols("L_p E W_1", nonnegative=True)  # L_p, sum of eta before p, ||W_1||
s, first, last = sp.symbols("s p q", integer=True, positive=True)
low = sp.log(2) / n


@statement.proves(
    "early: alpha eta_t <= 1/2 from (2 alpha b)^2 on; until then a step adds at most 2 B eta_t to L, by Lemma 3 (i)"
)
def early() -> bool:
    at = alpha * b / sp.sqrt((2 * alpha * b) ** 2 + slack)
    worst = sp.diff(at, slack).is_nonpositive and at.subs(slack, 0) == sp.Rational(1, 2)
    miss = sp.Symbol("m", nonnegative=True)  # G = 1 - m
    return bool(worst and sp.expand(2 * size - 2 * size * (1 - miss)).is_nonnegative)


@statement.proves("from p on a step lowers L by at least gamma eta G / 2")
def half() -> bool:
    fall = gamma * eta * (1 - (sp.Rational(1, 2) - slack)) * proxy  # alpha eta = 1/2 - r
    return bool(sp.expand(fall - gamma * eta * proxy / 2).is_nonnegative)


@statement.proves("while L > log 2 / n, G >= log 2 / (2n): either G > 1/(2n), or Lemma 3 (iii) gives G >= L/2")
def middle_proxy() -> bool:
    floor = low / 2
    either = sp.factor(1 / (2 * n) - floor)
    return bool(either.is_positive and sp.expand((low + slack) / 2 - floor).is_nonnegative)


@statement.proves(
    "so that phase ends: its falls gamma eta_s log 2 / (4n) telescope to at most L_p,"
    " so that sum eta_s <= 4 n L_p / (gamma log 2)"
)
def middle_length() -> bool:
    loss = sp.Function("L")
    falls = sp.Sum(loss(s) - loss(s + 1), (s, first, last)).doit() == loss(first) - loss(last + 1)
    total = sp.Symbol("S", positive=True)  # sum of eta over the phase
    (most,) = sp.solve(sp.Eq(gamma * total * (low / 2) / 2, early_loss), total)
    return bool(falls and sp.simplify(most - 4 * n * early_loss / (gamma * sp.log(2))) == 0)


@statement.proves(
    "late: L <= 2 G makes the falls at least gamma eta L / 4, so sum eta_s L_s <= 4 L_r / gamma <= 4 log 2 / (n gamma)"
)
def late_losses() -> bool:
    half_loss = sp.expand(gamma * eta * (level / 2 + slack) / 2 - gamma * eta * level / 4).is_nonnegative
    total = sp.Symbol("S", positive=True)  # sum of eta_s L_s
    (most,) = sp.solve(sp.Eq(gamma * total / 4, low), total)
    return bool(half_loss and sp.simplify(most - 4 * sp.log(2) / (n * gamma)) == 0)


@statement.proves("G/L >= 1 - n L/2 in Lemma 5: margin >= gamma sum_{s>=r} eta_s - 2 log 2 - gamma alpha sum eta_s^2")
def margin() -> bool:
    kept = sp.expand(gamma * eta * (1 - n * level / 2) - gamma * eta) / (eta * level)  # of each eta_s L_s
    lost = kept * 4 * sp.log(2) / (n * gamma)
    return bool(sp.simplify(lost + 2 * sp.log(2)) == 0)


@statement.proves(
    "sums: 1/sqrt s >= 2 (sqrt(s+1) - sqrt s) and 1/s <= log s - log(s-1), s >= 2:"
    " sum eta >= 2a (sqrt t - 1), sum 1/s <= 1 + log t"
)
def sums() -> bool:
    root, step, x = sp.Symbol("q", positive=True), sp.Symbol("d", positive=True), sp.Symbol("x", nonnegative=True)
    # sqrt s = q, sqrt(s+1) = q + d, so that 1 = (q + d)^2 - q^2
    square = sp.expand((root + step) ** 2 - root**2)
    roots = sp.factor(square / root - 2 * step)  # 1/q - 2d, times 1
    odds = sp.log(1 + x) - x / (1 + x)  # log(s/(s-1)) - 1/s at x = 1/(s-1)
    f = sp.Function("f")
    up = sp.Sum(f(s + 1) - f(s), (s, 1, last)).doit().subs(last, last - 1)  # s = 1 .. t - 1, with f = sqrt
    down = sp.Sum(f(s) - f(s - 1), (s, 2, last)).doit()  # with f = log, log 1 = 0
    return bool(roots.is_positive and up == down == f(last) - f(1)) and nonnegative_from_zero(odds, x)


@statement.proves(
    "||W_t|| <= D = ||W_1|| + sum eta, so the gap is at most gamma - margin / D while the margin is >= 0; put together"
)
def numerator() -> bool:
    before, after, squares, path = sp.symbols("P Q S D", positive=True)  # sums of eta before and after r, and of eta^2
    lowest = gamma * after - 2 * sp.log(2) - gamma * alpha * squares
    gap = (gamma - lowest / path).subs(path, start + before + after)
    claimed = (gamma * (start + before) + 2 * sp.log(2) + gamma * alpha * squares) / (start + before + after)
    value, more = sp.symbols("m d", nonnegative=True)  # margin / ||W_t|| - margin / D, ||W_t|| = D - d with d < D
    size_now = sp.Symbol("N", positive=True)
    smaller = sp.factor(value / size_now - value / (size_now + more)).is_nonnegative
    return bool(sp.simplify(gap - claimed) == 0 and smaller)


@statement.proves(
    "for t >= 4, D >= a sqrt t; the numerator is at most a K (n + log t), n >= 1, K its coefficients' sum over a"
)
def rate() -> bool:
    logarithm, more, root = sp.Symbol("l", nonnegative=True), sp.Symbol("m", nonnegative=True), 2 + slack
    path = sp.expand(start + 2 * a * (root - 1) - a * root).is_nonnegative  # sqrt t = 2 + r
    phase = early_steps + 4 * n * early_loss / (gamma * sp.log(2))
    above = gamma * (start + phase) + 2 * sp.log(2) + gamma * alpha * b**2 * (1 + logarithm)
    constant = above.subs({logarithm: 0, n: 1})
    gap = sp.expand((constant * (n + logarithm) - above).subs(n, 1 + more))
    return bool(path and all(term.is_nonnegative for term in sp.Add.make_args(gap)))


@statement.proves("the bound tends to 0, so from some t on it is below gamma, and the margin is positive there")
def eventually() -> bool:
    t, constant = sp.symbols("t K", positive=True)
    return bool(sp.limit(constant * (n + sp.log(t)) / sp.sqrt(t), t, sp.oo) == 0)
