"""A step changes the proxy by a bounded factor.

    G(W - psi eta D) / G(W)  <=  e^{2 B eta psi ||D||_max},        B >= ||h_i||_1,  eta, psi >= 0

G is the mean of 1 - S_y = R / (1 + R), R the sum of the odds e^{l_c - l_y} of the other tokens (`steepest/proxy`).
Proof: a logit moves by at most B eta psi ||D||_max, so each odd grows by a factor of at most e^t, t = twice that.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement("steepest/lemma-4", source="2502.04664 Lemma 4", verdict="proved", needs=["steepest/proxy"])

c, N, i, n = sp.symbols("c N i n", integer=True, positive=True)
t = sp.Symbol("t", nonnegative=True)  # 2 B eta psi ||D||_max


@statement.proves(
    "a logit moves by |sum_i D_ci h_i| <= ||D||_max ||h||_1: entry by entry M |h| - D h >= 0 for |D| <= M"
)
def one_logit() -> bool:
    h, below, top = sp.IndexedBase("h", nonnegative=True), sp.IndexedBase("r", nonnegative=True), sp.Symbol("M")
    gap = top * sp.Sum(h[i], (i, 1, n)) - sp.Sum((top - below[i]) * h[i], (i, 1, n))  # sign(h) D = M - r
    return bool(split(gap - sp.Sum(below[i] * h[i], (i, 1, n))) == 0 and (below[i] * h[i]).is_nonnegative)


@statement.proves("a difference of two logits moves by at most t = 2 B eta psi ||D||_max: both move by t/2 at most")
def difference() -> bool:
    size, eta, psi, top = sp.symbols("B eta psi D", nonnegative=True)
    p, q = sp.symbols("p q", nonnegative=True)  # the moves are t/2 - p and -(t/2 - q)
    reach = size * eta * psi * top
    bound = sp.log(sp.exp(2 * size * eta * psi * top))
    return bool(sp.expand(bound - ((reach - p) - (-(reach - q)))).is_nonnegative)


@statement.proves(
    "so the odds R' = sum of a_c e^{t - r_c} are at most e^t R: e^t R - R' = sum of a_c e^t (1 - e^{-r_c}) >= 0"
)
def odds() -> bool:
    a, below = sp.IndexedBase("a", positive=True), sp.IndexedBase("r", nonnegative=True)
    moved = sp.Sum(a[c] * sp.exp(t) * sp.exp(-below[c]), (c, 1, N))
    rest = sp.Sum(a[c] * sp.exp(t) * (1 - sp.exp(-below[c])), (c, 1, N))
    r = sp.Symbol("r", nonnegative=True)
    return bool(
        split(sp.exp(t) * sp.Sum(a[c], (c, 1, N)) - moved - rest) == 0 and nonnegative_from_zero(1 - sp.exp(-r), r)
    )


@statement.proves("R / (1 + R) rises with R, and at e^t R it is at most e^t R / (1 + R)")
def one_sample() -> bool:
    r, more = sp.Symbol("R", positive=True), sp.Symbol("m", nonnegative=True)  # e^t = 1 + m
    factor = 1 + more
    rising = sp.simplify(sp.diff(r / (1 + r), r)).is_positive
    gap = factor * r / (1 + r) - factor * r / (1 + factor * r)
    return bool(rising and sp.factor(gap).is_nonnegative and nonnegative_from_zero(sp.exp(t) - 1, t))


@statement.proves("the mean: with g_i' = e^t g_i - r_i, r_i >= 0, e^t G - G' is the mean of the r_i")
def mean() -> bool:
    g, below = sp.IndexedBase("g", nonnegative=True), sp.IndexedBase("r", nonnegative=True)
    moved = sp.Sum(sp.exp(t) * g[i] - below[i], (i, 1, n)) / n
    gap = split(sp.exp(t) * sp.Sum(g[i], (i, 1, n)) / n - moved - sp.Sum(below[i], (i, 1, n)) / n)
    return bool(gap == 0 and below[i].is_nonnegative)


@statement.proves(
    "the 2 is the best: one sample, two tokens, h = 1, D = (1, -1) has ratio -> e^{2 eta} as W h -> (inf, 0)"
)
def sharp() -> bool:
    level, eta = sp.symbols("x eta", positive=True)
    proxy = 1 / (1 + sp.exp(level))
    ratio = (
        proxy.subs(level, level - 2 * eta) / proxy
    )  # the step takes eta from the label's logit, adds it to the other
    return bool(sp.simplify(sp.limit(ratio, level, sp.oo) - sp.exp(2 * eta)) == 0)
