"""For compatible and separable data the entropy is approached at infinity and reached by no finite decoder.

W_p has the log-odds of the data on every support (4), W_d separates (6). Then CE(W) > H for every finite W, and

    0 < CE(W_p + g W_d) - H = sum_j pi_j log(1 + sum_v r_jv e^(-g m_jv)) <= C e^(-g),    C = sum_j pi_j sum_v r_jv

decreases to 0 as g grows. Here v runs over the tokens off the support of context j, m_jv >= 1 is the margin of W_d,
and r_jv the exponential of v under W_p over the sum of those of the support. Some support is not the whole vocabulary.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "bias/proposition-1",
    source="2402.18551 Prop. 1",
    verdict="proved",
    needs=["bias/entropy-floor", "bias/definition-1", "bias/definition-2"],
)

g = sp.Symbol("g", real=True)
pi, p, r, on, off = sp.symbols("pi p r on off", positive=True)
slack = sp.Symbol("slack", nonnegative=True)  # m - 1


@statement.proves(
    "CE - H is at least pi_j eps_j (`bias/entropy-floor`), positive for finite logits where tokens are off a support"
)
def strict() -> bool:
    return bool((pi * off / (on + off)).is_positive)


@statement.proves(
    "softmax under W_p + g W_d, z on the support: p_z / (1 + odds), as W_p makes its exponential p_z times the sum"
)
def restricted() -> bool:
    # logits x = log p + c on the support: its exponentials are e^c p, which sum to e^c; W_d adds g a to each of them
    c, a = sp.symbols("c a", real=True)
    z, size = sp.symbols("z S", integer=True, positive=True)
    P = sp.IndexedBase("p")
    total = split(sp.Sum(sp.exp(c + g * a) * P[z], (z, 1, size))).subs(sp.Sum(P[z], (z, 1, size)), 1)
    odds = sp.exp(g * (a - (1 + slack))) * r * sp.exp(c)  # one token off the support, r = its exponential over e^c
    softmax = p * sp.exp(c + g * a) / (total + odds)
    return is_zero(softmax - p / (1 + r * sp.exp(-g * (1 + slack))))


@statement.proves("so every token of the support adds p_z log(1 + odds), together log(1 + odds) since they sum to 1")
def excess() -> bool:
    odds = sp.Symbol("odds", positive=True)
    z, size = sp.symbols("z S", integer=True, positive=True)
    P = sp.IndexedBase("p")
    one = p * (sp.log(p) - sp.expand_log(sp.log(p / (1 + odds)), force=True))
    total = split(sp.Sum(P[z] * sp.log(1 + odds), (z, 1, size))).subs(sp.Sum(P[z], (z, 1, size)), 1)
    return is_zero(one - p * sp.log(1 + odds)) and is_zero(total - sp.log(1 + odds))


@statement.proves("log(1 + x) <= x for x >= 0, and r e^(-g m) <= r e^(-g) for g >= 0, m >= 1: the bound C e^(-g)")
def bound() -> bool:
    x, t = sp.symbols("x t", nonnegative=True)
    above = x - sp.log(1 + x)
    linear = above.subs(x, 0) == 0 and sp.simplify(sp.diff(above, x)).is_nonnegative
    # e^(-t slack) falls from 1 as t grows from 0
    fade = sp.exp(-t * slack)
    faded = is_zero(r * sp.exp(-t * (1 + slack)) - r * sp.exp(-t) * fade)
    return bool(linear and faded and fade.subs(t, 0) == 1 and sp.diff(fade, t).is_nonpositive)


@statement.proves("the excess falls strictly: every term r e^(-g m) has slope -m r e^(-g m) < 0, and log rises")
def decreasing() -> bool:
    term = r * sp.exp(-g * (1 + slack))
    rest = sp.Symbol("rest", nonnegative=True)  # the other terms, which fall too
    return bool(sp.diff(term, g).is_negative and (1 / (1 + term + rest)).is_positive)


@statement.proves("C e^(-g) tends to 0")
def limit() -> bool:
    return bool(sp.limit(sp.Symbol("C", positive=True) * sp.exp(-g), g, sp.oo) == 0)


@statement.confirms(
    "the printed formula of the excess against CE - H, p = (1/4, 3/4, 0), h = 1, W_d = (0, 0, -1)", instances="g = 3"
)
def example() -> bool:
    q = [sp.Rational(1, 4), sp.Rational(3, 4)]
    logits = [sp.log(q[0]), sp.log(q[1]), sp.Integer(-3)]
    level = sp.log(sum(sp.exp(x) for x in logits))
    loss = sum(a * (level - x) for a, x in zip(q, logits[:2], strict=True))
    entropy = -sum(a * sp.log(a) for a in q)
    return is_zero(sp.expand(loss - entropy) - sp.log(1 + sp.exp(-3)))
