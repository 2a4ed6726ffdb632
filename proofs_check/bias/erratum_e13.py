"""Printed: Fig. 1 says that word 3 appears after context A only, Fig. 2 that words 1 and 5 both follow A and B.

The supports of the toy data are {1, 2, 5}, {1, 4, 5} and {2, 3, 4}. However the names A, B, C are given to them, the
two captions are not both true. Repaired: words 1 and 5 follow the same two contexts, and word 3 only the third.
"""

from __future__ import annotations

import itertools

from ..statement import Statement

statement = Statement(
    "bias/erratum-E13",
    source="2402.18551 captions of Figs. 1, 2",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/figure-toy"],
)

SUPPORTS = ({1, 2, 5}, {1, 4, 5}, {2, 3, 4})


def after(word: int, names: tuple[set[int], ...]) -> set[str]:
    """The contexts that a word follows."""
    return {name for name, support in zip("ABC", names, strict=True) if word in support}


@statement.refutes(
    "none of the 3! ways to name the contexts makes both captions true, and each caption alone is true in some"
)
def all_namings() -> bool:
    namings = list(itertools.permutations(SUPPORTS))
    first = [after(3, names) == {"A"} for names in namings]
    second = [after(1, names) >= {"A", "B"} and after(5, names) >= {"A", "B"} for names in namings]
    return any(first) and any(second) and not any(a and b for a, b in zip(first, second, strict=True))


@statement.proves(
    "in every naming words 1 and 5 follow the same two contexts, and word 3 follows exactly the other one"
)
def repaired() -> bool:
    return all(
        after(1, names) == after(5, names) == set("ABC") - after(3, names) and len(after(3, names)) == 1
        for names in itertools.permutations(SUPPORTS)
    )
