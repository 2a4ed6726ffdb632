"""Drafting the most likely token of q, but testing it with q itself, is not exact; enumeration of the law shows it.

The draft is always the token a = argmax q; it is kept with probability min(1, p(a) / q(a)), and otherwise the token
comes from max(0, p - q), normalised. So a is emitted with probability min(1, p(a) / q(a)) > p(a) whenever p(a) and
q(a) lie strictly between 0 and 1, by more than the law allows: the total variation from p is at least
min(1, p(a) / q(a)) - p(a) > 0. At q = p the output is a for certain, and TV = 1 - p(a).
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Law, distance, keep, larger, law, table, verify
from ..statement import Statement

statement = Statement(
    "speculative/mutation-argmax-draft", source="derived", verdict="proved", needs=["speculative/step"]
)

# Odds: p(a) = u / (u + v), with v > 0 the other tokens.
u, v, s = sp.symbols("u v s", positive=True)
P = u / (u + v)


def output(p: Law, q: Law) -> dict[int, Fraction]:
    a = q.index(max(q))
    return law(lambda choose: verify(choose, p, q, a)[1])


@statement.proves("p(a) >= q(a): a is emitted for certain, 1 - p(a) too often")
def above() -> bool:
    q = P / (1 + sp.Symbol("t", nonnegative=True))
    excess = sp.factor(keep(P, q) - P)
    return bool(sp.cancel(excess - (1 - P)) == 0 and excess.is_positive)


@statement.proves("p(a) < q(a) < 1: a refused draft leaves a for good (residual 0), so a has p(a) / q(a) > p(a)")
def below() -> bool:
    q = (u + v * s / (1 + s)) / (u + v)  # between p(a) and 1
    excess = sp.factor(keep(P, q) - P)
    again = larger(P - q, 0)  # what the residual gives a
    return bool(again == 0 and sp.factor(1 - q).is_positive and excess.is_positive)


@statement.proves("q = p: nothing is refused, TV = 1 - p(a), at two tokens and symbolic p(a) >= 1/2")
def same() -> bool:
    p = [(u + v) / (u + 2 * v), v / (u + 2 * v)]
    found = law(lambda choose: verify(choose, p, p, 0)[1])
    gap = (abs(found.get(0, 0) - p[0]) + abs(found.get(1, 0) - p[1])) / 2
    return bool(sp.simplify(gap - (1 - p[0])) == 0)


@statement.confirms("TV > 0, and TV = 1 - p(a) at q = p, in fractions", instances="10 pairs of positive laws, V = 4")
def tables() -> bool:
    def fails(seed: int) -> bool:
        p, q = list(table(seed, 4, 1)(())), list(table(seed + 100, 4, 1)(()))
        target = dict(enumerate(p))
        return bool(distance(output(p, q), target) > 0 and distance(output(p, p), target) == 1 - max(p))

    return all(fails(seed) for seed in range(10))
