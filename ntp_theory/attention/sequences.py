"""`TokenSequences`: inputs with a label each, for attention whose one query is the last token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import check_weights, dense, generator, sum_tolerance, whole
from ..errors import DatasetError, UsageError

__all__ = ["TokenSequences"]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TokenSequences:
    """Inputs ``x_1 .. x_T`` of tokens, each with a label that occurs in it; the query is the last token of the input.

    Parameters
    ----------
    inputs : sequence of sequences of int
        Tokens from 0; lengths may differ.
    labels : sequence of int
        One for each input, among its tokens: a head that is fixed to copy tokens can say no other.
    weights : array (n,), optional
        pi_i, positive and with sum 1; uniform if not given.
    vocab_size : int, optional
        V; the largest token plus 1 if not given.

    Raises
    ------
    DatasetError
        If an input is empty, a label does not occur in its input, or weights do not fit.
    UsageError
        If a token is no whole number in range, or inputs or labels are no sequences.

    Notes
    -----
    Embeddings are the unit vectors of the tokens, so the attention weights are scores W (V, V) of tokens for
    queries. Source: 2403.08081 (`attention/convex-loss`).

    Examples
    --------
    >>> data = TokenSequences([[0, 1, 2], [1, 0, 2]], [0, 1])
    >>> data.num_inputs, data.vocab_size, data.queries
    (2, 3, (2, 2))
    """

    inputs: tuple[tuple[int, ...], ...]
    labels: tuple[int, ...]
    weights: Tensor
    vocab_size: int

    def __init__(
        self,
        inputs: Sequence[Iterable[int]],
        labels: Iterable[int],
        weights: ArrayLike | Tensor | None = None,
        *,
        vocab_size: int | None = None,
    ) -> None:
        most = None if vocab_size is None else whole("vocab_size", vocab_size, at_least=1) - 1
        rows = tuple(_tokens(f"inputs[{i}]", row, most) for i, row in enumerate(_items("inputs", inputs)))
        said = _tokens("labels", labels, most)
        if not rows or len(rows) != len(said):
            raise DatasetError(
                f"there are {len(rows)} inputs and {len(said)} labels; one label for each of some inputs"
            )
        for i, (row, y) in enumerate(zip(rows, said, strict=True)):
            if not row:
                raise DatasetError(f"inputs[{i}] is empty; every input must have a token")
            if y not in row:
                raise DatasetError(
                    f"labels[{i}] is {y}, which is not in inputs[{i}], {row}; a label is one of its tokens"
                )
        pi = np.full(len(rows), 1 / len(rows))
        if weights is not None:
            pi = dense("weights", weights, 1)
            check_weights(pi, len(rows), sum_tolerance(weights))
        size = max(max(row) for row in rows) + 1 if most is None else most + 1
        for name, value in (
            ("inputs", rows),
            ("labels", said),
            ("weights", torch.from_numpy(pi)),
            ("vocab_size", size),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def random(
        cls,
        vocab_size: int,
        num_inputs: int,
        length: int,
        *,
        num_queries: int | None = None,
        ranked: bool = False,
        rng: int | np.random.Generator = 0,
    ) -> TokenSequences:
        """Inputs of independent tokens, labels drawn from the positions.

        Parameters
        ----------
        vocab_size, num_inputs, length : int
        num_queries : int, optional
            How many tokens, the first ones, may come last; all if not given.
        ranked : bool
            Labels are the first token of the input in an order of all tokens that is drawn for every query: realizable
            data, whose graphs have no cycles.
        rng : int or numpy.random.Generator

        Raises
        ------
        UsageError
            If a number is out of range.

        Examples
        --------
        >>> TokenSequences.random(4, 3, 5, num_queries=1).queries
        (0, 0, 0)
        """
        size = whole("vocab_size", vocab_size, at_least=1)
        count, length = whole("num_inputs", num_inputs, at_least=1), whole("length", length, at_least=1)
        last = size if num_queries is None else whole("num_queries", num_queries, at_least=1, at_most=size)
        r = generator(rng)
        inputs = r.integers(0, size, (count, length))
        inputs[:, -1] = r.integers(0, last, count)
        places = r.integers(0, length, count)
        if ranked:
            ranks = np.stack([r.permutation(size) for _ in range(last)])
            places = ranks[inputs[:, -1:], inputs].argmin(1)
        return cls(inputs.tolist(), inputs[np.arange(count), places].tolist(), vocab_size=size)

    @property
    def num_inputs(self) -> int:
        """n."""
        return len(self.inputs)

    @cached_property
    def queries(self) -> tuple[int, ...]:
        """The last token of every input."""
        return tuple(row[-1] for row in self.inputs)

    @cached_property
    def distinct(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Of every input, its distinct tokens, the label first, each with how often it occurs."""
        return tuple(
            tuple((x, row.count(x)) for x in (y, *sorted(set(row) - {y})))
            for row, y in zip(self.inputs, self.labels, strict=True)
        )

    def __repr__(self) -> str:
        return f"<TokenSequences: {self.num_inputs} inputs, {self.vocab_size} tokens, {len(set(self.queries))} queries>"


def _items(name: str, values: object) -> list[object]:
    try:
        return list(values)  # type: ignore[call-overload, no-any-return]
    except TypeError:
        raise UsageError(f"{name} is {values!r}; it must be a sequence") from None


def _tokens(name: str, values: object, most: int | None) -> tuple[int, ...]:
    return tuple(whole(f"{name}[{i}]", x, at_least=0, at_most=most) for i, x in enumerate(_items(name, values)))
