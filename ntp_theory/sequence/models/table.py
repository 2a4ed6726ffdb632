"""Models that are tables: the law of the next token after the last few tokens, in fractions, and as a network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...doors import generator, instance, whole
from ...errors import UsageError
from .embedding import LanguageModel

__all__ = ["Table", "TableModel", "TokenCache"]

# exp of it is 0 in every precision, and 0 times it is 0, as it would not be for an infinity.
IMPOSSIBLE = -1e30


@dataclass(frozen=True)
class Table:
    """Laws of the next token in rational numbers: what exact laws of decoders are enumerated with.

    Attributes
    ----------
    vocab_size : int
        v.
    memory : int
        How many of the last tokens count; a text that is shorter counts whole.
    rows : mapping of tuple of int to tuple of Fraction
        The law (v,) after every text of at most ``memory`` tokens.

    Raises
    ------
    UsageError
        If a row is missing, has another length than v, has a negative entry or does not sum to 1.

    Examples
    --------
    >>> third = Fraction(1, 3)
    >>> table = Table(2, 1, {(): (third, 2 * third), (0,): (third, 2 * third), (1,): (Fraction(1), Fraction(0))})
    >>> table.law([0, 1])
    array([Fraction(1, 1), Fraction(0, 1)], dtype=object)
    """

    vocab_size: int
    memory: int
    rows: Mapping[tuple[int, ...], tuple[Fraction, ...]]

    def __post_init__(self) -> None:
        whole("vocab_size", self.vocab_size, at_least=1)
        whole("memory", self.memory, at_least=0)
        for text in contexts(self.vocab_size, self.memory):
            row = self.rows.get(text, ())
            if len(row) != self.vocab_size or min(row) < 0 or sum(row) != 1:
                raise UsageError(f"rows[{text}] is {row}; it must be {self.vocab_size} probabilities that sum to 1")

    @classmethod
    def random(
        cls, vocab_size: int, memory: int, *, largest: int = 9, zeros: bool = False, rng: int | np.random.Generator = 0
    ) -> Table:
        """Laws in proportion to whole numbers up to ``largest``, from 1, or from 0 if ``zeros`` are wanted.

        Examples
        --------
        >>> Table.random(2, 0, rng=1).rows
        {(): (Fraction(1, 2), Fraction(1, 2))}
        """
        whole("vocab_size", vocab_size, at_least=1)
        rng, rows = generator(rng), {}
        for text in contexts(vocab_size, memory):
            counts = rng.integers(0 if zeros else 1, largest, size=vocab_size, endpoint=True)
            counts[rng.integers(vocab_size)] += not counts.any()
            rows[text] = tuple(Fraction(int(count), int(counts.sum())) for count in counts)
        return cls(vocab_size, memory, rows)

    def law(self, text: Sequence[int]) -> NDArray[np.object_]:
        """The law (v,) of the token after a text, in fractions."""
        return np.array(self.rows[tuple(text[max(0, len(text) - self.memory) :])], dtype=object)


class TableModel(LanguageModel):
    """A `Table` as a network in double precision: a feature for every text that counts, and its log-odds as the head.

    Parameters
    ----------
    table : Table

    Examples
    --------
    >>> table = Table.random(3, 2, rng=0)
    >>> text = torch.tensor([[2, 0, 1]])
    >>> law = TableModel(table)(text)[0, -1].softmax(-1)
    >>> bool(np.allclose(law.detach(), table.law([2, 0, 1]).astype(float), atol=1e-15))
    True
    """

    def __init__(self, table: Table) -> None:
        instance("table", table, Table)
        super().__init__()
        self.table = table
        laws = np.array([table.rows[text] for text in contexts(table.vocab_size, table.memory)], dtype=float)
        self.head = nn.Linear(len(laws), table.vocab_size, bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(laws).log().clamp(min=IMPOSSIBLE).T)

    def features(self, tokens: Tensor, cache: TokenCache | None = None) -> Tensor:
        """One-hot vectors (b, t, number of texts that count)."""
        v, memory = self.table.vocab_size, self.table.memory
        if tokens.dim() != 2 or bool(((tokens < 0) | (tokens >= v)).any()):
            raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be (b, t), of tokens below {v}")
        start = cache.length if cache is not None else 0
        if cache is not None:
            tokens = cache.tokens = tokens if cache.tokens is None else torch.cat([cache.tokens, tokens], dim=1)
        # texts are numbered by length, and then as numbers with the digits 0 .. v - 1
        place = torch.zeros_like(tokens)
        for back in range(min(memory, tokens.shape[1])):
            seen = tokens[:, : tokens.shape[1] - back]
            place[:, back:] += (seen + 1) * v**back
        return nn.functional.one_hot(place[:, start:], self.head.in_features).to(self.head.weight.dtype)

    def new_cache(self) -> TokenCache:
        """No tokens yet."""
        return TokenCache()


@dataclass
class TokenCache:
    """The tokens so far, (b, t)."""

    tokens: Tensor | None = None

    @property
    def length(self) -> int:
        """How many positions there are."""
        return 0 if self.tokens is None else self.tokens.shape[1]

    def truncate(self, length: int) -> None:
        """Forget all positions from ``length`` on."""
        if self.tokens is not None:
            self.tokens = self.tokens[:, :length]

    def pick(self, rows: Tensor) -> None:
        """Go on with these texts of the batch, in this order."""
        if self.tokens is not None:
            self.tokens = self.tokens[rows]


def contexts(vocab_size: int, memory: int) -> list[tuple[int, ...]]:
    """All texts of at most ``memory`` tokens, short ones first.

    Examples
    --------
    >>> contexts(2, 1)
    [(), (0,), (1,)]
    """
    return [text for length in range(memory + 1) for text in itertools.product(range(vocab_size), repeat=length)]
