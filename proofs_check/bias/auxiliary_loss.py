"""The auxiliary loss forgets the tokens off the supports; it lies below the loss and has the same infimum.

    CE_F(W) = sum_j pi_j sum_{z in S_j} p_jz log(1 + sum_{y in S_j, y != z} e^{-(l_z - l_y)}),    l = W h_j
    CE - CE_F = sum_j pi_j (-log(1 - eps_j)) >= 0          (12)
    inf over F of CE_F = inf CE = H    for compatible and separable data          (13)

eps_j is the softmax mass off the support S_j of context j, H the entropy of the data, F the data subspace.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "bias/auxiliary-loss",
    source="2402.18551 Eq. (12), (13)",
    verdict="proved",
    needs=["bias/entropy-floor", "bias/proposition-1", "bias/data-subspace"],
)

# One token of a support: probability p, exponential a; the sums of the other exponentials on and off the support.
p, a, others, off = sp.symbols("p a others off", positive=True)
on = a + others
eps = off / (on + off)
z, size = sp.symbols("z S", integer=True, positive=True)
P, Q = sp.IndexedBase("p"), sp.IndexedBase("q")


@statement.proves(
    "the argument of the logarithm is 1/q_z, q the softmax restricted to the support: 1 + others/a = on/a"
)
def restricted() -> bool:
    logit, other = sp.symbols("l m", real=True)
    ratio = is_zero(sp.exp(-(logit - other)) - sp.exp(other) / sp.exp(logit))
    return ratio and is_zero((1 + others / a) - on / a)


@statement.proves("a token's term of CE minus that of CE_F is -log(1 - eps), whichever token of the support it is")
def difference() -> bool:
    inverse = sp.cancel((on + off) / a) / sp.cancel(1 + others / a)
    return is_zero(sp.cancel(inverse) - 1 / sp.cancel(1 - eps))


@statement.proves("weighted by p, which sums to 1 on a support of any size, a context gives -log(1 - eps_j) >= 0")
def tail() -> bool:
    level = sp.Symbol("t")
    total = split(sp.Sum(P[z] * level, (z, 1, size))).subs(sp.Sum(P[z], (z, 1, size)), 1)
    # -log(1 - eps) = log(1 + odds)
    odds = off / on
    return is_zero(total - level) and is_zero(1 / (1 - eps) - (1 + odds)) and bool(sp.log(1 + odds).is_nonnegative)


@statement.proves(
    "CE_F >= H: p log(p / q) >= p - q for every token (`bias/entropy-floor`), and both sum to 1 on the support"
)
def above_entropy() -> bool:
    total = split(sp.Sum(P[z] - Q[z], (z, 1, size)))
    term = -p * sp.log(Q[z]) - (-p * sp.log(p) + p * (sp.log(p) - sp.log(Q[z])))
    ones = {sp.Sum(P[z], (z, 1, size)): 1, sp.Sum(Q[z], (z, 1, size)): 1}
    return is_zero(term) and is_zero(total.subs(ones))


@statement.proves("CE_F(W*) = H: log-odds as logit differences make 1/q_z = sum_y p_y / p_z = 1/p_z")
def at_the_log_odds() -> bool:
    inverse = split(sp.Sum(sp.exp(-(sp.log(p) - sp.log(P[z]))), (z, 1, size)).simplify())
    return is_zero(inverse.subs(sp.Sum(P[z], (z, 1, size)), 1) - 1 / p)


@statement.proves("inf CE = H: H <= CE(W_p + g W_d) <= H + C e^(-g) for every g >= 0 (`bias/proposition-1`)")
def infimum() -> bool:
    H, C, g = sp.symbols("H C g", positive=True)
    return bool(sp.limit(H + C * sp.exp(-g), g, sp.oo) == H)
