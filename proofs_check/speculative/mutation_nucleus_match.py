"""Sample-and-match that throws a mismatching sample away, and samples again later, is biased towards the draft.

A draft d is kept if a sample from p equals it; otherwise that sample is dropped and the token is a new sample from p.
So d has probability p_d + (1 - p_d) p_d = p_d (2 - p_d), every other token (1 - p_d) p, and TV = p_d (1 - p_d): the
law is right only for p_d = 0 or 1. Emitting the mismatching sample would be exact.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Choose, distance, law, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "speculative/mutation-nucleus-match", source="derived", verdict="proved", needs=["speculative/sample-and-match"]
)

p_d, p_y = sp.symbols("p_d p_y", positive=True)


def dropped(choose: Choose, p: list[Fraction], d: int) -> int:
    return d if choose(p) == d else choose(p)


@statement.proves("the draft's excess is p_d (2 - p_d) - p_d = p_d (1 - p_d); another token lacks p_d p_y")
def tokens() -> bool:
    # A token for all others: what the first sample was, other than d, does not matter.
    miss = 1 - p_d
    draft, other = p_d + miss * p_d, miss * p_y
    return bool(
        sp.expand(draft - p_d * (2 - p_d)) == 0
        and sp.expand(draft - p_d - p_d * (1 - p_d)) == 0
        and sp.expand(other - p_y + p_d * p_y) == 0
    )


@statement.proves("TV for any vocabulary: half of p_d (1 - p_d) + sum_(y != d) p_d p_y = 2 p_d (1 - p_d)")
def variation() -> bool:
    y, n = sp.symbols("y n", integer=True, positive=True)
    p = sp.IndexedBase("p")
    others = split(sp.Sum(p_d * p[y], (y, 1, n))).subs(sp.Sum(p[y], (y, 1, n)), 1 - p_d)
    return bool(sp.expand((p_d * (1 - p_d) + others) / 2 - p_d * (1 - p_d)) == 0)


@statement.proves("it is 0 only for p_d = 0 or p_d = 1")
def only() -> bool:
    return set(sp.roots(sp.Poly(p_d * (1 - p_d), p_d))) == {0, 1}


@statement.confirms("the law over all branches; emitting the mismatch is exact", instances="10 rational laws, V = 4")
def enumerated() -> bool:
    def holds(seed: int) -> bool:
        p = list(table(seed, 4, 1)(()))
        target, d = dict(enumerate(p)), seed % 4
        wrong = law(lambda choose: dropped(choose, p, d))
        right = law(lambda choose: choose(p))
        return bool(
            wrong[d] == p[d] * (2 - p[d])
            and distance(wrong, target) == p[d] * (1 - p[d])
            and distance(right, target) == 0
        )

    return all(holds(seed) for seed in range(10))
