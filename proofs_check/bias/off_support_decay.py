"""Along a separating decoder W_d, every token off the support loses its probability exponentially.

    s_v(g W_d h_j) <= e^(-g) / S_j    for v not in the support S_j (of size S_j), g >= 0;    printed: <= e^(-g)

s is the softmax. W_d has equal logits on the support, at least 1 above the logits of all other tokens.
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.intervals import interval
from ..statement import Statement

statement = Statement(
    "bias/off-support-decay",
    source="2402.18551 Eq. (7); sharpened by 1/S_j",
    verdict="proved",
    needs=["bias/definition-2"],
)

S = sp.Symbol("S", integer=True, positive=True)
g, level = sp.symbols("g l", real=True)
slack, rest = sp.symbols("slack rest", nonnegative=True)  # margin - 1, and exp of other tokens off the support


def softmax(margin: sp.Expr) -> sp.Expr:
    """That of a token ``margin`` below S tokens at one level; the common factor e^(g level) is left out."""
    return sp.exp(-g * margin) / (S + sp.exp(-g * margin) + rest)


@statement.proves(
    "the softmax of a token off the support depends on its margin, not on the common level of the support"
)
def level_free() -> bool:
    top = sp.exp(g * level)
    token = sp.exp(g * (level - (1 + slack)))
    return is_zero(
        sp.expand(token / top, power_exp=True) - sp.expand(sp.exp(-g * (1 + slack)), power_exp=True)
    ) and is_zero(token / (S * top + token + rest * top) - softmax(1 + slack))


@statement.proves(
    "it is at most e^(-g) / S: the difference has numerator S (1 - e^(-g slack)) + e^(-g - g slack) + rest >= 0"
)
def sharp() -> bool:
    # e^(-g slack) <= 1 for g >= 0, so it is 1 / (1 + u) for some u >= 0
    u = sp.Symbol("u", nonnegative=True)
    fade = sp.exp(-g) / (1 + u)
    difference = sp.factor(sp.exp(-g) / S - fade / (S + fade + rest))
    replaced = is_zero(softmax(1 + slack) - (fade / (S + fade + rest)).subs(u, sp.exp(g * slack) - 1))
    return bool(replaced and sp.simplify(difference).is_nonnegative)


@statement.proves("e^(g slack) - 1 >= 0 for g, slack >= 0")
def growth() -> bool:
    late = sp.Symbol("late", nonnegative=True)
    rate = sp.diff(sp.exp(late * slack) - 1, late)
    return bool((sp.exp(late * slack) - 1).subs(late, 0) == 0 and rate.is_nonnegative)


@statement.proves("so it is at most e^(-g), as printed: S = 1 + more tokens only lower the bound")
def printed() -> bool:
    more = sp.Symbol("more", nonnegative=True)
    return bool(sp.factor(sp.exp(-g) - sp.exp(-g) / (1 + more)).is_nonnegative)


@statement.confirms(
    "W_mm of random data obeys the bound at g = 1/2, 1, 3, 10", instances="30 rational datasets, intervals"
)
def instances() -> bool:
    tried = 0
    for seed in range(30):
        data = draw(seed, vocab_size=4, dim=3, contexts=2, sizes=[1, 2, 3])
        if data.svm.point is None:
            continue
        for logits, support in zip(data.logits(data.svm.point), data.supports, strict=True):
            for g2 in (1, 2, 6, 20):
                exponentials = [iv.exp(interval(x) * g2 / 2) for x in logits]
                bound = iv.exp(-interval(g2) / 2) / len(support)
                for v in range(4):
                    if v not in support and not (exponentials[v] / sum(exponentials)).a <= bound.b:
                        return False
        tried += 1
    return tried >= 10
