"""`Multiplication`: two factors with filler zeros, and their product, all digits in reverse."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...doors import generator, one_of, whole
from ...errors import DatasetError, UsageError
from .batch import Batch
from .splits import drawn_in_split, hashed, held_out
from .task import SPLITS, Task

__all__ = ["Multiplication"]

Digits = NDArray[np.int64]
TIMES, EQUALS, DUMMY = 10, 11, 12
SYMBOLS = "0123456789*=$"


class Multiplication(Task):
    """Products of two whole numbers, one token a digit, the last digit first: ``x*y=xy``.

    Parameters
    ----------
    digits : int
        The most digits of a factor. Each factor has 1 to so many, uniformly, and is uniform among the numbers of so
        many digits or fewer.
    padding : int, optional
        Digits with which a factor is written, the last of them zeros; ``digits`` if None. More of them say nothing:
        they are positions at which a model may already compute.

    Raises
    ------
    UsageError
        If a number is too small.

    Notes
    -----
    Source: the public code of 2404.00859 (`planning/multiplication`). The product is written with ``2 digits`` digits
    whatever the padding. Whether a pair of factors is held out for tests is decided by a hash in which their order
    does not count, so no question of the tests is trained on the other way round.

    Examples
    --------
    >>> task = Multiplication(digits=2, padding=3)
    >>> task.format((12, 34))
    '210*430=8040'
    >>> batch = task.sample(1000, rng=0)
    >>> batch.prompts.shape, batch.answers.shape
    (torch.Size([1000, 8]), torch.Size([1000, 4]))
    >>> bool(task.is_correct(batch, batch.answers).all())
    True
    """

    def __init__(self, digits: int, padding: int | None = None) -> None:
        self.digits = whole("digits", digits, at_least=1)
        self.padding = self.digits if padding is None else whole("padding", padding, at_least=self.digits)

    @property
    def vocab_size(self) -> int:
        """Ten digits, ``*``, ``=`` and the dummy."""
        return len(SYMBOLS)

    @property
    def max_length(self) -> int:
        """Positions of a question with its answer."""
        return 2 * self.padding + 2 + 2 * self.digits

    @property
    def depth(self) -> int:
        """Four layers."""
        return 4

    @property
    def dummy(self) -> int:
        """The token ``$`` that stands for answer tokens which are not to be seen."""
        return DUMMY

    def __repr__(self) -> str:
        return f"Multiplication(digits={self.digits}, padding={self.padding})"

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n products, drawn independently.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            Draw from the pairs for training, or from those that are held out; from all if None.

        Returns
        -------
        Batch
            Int64 tensors on the CPU.

        Raises
        ------
        UsageError
            If an argument is out of range.
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        if split is not None:
            one_of("split", split, SPLITS)
        rounds = drawn_in_split(n, split, lambda count: self._draw(count, random), _held_out)
        return self._batch(np.concatenate([drawn[chosen] for drawn, chosen in rounds]))

    def held_out(self, batch: Batch) -> Tensor:
        """Which questions are of the split "test"; bool (b,).

        Examples
        --------
        >>> task = Multiplication(3)
        >>> [bool(task.held_out(task.sample(100, split=split)).any()) for split in SPLITS]
        [False, True]
        """
        return torch.from_numpy(_held_out(self._factors(batch)))

    def factors(self, batch: Batch) -> list[tuple[int, int]]:
        """The pairs of factors of a batch; `batch` turns them back.

        Examples
        --------
        >>> task = Multiplication(2, 5)
        >>> task.factors(task.batch([(7, 8), (90, 0)]))
        [(7, 8), (90, 0)]
        """
        return [(_number(x), _number(y)) for x, y in self._factors(batch)]

    def batch(self, factors: Sequence[tuple[int, int]]) -> Batch:
        """Pairs of factors as a batch.

        Raises
        ------
        UsageError
            If there is none, or one has a factor below 0 or with too many digits.
        """
        if not factors:
            raise UsageError("factors is empty; it must have at least one pair")
        rows = []
        for i, (x, y) in enumerate(factors):
            for name, value in ((f"factors[{i}][0]", x), (f"factors[{i}][1]", y)):
                whole(name, value, at_least=0, at_most=10**self.digits - 1)
            rows.append([_digits(x, self.digits), _digits(y, self.digits)])
        return self._batch(np.array(rows, dtype=np.int64))

    def format(self, factors: tuple[int, int]) -> str:
        """Question and answer as text."""
        batch = self.batch([factors])
        return "".join(SYMBOLS[token] for token in batch.with_tokens(batch.answers)[0].tolist())

    def parse(self, text: str) -> tuple[int, int]:
        """The factors of a question, with its answer or without.

        Raises
        ------
        DatasetError
            If it is not of the form of this task, a factor has too many digits, or the answer is wrong.

        Examples
        --------
        >>> Multiplication(2).parse("21*43=8040")
        (12, 34)
        """
        found = re.fullmatch(rf"([0-9]{{{self.padding}}})\*([0-9]{{{self.padding}}})=([0-9]*)", text.strip())
        if found is None:
            raise DatasetError(f"text is {text!r}; {self!r} is written as {self.format((1, 1))}")
        x, y = (int(word[::-1]) for word in found.groups()[:2])
        if max(x, y) >= 10**self.digits:
            raise DatasetError(f"text is {text!r}; {max(x, y)} has more than {self.digits} digits")
        right = self.format((x, y)).partition("=")[2]
        if found[3] not in ("", right):
            raise DatasetError(f"text is {text!r}; the answer is {right}")
        return x, y

    def solve(self, batch: Batch) -> Tensor:
        """The answers (b, 2 digits), from the questions alone."""
        return torch.from_numpy(_products(self._factors(batch)))

    def is_correct(self, batch: Batch, answers: Tensor) -> Tensor:
        """Which answers (b, 2 digits) are the product; bool (b,)."""
        if answers.shape != batch.answers.shape:
            raise UsageError(f"answers has shape {tuple(answers.shape)}; it must be {tuple(batch.answers.shape)}")
        return (answers.cpu() == self.solve(batch)).all(dim=1)

    def _draw(self, count: int, random: np.random.Generator) -> Digits:
        """Digits (count, 2, digits) of the factors, the last first."""
        sizes = random.integers(1, self.digits + 1, size=(count, 2, 1))
        digits = random.integers(10, size=(count, 2, self.digits))
        return np.where(np.arange(self.digits) < sizes, digits, 0)

    def _batch(self, factors: Digits) -> Batch:
        prompts = np.zeros((len(factors), 2, self.padding + 1), dtype=np.int64)
        prompts[:, :, : self.digits] = factors
        prompts[:, :, -1] = TIMES, EQUALS
        return Batch(torch.from_numpy(prompts.reshape(len(factors), -1)), torch.from_numpy(_products(factors)))

    def _factors(self, batch: Batch) -> Digits:
        """Digits (b, 2, digits) of the factors."""
        return batch.prompts.cpu().numpy().reshape(len(batch), 2, self.padding + 1)[:, :, : self.digits]


def _products(factors: Digits) -> Digits:
    """Digits (b, 2 d) of the products by long multiplication: exact however many they are."""
    count, _, d = factors.shape
    total = np.zeros((count, 2 * d), dtype=np.int64)
    for place in range(d):
        total[:, place : place + d] += factors[:, 0, place, None] * factors[:, 1]
    for place in range(2 * d - 1):
        carry, total[:, place] = np.divmod(total[:, place], 10)
        total[:, place + 1] += carry
    return total


def _held_out(factors: Digits) -> NDArray[np.bool_]:
    """Which pairs belong to the tests; their order does not count."""
    first, second = hashed(factors[:, 0]), hashed(factors[:, 1])
    return held_out(hashed((first + second)[:, None]))


def _digits(value: int, count: int) -> list[int]:
    return [int(digit) for digit in reversed(f"{value:0{count}d}")]


def _number(digits: Digits) -> int:
    return int("".join(map(str, digits[::-1].tolist())))
