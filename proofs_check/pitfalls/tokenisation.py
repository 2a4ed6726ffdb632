"""With one token a node id and one each for |, = and /, a prefix has 3 d (l - 1) + 3 tokens and a line l more.

Ids are 0..N-1, then | is N, = is N + 1, / is N + 2, $ is N + 3 (vocabulary N + 4); commas are dropped. G(2, 5): a
prefix of 27 tokens, 32 with the target, of which 31 are model inputs.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, stars, text, tokens
from ..statement import Statement

statement = Statement(
    "pitfalls/tokenisation",
    source="Next-Token-Failures b925a1e",
    verdict="proved",
    needs=["pitfalls/path-star", "pitfalls/serialisation"],
)


@statement.proves(
    "2 tokens an edge, a | between edges, then /, start, goal and =: 3 d (l - 1) + 3 in all, for every d and l"
)
def prefix_length() -> bool:
    d, length = sp.symbols("d l", integer=True, positive=True)
    edges = d * (length - 1)
    parts = 2 * edges + (edges - 1) + 1 + 2 + 1
    return bool(sp.expand(parts - (3 * d * (length - 1) + 3)) == 0)


@statement.confirms(
    "the tokens of printed texts", instances="all graphs with d <= 4 arms of l <= 5 nodes, N = |V| and |V| + 7"
)
def printed() -> bool:
    right = []
    for d, length in SIZES:
        for star in stars(d, length):
            for ids in (d * (length - 1) + 1, d * (length - 1) + 8):
                line = tokens(text(star), ids)
                prefix = line.index(ids + 1) + 1
                right.append((prefix, len(line)) == (3 * d * (length - 1) + 3, 3 * d * (length - 1) + 3 + length))
                right.append(tuple(line[prefix:]) == star.target and max(line) == ids + 2)
    return all(right)


@statement.proves("G(2, 5): 27 tokens of prefix, 32 in all, 31 model inputs")
def example() -> bool:
    line = tokens(text(next(stars(2, 5))), 50)
    return (line.index(51) + 1, len(line), len(line[:-1])) == (27, 32, 31)
