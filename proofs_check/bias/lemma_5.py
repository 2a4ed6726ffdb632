"""Turning the part off F to W_mm, a little longer, does not raise the loss: for each alpha in (0, 1) some R, k_0 have

    CE(W_kF + (1 + alpha) ||W_ko|| W_mm/||W_mm||)  <=  CE(W_k)    and    ||W_ko|| >= R    for all k >= k_0,     (14)

W_kF in F and W_ko orthogonal to it the parts of the iterate W_k of gradient descent (0 < eta <= 1/L, compatible and
NTP-separable data). The statement is true; its printed proof (erratum E7) and radius (23) (erratum E8) are not. With
f >= ||W_kF|| for all k >= k_0 it holds for R = (||W_mm||/alpha) log(2 n V e^(2 M f)), n training sequences, V tokens,
M = sqrt(2) max ||h_j||.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement(
    "bias/lemma-5",
    source="2402.18551 Lemma 5, Eq. (14)",
    verdict="proved",
    needs=["bias/split", "bias/erratum-E8", "bias/lemma-3", "bias/lemma-4", "bias/definition-3"],
)

alpha, R, n, V, M, f, N = sp.symbols("alpha R n V M f N", positive=True)  # R in units of N = ||W_mm||
RADIUS = sp.log(2 * n * V * sp.exp(2 * M * f)) / alpha


@statement.proves(
    "some margin of W_o is at most R' = ||W_o||/||W_mm||: were all above, W_o over the least would be feasible "
    "and shorter than W_mm"
)
def some_margin() -> bool:
    beyond = sp.Symbol("beyond", positive=True)
    least = R + beyond
    return bool(sp.factor(N - R * N / least).is_positive)


@statement.proves(
    "after: CE - CE_F is at most V e^(M f - (1+alpha) R'); before, at least e^(-M f - R')/(2n); their ratio is 1 "
    "at RADIUS and falls"
)
def comparison() -> bool:
    after = sp.expand_log(sp.log(V * sp.exp(M * f - (1 + alpha) * R)), force=True)
    before = sp.expand_log(sp.log(sp.exp(-M * f - R) / (2 * n)), force=True)
    gap = sp.expand(before - after)  # of logarithms
    radius = sp.expand_log(RADIUS, force=True)
    return is_zero(sp.expand(gap.subs(R, radius))) and bool(sp.diff(gap, R).is_positive)


@statement.proves(
    "both parts share CE_F: W_mm and W_o are orthogonal to F, where in-support differences of logits vanish"
)
def shared_part() -> bool:
    lz, level = sp.symbols("l_z level", real=True)  # of W_F; level = logit of the other part on the support
    i, S = sp.symbols("i S", integer=True, positive=True)
    logit = sp.IndexedBase("l", real=True)
    total = split(sp.Sum(sp.expand(sp.exp(logit[i] + level)), (i, 1, S)))
    return is_zero(sp.exp(lz + level) / total - sp.exp(lz) / sp.Sum(sp.exp(logit[i]), (i, 1, S)))


@statement.proves("the second bound: pi_j >= S_j/n and log(1 + y) >= y/(1 + y) >= y/2 for y = e^(-M f - R')/S_j <= 1")
def before_bound() -> bool:
    short, S = sp.Symbol("short", nonnegative=True), sp.Symbol("S", positive=True)
    y, x = 1 / (1 + short), sp.Symbol("x", nonnegative=True)
    log = nonnegative_from_zero(sp.log(1 + x) - x / (1 + x), x)
    halved = sp.factor(y / (1 + y) - y / 2)
    mass = S / n * (sp.exp(-M * f - R) / S) / 2
    return log and bool(halved.is_nonnegative) and is_zero(mass - sp.exp(-M * f - R) / (2 * n))


@statement.proves(
    "k_0 exists, with CE(W_k) - H <= r_k -> 0: by `bias/lemma-4` ||W_kF - W*|| <= 2 sqrt(K)/sigma as soon as t = "
    "sqrt(n r_k/2) <= 1/(2n); by `bias/lemma-3` ||W_ko|| >= log((1/(n r_k) - 1)/(V - 1))/M - f, which passes R"
)
def exists() -> bool:
    less, others, goal = sp.symbols("less others goal", positive=True)
    t = 1 / (2 * n) / (1 + less)
    finite = sp.factor(2 - 2 * t / (1 / n - t))  # the bound of Lemma 4, in units of sqrt(K)/sigma
    r = 1 / (n * (1 + others * sp.exp(M * (goal + f)) + less))  # others = V - 1
    reach = sp.log((1 / (n * r) - 1) / others) / M - f
    passes = sp.exp(M * (reach + f)) - sp.exp(M * (goal + f))
    return bool(finite.is_positive and sp.expand(sp.simplify(passes)).is_positive)
