"""The cross-entropy is the entropy of the data plus a divergence that is never negative.

    CE(W) = H + KL(p || s),    H = - sum_j pi_j sum_{z in S_j} p_jz log p_jz,    CE(W) >= H

KL(p || s) = sum_j pi_j sum_{z in S_j} p_jz log(p_jz / s_jz) compares the conditional probabilities p_j of the tokens
after context j (positive on its support S_j, where they sum to 1) with the softmax s_j of the logits. More exactly
KL >= sum_j pi_j eps_j, where eps_j is the softmax mass off the support.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("bias/entropy-floor", source="2402.18551 Sec. 2", verdict="proved", needs=["bias/loss"])

p, s, e = sp.symbols("p s e", positive=True)
P, Q = sp.IndexedBase("p"), sp.IndexedBase("q")
z, size = sp.symbols("z S", integer=True, positive=True)
gap = p * sp.log(p / s) - (p - s)


@statement.proves("token by token, and so for all supports and contexts: -p log s = -p log p + p log(p / s)")
def identity() -> bool:
    return is_zero(-p * sp.log(s) - (-p * sp.log(p) + p * sp.expand_log(sp.log(p / s))))


@statement.proves("p log(p / s) >= p - s: as a function of s the gap is convex, with its least value 0 at s = p")
def tangent() -> bool:
    flat = sp.solve(sp.diff(gap, s), s) == [p]
    return bool(flat and sp.simplify(gap.subs(s, p)) == 0 and sp.simplify(sp.diff(gap, s, 2)).is_positive)


@statement.proves("a support of any size S: the right sides sum to 1 - (1 - eps) = eps")
def summed() -> bool:
    total = split(sp.Sum(P[z] - Q[z], (z, 1, size)))
    on, off = sp.symbols("on off", positive=True)
    eps = off / (on + off)
    values = {sp.Sum(P[z], (z, 1, size)): sp.Integer(1), sp.Sum(Q[z], (z, 1, size)): on / (on + off)}
    return is_zero(total.subs(values) - eps) and bool(eps.is_positive)


@statement.proves("weighted by pi_j > 0 and summed over any number of contexts, KL >= sum_j pi_j eps_j >= 0")
def contexts() -> bool:
    # one context: its divergence is eps plus a surplus that is not negative
    weight, surplus, eps = (
        sp.Symbol("pi", positive=True),
        sp.Symbol("r", nonnegative=True),
        sp.Symbol("eps", nonnegative=True),
    )
    return bool(sp.expand(weight * (eps + surplus) - weight * eps).is_nonnegative and (weight * eps).is_nonnegative)
