"""Reversing the target and reversing the whole sequence are different objectives.

Reversed targets keep the prefix and write the target from goal to start. "AR with reverse" (Kitouni et al. 2024) also
trains on the whole sequence backwards: it begins with the goal and ends in the edge list, so it predicts the path
before the graph. As permutations of the n places of a line, m of them prefix, they differ at the first place for
every size.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, stars, text, tokens
from ..statement import Statement

statement = Statement("pitfalls/whole-sequence-reverse", source="Kitouni et al. 2024", verdict="proved")


def reverse_target(line: list[int], prefix: int) -> list[int]:
    """The target backwards after the prefix."""
    return line[:prefix] + line[prefix:][::-1]


@statement.proves(
    "place 0 is the source of place 0 when the target is reversed, and place n - 1 when the whole is; n - 1 > 0 "
    "as the prefix has m >= 1 and the target l >= 1 places"
)
def differ() -> bool:
    length = sp.Symbol("l", integer=True, positive=True)
    m = 1 + sp.Symbol("more", integer=True, nonnegative=True)
    n, place = m + length, sp.Symbol("place", integer=True, nonnegative=True)
    target = sp.Piecewise((place, place < m), (m + (n - 1 - place), True))
    whole = n - 1 - place
    both_reverse_the_target = (
        sp.expand(target.args[1][0].subs(place, m) - (n - 1)) == 0 and whole.subs(place, 0) == n - 1
    )
    return bool(target.subs(place, 0) == 0 and (n - 1).is_positive and both_reverse_the_target)


@statement.proves(
    "the whole of a G(2, 5) line backwards begins with the goal, ends with its first edge, child before parent"
)
def five() -> bool:
    right = []
    for star in stars(2, 5):
        whole = tokens(text(star), 9)[::-1]
        right.append(whole[0] == star.target[-1] and whole[-2:] == list(star.edges[0])[::-1])
        right.append(whole[:5] == list(star.target)[::-1] and whole[5] == 10)
    return all(right)


@statement.confirms("the two reversed lines differ", instances="all graphs with d <= 4 arms of l <= 5 nodes")
def lines() -> bool:
    right = []
    for d, length in SIZES:
        for star in stars(d, length):
            line = tokens(text(star), d * (length - 1) + 1)
            right.append(reverse_target(line, len(line) - length) != line[::-1])
    return all(right)
