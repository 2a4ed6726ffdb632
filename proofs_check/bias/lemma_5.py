"""Turning the part off F to W_mm, a little longer, does not raise the loss: for each alpha in (0, 1) some R, k_0 have

    CE(W_kF + (1 + alpha) ||W_ko|| W_mm/||W_mm||)  <=  CE(W_k)    and    ||W_ko|| >= R    for all k >= k_0,     (14)

W_kF in F and W_ko orthogonal to it the parts of the iterate W_k of gradient descent. The statement is true; its
printed proof (erratum E7) and radius (23) (erratum E8) are not. With f = sup_k ||W_kF|| < infinity it holds for
R = (||W_mm||/alpha) log(2 n V e^(2 M f)), n training sequences, V tokens, M = sqrt(2) max ||h_j||.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/lemma-5",
    source="2402.18551 Lemma 5, Eq. (14)",
    verdict="proved",
    needs=["bias/erratum-E7", "bias/erratum-E8", "bias/lemma-4", "bias/definition-3"],
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
    lz, lu, level = sp.symbols("l_z l_u level", real=True)  # of W_F; level = logit of the other part on the support
    share = sp.exp(lz + level) / (sp.exp(lz + level) + sp.exp(lu + level))
    return is_zero(sp.diff(share, level))


@statement.proves("the second bound: pi_j >= S_j/n and log(1 + y) >= y/(1 + y) >= y/2 for y = e^(-M f - R')/S_j <= 1")
def before_bound() -> bool:
    short, S = sp.Symbol("short", nonnegative=True), sp.Symbol("S", positive=True)
    y = 1 / (1 + short)
    halved = sp.factor(y / (1 + y) - y / 2)
    mass = S / n * (sp.exp(-M * f - R) / S) / 2
    return bool(halved.is_nonnegative) and is_zero(mass - sp.exp(-M * f - R) / (2 * n))


@statement.proves(
    "k_0 exists: W_kF converges, so f is finite, and ||W_ko|| -> infinity passes the fixed radius (`bias/lemma-4`)"
)
def exists() -> bool:
    star, rate, k = sp.symbols("star rate k", positive=True)
    radius = RADIUS.subs(f, star + rate / k)  # a convergent ||W_kF||
    limit = sp.limit(sp.expand_log(radius, force=True), k, sp.oo)
    return is_zero(sp.expand(limit - sp.expand_log(RADIUS.subs(f, star), force=True)))
