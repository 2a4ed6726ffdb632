"""One position per edge: d (l - 1) + 3 + (l - 1) inputs, the first prediction at "=", place P = d (l - 1) + 3.

Inputs: the shuffled edges (u, v), each E_from[u] + E_to[v]; start, goal and "=" from E_tok; l - 1 target inputs from
E_tok ("$" when teacherless). G(2, 5) has 15 inputs, G(2, 4) has 12, against 31 tokens in the text form. The encoding
determines the instance. With width w, L layers and N + 5 ids the parameters of the model number

    3 (N + 5) w + (P + l) w + L (12 w^2 + 13 w) + 2 w + (N + 5) w

(three tables; P + l places; attention, an MLP of factor 4 and two norms a layer; final norm; output without bias):
254,656 for G(2, 5), N = 9, L = 5, w = 64; 265,152 for N = 50; 203,968 for G(2, 4), N = 7, L = 4.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, pack, parse, stars, text, tokens, unpack
from ..statement import Statement

statement = Statement(
    "pitfalls/edge-packed",
    source="own encoding",
    verdict="certified on a domain",
    needs=["pitfalls/serialisation", "pitfalls/tokenisation"],
)


@statement.certifies(
    "lengths, the place of '=', and packed and printed forms decode to the same instance",
    domain="all graphs with d <= 4 arms of l <= 5 nodes",
)
def encoding() -> bool:
    right = []
    for d, length in SIZES:
        ids = d * (length - 1) + 1
        for star in stars(d, length):
            places = pack(star, ids)
            right.append(len(places) == d * (length - 1) + 3 + (length - 1))
            right.append(places[d * (length - 1) + 2] == ("tok", (ids + 1,)))
            right.append(unpack(places) == parse(text(star)) == star)
            blind = pack(star, ids, teacherless=True)
            right.append(blind[-(length - 1) :] == [("tok", (ids + 3,))] * (length - 1) and len(blind) == len(places))
    return all(right)


@statement.proves("15 inputs for G(2, 5) and 12 for G(2, 4), against 31 tokens")
def lengths() -> bool:
    five, four = next(stars(2, 5)), next(stars(2, 4))
    return (len(pack(five, 9)), len(pack(four, 7)), len(tokens(text(five), 9)[:-1])) == (15, 12, 31)


def parameters(d: int, length: int, ids: int, layers: int, w: int = 64) -> int:
    """By parts."""

    def linear(rows: int, columns: int) -> int:
        return rows * columns + columns  # weights and biases

    norm = 2 * w
    attention, mlp = linear(w, 3 * w) + linear(w, w), linear(w, 4 * w) + linear(4 * w, w)
    places = d * (length - 1) + 3 + length
    return 3 * (ids + 5) * w + places * w + layers * (attention + mlp + 2 * norm) + norm + (ids + 5) * w


@statement.proves("a layer has 12 w^2 + 13 w parameters for every width")
def layer() -> bool:
    w = sp.Symbol("w", integer=True, positive=True)
    parts = [w * 3 * w + 3 * w, w * w + w, w * 4 * w + 4 * w, 4 * w * w + w, 2 * w, 2 * w]
    return bool(sp.expand(sum(parts) - (12 * w**2 + 13 * w)) == 0)


@statement.proves("the three parameter counts")
def counts() -> bool:
    return [parameters(2, 5, 9, 5), parameters(2, 5, 50, 5), parameters(2, 4, 7, 4)] == [254_656, 265_152, 203_968]
