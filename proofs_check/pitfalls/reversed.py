"""With the target reversed, goal to start, every token after the first is a look-up of one edge.

The reversed target is r_{l-1}, .., r_0, and r_{k-1} is the unique parent of r_k: no position needs more than one
edge, given the true previous token. (That such training succeeds fast is a measurement and is not decided here.)
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, stars
from ..statement import Statement

statement = Statement(
    "pitfalls/reversed",
    source="Next-Token-Failures b925a1e; own runs",
    verdict="proved",
    needs=["pitfalls/path-star", "pitfalls/informative-tokens"],
)


@statement.proves("the one edge into node t >= 1 of arm a leaves node t - 1 of it; r_k is node k of the goal's arm")
def unique_parent() -> bool:
    a, b, s, k = sp.symbols("a b s k", integer=True)
    return bool(sp.solve([sp.Eq(b, a), sp.Eq(s + 1, k)], [b, s], dict=True) == [{b: a, s: k - 1}])


@statement.confirms("unique parents along the reversed target", instances="all graphs with d <= 4 arms of l <= 5 nodes")
def graphs() -> bool:
    right = []
    for d, length in SIZES:
        for star in stars(d, length):
            backwards = star.target[::-1]
            right += [star.parents(backwards[k]) == [backwards[k + 1]] for k in range(length - 1)]
    return all(right)
