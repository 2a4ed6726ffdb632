"""The n-step loss counts a choice point n(n+1)/2 times, and an inconsequential transition n times: a ratio (n+1)/2.

Under teacher forcing on the better branch, a model that prefers the other branch predicts wrong tokens as long as it
has not seen the choice: at the a-th position before it, a = 0 .. n-1, with the heads that reach beyond it, i > a. An
inconsequential transition can only be missed at its own token: once from each of n positions. What is counted is wrong
most likely tokens (0-1 terms), not cross-entropy.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement("multitoken/choice-points", source="2404.19737 Sec. 5.1, App. L.3", verdict="proved")

a, i, n = sp.symbols("a i n", integer=True, positive=True)


def wrong(heads: int, path: str, choice: int, missed: str) -> set[str]:
    """Pairs (position, target) that a model misses which expects other tokens for ``missed`` until it sees one."""
    first = path.index(missed[0])
    found = set()
    for t in range(choice + heads):
        for head in range(1, heads + 1):
            target = t + head
            if t < first and target < len(path) and path[target] in missed:
                found.add(path[t] + path[target])
    return found


@statement.proves("a choice point: sum over a = 0 .. n-1 of the heads i = a+1 .. n gives n(n+1)/2, for every n")
def choice() -> bool:
    heads = sp.Sum(1, (i, a + 1, n)).doit()
    return bool(sp.expand(sp.Sum(heads, (a, 0, n - 1)).doit() - n * (n + 1) / 2) == 0)


@statement.proves("an inconsequential transition: from position a only head i = a + 1 meets it, n terms; ratio (n+1)/2")
def transition() -> bool:
    once = sp.Sum(sp.Sum(1, (i, a + 1, a + 1)).doit(), (a, 0, n - 1)).doit()
    return bool(sp.simplify(once - n) == 0 and sp.simplify(n * (n + 1) / 2 / once - (n + 1) / 2) == 0)


@statement.proves("Fig. 9, n = 3, the choice after 5: the terms are 3A 4A 4B 5A 5B 5C; a transition A: 3A 4A 5A")
def figure() -> bool:
    path = "12345ABCDE"
    return wrong(3, path, 4, "ABCDE") == {"3A", "4A", "4B", "5A", "5B", "5C"} and wrong(3, path, 4, "A") == {
        "3A",
        "4A",
        "5A",
    }


@statement.confirms("counted on a path with a choice in its middle", instances="n <= 10")
def counted() -> bool:
    path = "".join(chr(65 + k) for k in range(30))
    return all(
        len(wrong(heads, path, 14, path[15:])) == heads * (heads + 1) // 2
        and len(wrong(heads, path, 14, path[15])) == heads
        for heads in range(1, 11)
    )
