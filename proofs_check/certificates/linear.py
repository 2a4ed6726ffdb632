"""What all proofs are made of: logits of a decoder, and combinations of constraints."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from operator import mul

from .data import Data, Matrix
from .document import Node
from .errors import RefutedError
from .wording import exact

__all__ = [
    "Finding",
    "Multipliers",
    "check_sums",
    "check_vanishes",
    "combination",
    "margins",
    "off_support",
    "read_multipliers",
]


@dataclass(frozen=True)
class Finding:
    """What a certificate proves: sentences for a reader, figures for a program."""

    words: list[str]
    figures: dict[str, object]


@dataclass(frozen=True)
class Multipliers:
    """Coefficients c_jv of pairs (context, token), as integers over one common denominator."""

    entries: dict[tuple[int, int], int]
    scale: int
    place: str

    def value(self, pair: tuple[int, int]) -> Fraction:
        """c_jv."""
        return Fraction(self.entries[pair], self.scale)

    @property
    def columns(self) -> dict[int, list[tuple[int, int]]]:
        """For every token with an entry: pairs of a context and its integer."""
        columns: dict[int, list[tuple[int, int]]] = {}
        for (j, v), c in self.entries.items():
            columns.setdefault(v, []).append((j, c))
        return columns

    @property
    def num_contexts(self) -> int:
        """How many contexts have an entry."""
        return len({j for j, _ in self.entries})


def read_multipliers(node: Node, data: Data, integers: bool = False) -> Multipliers:
    """A list of distinct entries ``[context, token, coefficient]``, none zero."""
    found: dict[tuple[int, int], Fraction] = {}
    for entry in node.entries():
        context, token, coefficient = entry.entries(3, "entries: context, token, coefficient")
        pair = context.between(0, data.num_contexts - 1), token.between(0, data.vocab_size - 1)
        if pair in found:
            entry.fail(f"the only entry of context {pair[0]}, token {pair[1]}")
        found[pair] = Fraction(coefficient.integer()) if integers else coefficient.rational()
        if found[pair] == 0:
            coefficient.fail("other than 0")
    scale = lcm(*{x.denominator for x in found.values()})
    return Multipliers({p: x.numerator * (scale // x.denominator) for p, x in found.items()}, scale, node.place)


def check_sums(multipliers: Multipliers, data: Data) -> None:
    """The multipliers of every context must sum to 0: ``sum_v c_jv = 0``."""
    sums: dict[int, int] = {}
    for (j, _), c in multipliers.entries.items():
        sums[j] = sums.get(j, 0) + c
    for j, total in sums.items():
        if total:
            value = exact(Fraction(total, multipliers.scale))
            raise RefutedError(
                f"{multipliers.place}: the entries of context {data.context(j)} must sum to 0, not {value}"
            )


def check_vanishes(multipliers: Multipliers, data: Data) -> None:
    """The contexts must cancel for every token: ``sum_j c_jv h_j = 0``."""
    scale = multipliers.scale * data.embeddings.scale
    for v, column in multipliers.columns.items():
        for i, x in enumerate(combination(column, data)):
            if x:
                raise RefutedError(
                    f"{multipliers.place}: sum_j c_jv h_j must be 0 for every token; for token {data.token(v)} its "
                    f"coordinate {i} is {exact(Fraction(x, scale))}"
                )


def off_support(
    multipliers: Multipliers, data: Data, blocked: Container[tuple[int, int]] = ()
) -> list[tuple[int, int]]:
    """The entries off the supports that are not blocked yet, which must be negative."""
    inside = {j: set(data.supports[j]) for j, _ in multipliers.entries}
    pairs = [(j, v) for j, v in multipliers.entries if v not in inside[j] and (j, v) not in blocked]
    for pair in pairs:
        if multipliers.entries[pair] > 0:
            raise RefutedError(
                f"{multipliers.place}: entries off the support must be negative; that of {data.pair(*pair)} is "
                f"{exact(multipliers.value(pair))}"
            )
    return pairs


def combination(column: Iterable[tuple[int, int]], data: Data) -> list[int]:
    """``sum_j c_jv h_j`` for the column of a token, times the scales of the multipliers and the embeddings."""
    total = [0] * data.dim
    for j, c in column:
        total = [a + c * x for a, x in zip(total, data.embeddings.rows[j], strict=True)]
    return total


def margins(direction: Matrix, data: Data, supports: list[list[int]], place: str) -> Iterator[tuple[int, list[int]]]:
    """For every context: by how much each token's logit is below the level of the support.

    The margins are multiplied by the scales of the direction and the embeddings, which makes them integers. The logits
    must be equal on each support.
    """
    distinct: dict[tuple[int, ...], int] = {}  # many rows are equal, most of those zero
    which = [distinct.setdefault(tuple(row), len(distinct)) for row in direction.rows]
    for j, (h, support) in enumerate(zip(data.embeddings.rows, supports, strict=True)):
        values = [sum(map(mul, row, h)) for row in distinct]
        level = values[which[support[0]]]
        for z in support:
            if values[which[z]] != level:
                gap = Fraction(level - values[which[z]], direction.scale * data.embeddings.scale)
                raise RefutedError(
                    f"{place}: logits must be equal on every support; after context {data.context(j)} that of token "
                    f"{data.token(support[0])} exceeds that of token {data.token(z)} by {exact(gap)}"
                )
        yield j, [level - values[k] for k in which]
