"""The gradient is at least gamma G long in the dual norm, whatever the norm.

    ||grad L(W)||_*  >=  gamma G(W),      G(W) = (1/n) sum_i (1 - S_{y_i}),

gamma the largest margin in the norm (`steepest/setting`), ||.||_* its dual norm. Proof: with U of norm at most 1 and
margins at least gamma, <-grad L(W), U> = (1/n) sum_i sum_{c != y} S_c (e_y - e_c)^T U h_i >= gamma G(W).
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "steepest/lemma-1",
    source="2502.04664 Lemma 1",
    verdict="proved",
    needs=["steepest/setting", "steepest/proxy", "steepest/erratum-E17"],
)

# One sample: u_y and u_c are the logits of U at the label and at the N = V - 1 other tokens, s_c the softmax of W.
c, N, i, n = sp.symbols("c N i n", integer=True, positive=True)
s, u, slack = (
    sp.IndexedBase("s", nonnegative=True),
    sp.IndexedBase("u", real=True),
    sp.IndexedBase("r", nonnegative=True),
)
label, gamma = sp.Symbol("u_y", real=True), sp.Symbol("gamma", positive=True)
mass = sp.Sum(s[c], (c, 1, N))  # 1 - S_y


@statement.proves("one sample: <e_y - S, U h> = sum_{c != y} S_c (u_y - u_c), for any number of tokens")
def as_margins() -> bool:
    inner = label - (1 - mass) * label - sp.Sum(s[c] * u[c], (c, 1, N))
    return bool(split(inner - sp.Sum(s[c] * (label - u[c]), (c, 1, N))) == 0)


@statement.proves("with margins u_y - u_c = gamma + r_c, r_c >= 0: the sum is gamma (1 - S_y) plus sum S_c r_c >= 0")
def at_least() -> bool:
    others = label - gamma - slack[c]  # the logits u_c
    total = sp.Sum(s[c] * (label - others), (c, 1, N))
    extra = s[c] * slack[c]
    return bool(split(total - gamma * mass - sp.Sum(extra, (c, 1, N))) == 0 and extra.is_nonnegative)


@statement.proves(
    "the mean over samples is <-grad L, U> <= ||grad L||_*, by definition, and gamma G plus a mean of extras >= 0"
)
def mean() -> bool:
    miss, extra = sp.IndexedBase("g", nonnegative=True), sp.IndexedBase("x", nonnegative=True)
    total = sp.Sum(gamma * miss[i] + extra[i], (i, 1, n)) / n
    proxy = sp.Sum(miss[i], (i, 1, n)) / n
    return bool(split(total - gamma * proxy - sp.Sum(extra[i], (i, 1, n)) / n) == 0 and extra[i].is_nonnegative)
