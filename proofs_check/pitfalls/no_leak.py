"""In a uniformly shuffled edge list the place of the right start edge among the d start edges is uniform: no leak.

For each rank r = 1..d exactly |E|!/d of the |E|! orders put the right start edge at rank r among the start edges. A
list written arm by arm leaks: the last start edge before the edge into the goal is always the right one. (Measured in
the public test file: the right edge comes first in 50.4% of 20,000 lines; the standard error is 0.35%.)
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from math import factorial

import sympy as sp

from ..kit.path_star import SIZES, Star, relabel, stars
from ..statement import Statement

statement = Statement("pitfalls/no-leak", source="own check of the shipped file", verdict="proved")


def rank(star: Star) -> int:
    """The place of the right start edge among the start edges."""
    starts = [child for parent, child in star.edges if parent == star.target[0]]
    return starts.index(star.target[1]) + 1


@statement.proves(
    "orders of E edges: choose the places of the d start edges, order them with the right one at rank r, order "
    "the rest: C(E, d) (d - 1)! (E - d)! for every r, which is E!/d"
)
def uniform() -> bool:
    d, more = sp.symbols("d more", integer=True, positive=True)
    E = d + more
    orders = sp.binomial(E, d) * sp.factorial(d - 1) * sp.factorial(E - d)
    return bool(sp.gammasimp(orders.rewrite(sp.gamma) / sp.factorial(E).rewrite(sp.gamma) * d) == 1)


@statement.confirms("all orders counted", instances="all graphs with at most 6 edges and d <= 4 arms of l <= 5 nodes")
def counted() -> bool:
    for d, length in SIZES:
        edges = d * (length - 1)
        if edges > 6:
            continue
        for star in stars(d, length):
            orders = permutations(range(edges))
            ranks = Counter(rank(relabel(star, range(edges + 1), order)) for order in orders)
            if ranks != {r: factorial(edges) // d for r in range(1, d + 1)}:
                return False
    return True


def by_arms(star: Star) -> int:
    """The guess of r_1: the child in the last start edge up to the edge into the goal."""
    into_goal = next(e for e, (_, child) in enumerate(star.edges) if child == star.target[-1])
    return [child for parent, child in star.edges[: into_goal + 1] if parent == star.target[0]][-1]


@statement.proves(
    "arm by arm: the edge into the goal of arm a is number a (l - 1), and the start edges are at numbers b (l - "
    "1) - (l - 2): the last of these up to a (l - 1) is that of b = a"
)
def leak() -> bool:
    a = sp.Symbol("a", integer=True, positive=True)
    inner, later = sp.symbols("inner later", integer=True, nonnegative=True)
    length = inner + 2

    def start(b: sp.Expr) -> sp.Expr:
        return b * (length - 1) - (length - 2)

    own = (a * (length - 1) - start(a)).expand().is_nonnegative
    after = (start(a + 1 + later) - a * (length - 1)).expand().is_positive
    return own is True and after is True


@statement.confirms(
    "the rule names r_1 for every goal when arms are written one after the other, in any order of arms, and fails "
    "on some shuffled list",
    instances="all graphs with d <= 4 arms of l <= 5 nodes",
)
def flagged() -> bool:
    right = []
    for d, length in SIZES:
        for star in stars(d, length):
            for arms in permutations(range(d)):
                order = [arm * (length - 1) + k for arm in arms for k in range(length - 1)]
                found = relabel(star, range(d * (length - 1) + 1), order)
                right.append(by_arms(found) == star.target[1])
    # the goal's edge first of all but one start edge, which is the wrong one
    star = relabel(next(stars(2, 3)), range(5), [2, 1, 0, 3])
    return all(right) and by_arms(star) != star.target[1]


@statement.proves("the standard error of 1/2 in 20,000 lines is between 0.353% and 0.354%")
def standard_error() -> bool:
    variance = sp.Rational(1, 4) / 20_000
    return bool(sp.Rational(353, 10**5) ** 2 < variance < sp.Rational(354, 10**5) ** 2)
