"""The loss of n parallel heads is the sum of n shifted cross-entropies.

    L_n  =  - sum_t log P(x_(t+1) .. x_(t+n) | z_t)  =  - sum_(i=1..n) sum_t log P_i(x_(t+i) | z_t)

Given the trunk's output z_t the heads' tokens are independent, so the probability of the window is the product of the
heads' probabilities; head i is a next-token predictor whose targets are shifted by i. All heads have weight 1.
"""

from __future__ import annotations

import random
from fractions import Fraction

import sympy as sp

from ..kit.decoding import law, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement("multitoken/loss", source="2404.19737 Sec. 2", verdict="proved")


@statement.proves("one head more multiplies the window's probability by P_(n+1), so it adds -log P_(n+1), for every n")
def one_head_more() -> bool:
    window, head = sp.symbols("W P", positive=True)
    return bool(sp.expand_log(-sp.log(window * head)) - (-sp.log(window) - sp.log(head)) == 0)


@statement.proves("summed over T positions: L_(n+1) - L_n is the cross-entropy of head n + 1, for every n and T")
def one_cross_entropy_more() -> bool:
    t, T = sp.symbols("t T", integer=True, positive=True)
    so_far, head = sp.IndexedBase("w"), sp.IndexedBase("h")  # -log of the window's and of the head's probability at t
    grown = split(sp.Sum(so_far[t] + head[t], (t, 1, T)))
    return bool(grown - sp.Sum(so_far[t], (t, 1, T)) == sp.Sum(head[t], (t, 1, T)))


@statement.confirms(
    "exp(-L_n) in fractions: the windows' probabilities, from the branches of all heads' draws, against the product of "
    "the heads' probabilities at shifted targets",
    instances="4 random texts of 7 tokens, V = 3, n = 3",
)
def windows() -> bool:
    def equal(seed: int) -> bool:
        numbers = random.Random(seed)
        text, n = [numbers.randrange(3) for _ in range(7)], 3
        heads = [table(10 * seed + i, 3, 2, width=1) for i in range(n)]  # head i after the last token

        def drawn(seen: tuple[int, ...]) -> dict[tuple[int, ...], Fraction]:
            return law(lambda choose: tuple(choose(head(seen)) for head in heads))

        by_window, by_head = Fraction(1), Fraction(1)
        for t in range(len(text) - n):
            by_window *= drawn((text[t],))[tuple(text[t + 1 : t + 1 + n])]
        for i, head in enumerate(heads, 1):
            for token, target in zip(text[: len(text) - n], text[i : len(text) - n + i], strict=True):
                by_head *= head((token,))[target]
        return by_window == by_head

    return all(equal(seed) for seed in range(4))
