"""Of the l target tokens l - 2 carry information, and with teacher forcing l - 3 of those are look-ups of one edge.

r_0 is the start and r_{l-1} the goal, both in the prefix. For k >= 2, r_k is the unique child of r_{k-1}: given the
true previous token one edge decides it (r_2, .., r_{l-2}). r_1 has d candidates given the edges and the start alone,
each the answer for exactly one goal; with the goal it takes l - 2 steps back from it.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, stars
from ..statement import Statement

statement = Statement("pitfalls/informative-tokens", source="derived", verdict="proved", needs=["pitfalls/path-star"])

# Node t of arm a; the centre is t = 0 of every arm. Edges go from (a, t) to (a, t + 1), 0 <= t <= l - 2.
a, b, t, s, ell = sp.symbols("a b t s l", integer=True)


@statement.proves(
    "the edges out of (a, t), t >= 1, and into (a, t), t >= 1: one each, to (a, t + 1) and from (a, t - 1)"
)
def unique() -> bool:
    children = sp.solve([sp.Eq(b, a), sp.Eq(s, t)], [b, s], dict=True)  # edge (b, s) -> (b, s + 1) that leaves (a, t)
    parents = sp.solve([sp.Eq(b, a), sp.Eq(s + 1, t)], [b, s], dict=True)
    return bool(children == [{b: a, s: t}] and parents == [{b: a, s: t - 1}])


@statement.proves(
    "from the goal (a, l - 1) it takes l - 2 steps to (a, 1); of l tokens l - 2 are inner, l - 3 of them after r_1"
)
def counts() -> bool:
    steps = sp.solve(sp.Eq((ell - 1) - s, 1), s)
    inner, later = (ell - 2) - 1 + 1, (ell - 2) - 2 + 1
    return bool(steps == [ell - 2] and sp.expand(inner - (ell - 2)) == 0 and sp.expand(later - (ell - 3)) == 0)


@statement.proves(
    "the goal (a, l - 1) has r_1 = (a, 1): the d goals and the d children of the start correspond, arm by arm"
)
def one_goal_each() -> bool:
    d = sp.Symbol("d", integer=True, positive=True)
    arm_of_first = sp.solve([sp.Eq(b, a), sp.Eq(s, (ell - 1) - (ell - 2))], [b, s], dict=True)
    return bool(arm_of_first == [{b: a, s: 1}] and sp.Sum(1, (a, 1, d)).doit() == d)


@statement.confirms(
    "unique children after r_1, and every child of the start is r_1 of exactly one of the d goals",
    instances="all graphs with d <= 4 arms of l <= 5 nodes",
)
def graphs() -> bool:
    right = []
    for d, length in SIZES:
        found = list(stars(d, length))
        right.append(len({star.edges for star in found}) == 1 and len({star.target[-1] for star in found}) == d)
        right.append(sorted(star.target[1] for star in found) == sorted(found[0].children(0)))
        for star in found:
            right += [star.children(star.target[k - 1]) == [star.target[k]] for k in range(2, length)]
    return all(right)
