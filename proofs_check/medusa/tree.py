"""A tree of the s_k best tokens of each head k has sum_k prod_(i<=k) s_i new tokens, and checks all its paths at once.

For s = (2, 3) these are 2 + 6 = 8. A node attends to the text and to its ancestors alone, and its position is its
depth. Then its outputs are those of its path run as a chain: masked tokens add nothing to the sums of attention.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement("medusa/tree", source="2401.10774", verdict="proved")

Path = tuple[int, ...]


def nodes(sizes: tuple[int, ...]) -> list[Path]:
    levels = (itertools.product(*map(range, sizes[:k])) for k in range(1, len(sizes) + 1))
    return [path for level in levels for path in level]


def states(paths: list[Path], layers: int) -> dict[Path, Fraction]:
    """Attention with positive rational weights 1 + (h_i h_j)^2 over ancestors and self; the root () is the text."""
    h = {path: Fraction(sum(path[-1:]) + 1, len(path) + 2) for path in [(), *paths]}
    for _ in range(layers):
        new = {}
        for path in h:
            seen = [other for other in h if other == path[: len(other)]]  # the mask
            weights = [1 + (h[path] * h[other]) ** 2 for other in seen]
            values = [h[other] for other in seen]
            mean = sum((w * v for w, v in zip(weights, values, strict=True)), Fraction(0)) / sum(weights, Fraction(0))
            new[path] = h[path] + mean
        h = new
    return h


@statement.proves("every one of M nodes of a level has s children, so the next level has M s: the sum of products")
def levels() -> bool:
    node, M, s = sp.symbols("node M s", integer=True, positive=True)
    children = split(sp.Sum(sp.Sum(1, (sp.Symbol("child"), 1, s)).doit(), (node, 1, M)))
    return bool(children == M * s)


@statement.proves("s = (2, 3): 8 new tokens")
def eight() -> bool:
    return len(nodes((2, 3))) == 8


@statement.proves(
    "one layer: with weights mask x e over N nodes, the A ancestors first, numerator and denominator are the chain's; "
    "so by induction over layers all states on the path are, as tokens and positions (depths) are the same"
)
def masked() -> bool:
    j, A, more = sp.symbols("j A more", integer=True, positive=True)
    e, v = sp.IndexedBase("e"), sp.IndexedBase("v")

    def over_tree(summand: sp.Expr, mask_of_others: int) -> sp.Expr:
        return sp.Sum(summand, (j, 1, A)) + sp.Sum(mask_of_others * summand, (j, A + 1, A + more)).doit()

    chain = sp.Sum(e[j] * v[j], (j, 1, A)) / sp.Sum(e[j], (j, 1, A))
    return bool(over_tree(e[j] * v[j], 0) / over_tree(e[j], 0) == chain)


@statement.confirms(
    "two layers of rational attention: every node's state is the one of its path as a chain",
    instances="trees (2, 3), (2, 2, 2) and a ragged one",
)
def as_chains() -> bool:
    trees = [nodes((2, 3)), nodes((2, 2, 2)), [(0,), (1,), (0, 0), (0, 2), (0, 2, 1)]]
    return all(
        states(tree, 2)[path] == states([path[:k] for k in range(1, len(path) + 1)], 2)[path]
        for tree in trees
        for path in tree
    )


@statement.confirms("nodes counted", instances="up to 3 heads of up to 4 tokens")
def counted() -> bool:
    return all(
        len(nodes(sizes)) == sum(sp.prod(sizes[:k]) for k in range(1, len(sizes) + 1))
        for heads in (1, 2, 3)
        for sizes in itertools.product(range(1, 5), repeat=heads)
    )
