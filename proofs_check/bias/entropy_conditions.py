"""The loss reaches the entropy exactly when every softmax equals the data's conditional probabilities.

    CE = H    if and only if, for every context j,    (3a) s_jz = p_jz for z in S_j    and    (3b) s_jv = 0 off S_j

S_j is the support, where p_j is positive; s_j is a distribution on all tokens. (3a) already implies (3b), because p_j
sums to 1 on the support; and no finite decoder has (3b) where a token is off the support, its softmax being positive.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "bias/entropy-conditions", source="2402.18551 Eq. (3a), (3b)", verdict="proved", needs=["bias/entropy-floor"]
)

p, s, e, pi = sp.symbols("p s e pi", positive=True)
on, off = sp.symbols("on off", positive=True)


def gap(p: sp.Expr, s: sp.Expr) -> sp.Expr:
    """What a token adds: p log(p / s) - (p - s)."""
    return p * (sp.log(p) - sp.log(s)) - (p - s)


@statement.proves("any size: a context's divergence is the sum of its tokens' gaps plus eps, the mass off the support")
def decomposition() -> bool:
    z, size = sp.symbols("z S", integer=True, positive=True)
    P, Q, eps = sp.IndexedBase("p"), sp.IndexedBase("s"), sp.Symbol("eps")
    divergence = sp.Sum(P[z] * (sp.log(P[z]) - sp.log(Q[z])), (z, 1, size))
    difference = split(divergence) - split(sp.Sum(gap(P[z], Q[z]), (z, 1, size))) - eps
    sums = {sp.Sum(P[z], (z, 1, size)): sp.Integer(1), sp.Sum(Q[z], (z, 1, size)): 1 - eps}
    return is_zero(difference.subs(sums))


@statement.proves("a gap vanishes at s = p and nowhere else: it falls strictly below p and rises strictly above it")
def one_zero() -> bool:
    slope = sp.diff(gap(p, s), s)
    below, above = sp.simplify(slope.subs(s, p / (1 + e))), sp.simplify(slope.subs(s, p * (1 + e)))
    return bool(gap(p, p) == 0 and below.is_negative and above.is_positive)


@statement.proves("so a sum of pi (gap + ... + eps), none negative, is 0 only if every gap and every eps is 0")
def none_negative() -> bool:
    # with one part positive, x, and the others at least 0, the sum is positive
    others = sp.Symbol("others", nonnegative=True)
    return bool(sp.expand(pi * (e + others)).is_positive) and pi * (gap(p, p) + 0) == 0


@statement.proves("(3a) implies (3b): if the softmax has mass 1 on the support, the exponentials off it sum to 0")
def implied() -> bool:
    mass_off = sp.Symbol("mass_off", nonnegative=True)
    return bool(sp.solve(sp.Eq(on / (on + mass_off), 1), mass_off) == [0])


@statement.proves("a finite decoder has positive exponentials, so every token off the support has a positive softmax")
def never_finite() -> bool:
    logit = sp.Symbol("l", real=True)
    return bool((sp.exp(logit) / (sp.exp(logit) + on + off)).is_positive)
