"""A perfect parallel head can have all its greedy drafts refused.

p(x) = (.4, .3, .3), and the next token is y = 0, 1, 1 after x = 0, 1, 2. The marginal law of y is (.4, .6), so the
head's most likely token is 1. Greedy decoding takes x = 0, after which y = 0: the head's draft is refused for certain,
although the head is the Bayes-optimal one.
"""

from __future__ import annotations

from fractions import Fraction

from ..kit.decoding import Law, block, joint, law
from ..statement import Statement

statement = Statement("speculative/greedy-counterexample", source="derived", verdict="proved")

FIRST = [Fraction(4, 10), Fraction(3, 10), Fraction(3, 10)]
NEXT = {0: 0, 1: 1, 2: 1}


def target(tokens: tuple[int, ...]) -> Law:
    return FIRST if not tokens else [Fraction(int(y == NEXT[tokens[0]])) for y in range(3)]


def marginal() -> list[Fraction]:
    pairs = joint(target, 2)
    return [sum((weight for (_, y), weight in pairs.items() if y == token), Fraction(0)) for token in range(3)]


def argmax(weights: Law) -> int:
    return max(range(len(weights)), key=lambda y: weights[y])


def most_likely(weights: Law) -> list[Fraction]:
    return [Fraction(int(y == argmax(weights))) for y in range(len(weights))]


@statement.proves("the marginal law of y is (.4, .6): its most likely token is 1; the greedy path is (0, 0)")
def laws() -> bool:
    first = argmax(FIRST)
    path = (first, argmax(target((first,))))
    return marginal() == [Fraction(4, 10), Fraction(6, 10), 0] and argmax(marginal()) == 1 and path == (0, 0)


@statement.proves("greedy verification of the drafts (0, 1): the first is kept, the second refused with probability 1")
def refused() -> bool:
    heads = [most_likely(FIRST), most_likely(marginal())]
    found = law(lambda choose: block(choose, lambda t: most_likely(target(t)), lambda t: heads[len(t)], 2))
    return found == {((0, 0), 1): 1}


@statement.proves(
    "sampling from the same heads is kept with probability sum_x p(x) p_Y(y(x)) = .52 at the second draft"
)
def sampled() -> bool:
    kept = law(lambda choose: block(choose, target, lambda t: [FIRST, marginal()][len(t)], 2)[1])
    return bool(kept[2] == Fraction(52, 100))
