"""The path is found by going back from the goal: every node but the start has one parent, so l - 1 look-ups suffice.

The walk goal, parent, parent of the parent, .. meets the start after exactly l - 1 steps, and read backwards it is the
target.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, Star, stars
from ..statement import Statement

statement = Statement("pitfalls/solvable", source="secondary; derived", verdict="proved", needs=["pitfalls/path-star"])


def solve(star: Star) -> tuple[list[int], int]:
    """The path from start to goal, from edges and query alone, and the number of look-ups."""
    start, goal = star.target[0], star.target[-1]
    parent = {child: origin for origin, child in star.edges}
    path = [goal]
    while path[-1] != start:
        path.append(parent[path[-1]])
    return path[::-1], len(path) - 1


@statement.proves(
    "on arm a, k steps back from (a, l - 1) lead to (a, l - 1 - k), through the one edge into each node with t >= "
    "1; the centre (t = 0) is met first at k = l - 1, and the nodes met are r_{l-1}, .., r_0"
)
def backwards() -> bool:
    a, b, s, k, length = sp.symbols("a b s k l", integer=True)
    here = length - 1 - k
    step = sp.solve([sp.Eq(b, a), sp.Eq(s + 1, here)], [b, s], dict=True)
    meets = sp.solve(sp.Eq(here, 0), k)
    return (
        len(step) == 1
        and sp.expand(step[0][s] - here.subs(k, k + 1)) == 0
        and step[0][b] == a
        and meets == [length - 1]
    )


@statement.confirms(
    "the solver is right on every instance with l - 1 look-ups, and in-degrees are 1 but for the start's 0",
    instances="all graphs with d <= 4 arms of l <= 5 nodes, every goal",
)
def solved() -> bool:
    found = [(star, length) for d, length in SIZES for star in stars(d, length)]
    single = all(len(s.parents(node)) == (node != s.target[0]) for s, _ in found for node in s.nodes)
    return single and all(solve(star) == (list(star.target), length - 1) for star, length in found)
