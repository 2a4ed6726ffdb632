"""`Text`: next-token prediction on a real text, with stretches of it held out."""

from __future__ import annotations

import itertools
import os
import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...doors import generator, one_of, whole
from ...errors import DatasetError
from ...runs import digest
from ...text import source as sources
from .batch import Batch
from .splits import HELD_OUT, hashed
from .task import SPLITS, Task
from .tokens import tokens_for

__all__ = ["Text", "without_repeats"]


class Text(Task):
    """The next token at every position of windows of a text.

    Parameters
    ----------
    source : str, pathlib.Path or iterable of str
        The text itself, a UTF-8 file, or chunks of text; it is kept in memory.
    length : int
        T, tokens of a window: a model reads the first T - 1 and predicts the last T - 1.
    tokens : {"characters", "bpe"} or path
        Characters, byte pairs, both learned from the training part alone, or the tokenizer of a folder, that of the
        model which `HuggingFace` reads from there. A character that the training part lacks is an unknown one, id 0.
    vocab_size : int, optional
        Byte pairs with the 256 bytes; 1000 if None.
    stretches : int
        The text is cut into so many, with as many characters each; every tenth is held out. No window crosses a cut.

    Raises
    ------
    DatasetError
        If the text is empty, cannot be read, is no text, or is too short for the windows.
    UsageError
        If another argument does not fit, or a package is missing.

    Notes
    -----
    Source: the setting of 2404.00859 (`planning/gpt2-numbers`) on any text. A text that repeats itself shows in
    training what is held out: `repeated` says how much of it, and `without_repeats` takes repeated paragraphs out.

    Examples
    --------
    >>> task = Text("so be it, or not to be; " * 20, length=8, stretches=10)
    >>> batch = task.sample(3, rng=0)
    >>> batch.prompts.shape, batch.answers.shape
    (torch.Size([3, 1]), torch.Size([3, 7]))
    >>> [task.decode(window) for window in batch.with_tokens(batch.answers)]
    ['be; so b', 't to be;', 'e it, or']
    """

    right_answers = False

    def __init__(
        self,
        source: sources.Text,
        length: int,
        *,
        tokens: str | os.PathLike[str] = "characters",
        vocab_size: int | None = None,
        stretches: int = 100,
    ) -> None:
        self.length = whole("length", length, at_least=2)
        self.stretches = whole("stretches", stretches, at_least=HELD_OUT)
        text = "".join(sources.read(source))
        where = sources.describe(source)
        if len(text) < self.stretches:
            raise DatasetError(
                f"{where} holds {len(text)} characters; {self.stretches} stretches need one each at least"
            )
        edges = np.linspace(0, len(text), self.stretches + 1).astype(int).tolist()
        parts = [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        in_train = [k % HELD_OUT != HELD_OUT // 2 for k in range(self.stretches)]
        self.tokens = tokens_for(tokens, "".join(itertools.compress(parts, in_train)), vocab_size)
        ids = [self.tokens.encode(part) for part in parts]
        shortest = min(len(part) for part in ids)
        if shortest < self.length:
            raise DatasetError(
                f"{where} holds {len(text)} characters; the shortest of its {self.stretches} stretches has {shortest} "
                f"tokens, and a window needs {self.length}: take fewer stretches, a smaller length or more text"
            )
        self._ids = np.concatenate(ids)
        ends = np.cumsum([len(part) for part in ids]).tolist()
        self._stretches = {
            split: [
                (end - len(part), end) for part, end, train in zip(ids, ends, in_train, strict=True) if train == want
            ]
            for split, want in (("train", True), ("test", False))
        }
        self._train = self._places("train")
        # the digest tells texts of one length apart
        self._name = (
            f"Text({len(text)} characters, length={self.length}, tokens={str(tokens)!r}, stretches={self.stretches}, "
            f"digest={digest({'ids': self._ids})})"
        )

    @property
    def vocab_size(self) -> int:
        """Token ids."""
        return self.tokens.size

    @property
    def max_length(self) -> int:
        """T."""
        return self.length

    @property
    def depth(self) -> int:
        """Four layers."""
        return 4

    def __repr__(self) -> str:
        return self._name

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n windows, drawn at random.

        Those for training, or of both splits, are drawn independently and uniformly among all places. Those that are
        held out do not overlap, so that as many of them as there are in `windows` count as so many sequences; beyond
        that they come again.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            Draw from the stretches for training, or from those that are held out; from all if None.

        Returns
        -------
        Batch
            Prompts of one token (n, 1), answers (n, T - 1): the loss is at every position that a model reads.

        Raises
        ------
        UsageError
            If an argument is out of range.
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        if split is not None:
            one_of("split", split, SPLITS)
        if split == "test":
            apart = self._places(split, every=self.length)
            rounds = [random.permutation(apart) for _ in range(-(-n // len(apart)))]
            return self._batch(np.concatenate(rounds)[:n])
        starts = self._train if split == "train" else np.concatenate([self._train, self._places("test")])
        return self._batch(random.choice(starts, size=n))

    def windows(self, split: str = "test") -> Batch:
        """All of a split, cut into windows that do not overlap; what is left over at the end of a stretch is dropped.

        Examples
        --------
        >>> task = Text("so be it, or not to be; " * 20, length=8, stretches=10)
        >>> len(task.windows("train")), len(task.windows("test"))
        (54, 6)
        """
        one_of("split", split, SPLITS)
        return self._batch(self._places(split, every=self.length))

    def decode(self, ids: Tensor | NDArray[np.int64]) -> str:
        """The text of token ids (n,)."""
        return self.tokens.decode(np.asarray(ids))

    @property
    def repeated(self) -> float:
        """Share of the windows that are held out which stand, token for token, in a stretch for training.

        Examples
        --------
        >>> Text("so be it, or not to be; " * 20, length=8, stretches=10).repeated
        1.0
        """
        # windows of one key are equal but for a chance of 2^-64 a pair
        keys = hashed(np.lib.stride_tricks.sliding_window_view(self._ids, self.length))
        return float(np.isin(keys[self._places("test", every=self.length)], keys[self._train]).mean())

    def _places(self, split: str, every: int = 1) -> NDArray[np.int64]:
        """Where windows begin that lie within one stretch."""
        last = self.length - 1
        return np.concatenate([np.arange(begin, end - last, every) for begin, end in self._stretches[split]])

    def _batch(self, starts: NDArray[np.int64]) -> Batch:
        windows = torch.from_numpy(self._ids[starts[:, None] + np.arange(self.length)])
        return Batch(windows[:, :1], windows[:, 1:])


def without_repeats(text: str) -> str:
    r"""A text with every paragraph once, the first time; paragraphs end at empty lines, and white space does not count.

    Examples
    --------
    >>> without_repeats("so be it\n\nor not\n\nso  be it\n\nto be")
    'so be it\n\nor not\n\nto be'
    """
    seen: set[str] = set()
    kept = []
    for paragraph in re.split(r"\n\s*\n", text):
        words = " ".join(paragraph.split())
        if words not in seen:
            kept.append(paragraph)
        seen.add(words)
    return "\n\n".join(kept)
