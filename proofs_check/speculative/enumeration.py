"""Exactness of a decoding law is decided by enumeration, by equality of rational numbers and not by p-values.

A procedure with finitely many outcomes at every draw has finitely many branches; a branch weighs the product of its
draws' probabilities, and an outcome's probability is the sum over its branches. With rational laws both are rational.
So a correct implementation of speculative sampling passes with equality (`speculative/step`), and a wrong one fails
wherever its law differs at all, however little.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Choose, block, completed, distance, joint, law, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement("speculative/enumeration", source="derived", verdict="proved", needs=["speculative/step"])


@statement.proves("one draw more splits a branch of weight w into weights w p_k, which sum to w: all branches sum to 1")
def total() -> bool:
    k, n = sp.symbols("k n", integer=True, positive=True)
    w, p = sp.Symbol("w"), sp.IndexedBase("p")
    return bool(split(sp.Sum(w * p[k], (k, 1, n))).subs(sp.Sum(p[k], (k, 1, n)), 1) == w)


@statement.proves("the enumerator on symbols, three draws of two outcomes: it finds the binomial law")
def binomial() -> bool:
    p = sp.Symbol("p", positive=True)
    found = law(lambda choose: sum(choose([1 - p, p]) for _ in range(3)))
    return all(sp.expand(found[k] - sp.binomial(3, k) * p**k * (1 - p) ** (3 - k)) == 0 for k in range(4))


@statement.proves("a later law may depend on an earlier draw: (p, then r or s) gives the four products")
def tree() -> bool:
    p, r, s = sp.symbols("p r s", positive=True)

    def two(choose: Choose) -> tuple[int, int]:
        first = choose([p, 1 - p])
        return first, choose([[r, 1 - r], [s, 1 - s]][first])

    found = law(two)
    return found == {(0, 0): p * r, (0, 1): p * (1 - r), (1, 0): (1 - p) * s, (1, 1): (1 - p) * (1 - s)}


@statement.confirms("V = 4, gamma = 3: the block's law is the target's, in fractions", instances="a rational table")
def four_tokens() -> bool:
    target, draft = table(0, 4, 4), table(1, 4, 3)
    found = law(lambda choose: completed(choose, block(choose, target, draft, 3)[0], target, 4))
    return found == joint(target, 4) and all(isinstance(weight, Fraction) for weight in found.values())


@statement.confirms("a draft law that is off by 1/1000 in the test is found", instances="V = 2, gamma = 1")
def small_error() -> bool:
    p, q = [Fraction(1, 2)] * 2, [Fraction(3, 4), Fraction(1, 4)]
    tested = [Fraction(751, 1000), Fraction(249, 1000)]

    def wrong(choose: Choose) -> int:
        x = choose(q)
        kept = min(Fraction(1), p[x] / tested[x])
        return x if choose([1 - kept, kept]) else 1 - x

    found = law(wrong)
    gap = distance(found, dict(enumerate(p)))
    return bool(sum(found.values()) == 1 and 0 < gap < Fraction(1, 1000))
