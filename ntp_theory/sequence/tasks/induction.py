"""`Induction`: sequences in which names of two tokens come again, to be completed from their first mention."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...doors import generator, one_of, share, whole
from ...errors import UsageError
from .batch import Batch
from .splits import HELD_OUT, hashed
from .task import SPLITS, Task

__all__ = ["Induction"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Induction(Task):
    """Next-token prediction on background with names of two tokens; each sequence has names of its own.

    Where no name is being written, a mention begins with probability ``rate``: the marker, then the two tokens of one
    of the sequence's names, each as likely as the others. Otherwise there is one background token, all equally likely.
    The first tokens of a sequence's names differ, so that a name that has been mentioned before is determined by its
    first token: a model that looks up what followed it the last time is always right about the second.

    Tokens are the background, 0 .. background - 1, then the name tokens, then the marker. A model is asked for every
    token but the first of the sequence; `measures.induction` judges it by second tokens of names.

    Parameters
    ----------
    names : int
        N, of a sequence.
    length : int
        T, tokens of a sequence; a mention at its end may be cut off.
    rate : float
        Of mentions, above 0.
    background, name_tokens : int
        How many tokens there are of each kind; any two name tokens, or one twice, may be a name.

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Source: 2404.19737 Sec. 4.1, App. J, where names of people in stories are replaced (`multitoken/induction`). The
    defaults are the toy of `multitoken/induction-toy`: 73 tokens, two names, sequences of 48.

    Of every first token a tenth of the names is held out, rounded up: those of the smallest hashes. All names of a
    sequence are of the split that is asked for: none of the tests is ever seen in training, while each token is.

    Examples
    --------
    >>> task = Induction(length=12, rate=0.3)
    >>> batch = task.sample(1, rng=2)
    >>> batch.with_tokens(batch.answers)[0].tolist()  # mentions of (35, 14), (54, 39), (35, 14)
    [6, 3, 72, 35, 14, 72, 54, 39, 72, 35, 14, 0]
    >>> task.second_tokens(batch)[0].nonzero().flatten().tolist()
    [4, 7, 10]
    """

    right_answers = False

    def __init__(
        self,
        names: int = 2,
        length: int = 48,
        *,
        rate: float = 0.15,
        background: int = 8,
        name_tokens: int = 64,
    ) -> None:
        self.length = whole("length", length, at_least=2)
        self.rate = share("rate", rate)
        if self.rate == 0:
            raise UsageError(f"rate is {rate!r}; it must be above 0, or there are no names")
        self.background = whole("background", background, at_least=1)
        self.name_tokens = whole("name_tokens", name_tokens, at_least=2)
        self.names = whole("names", names, at_least=1, at_most=self.name_tokens)

    @property
    def marker(self) -> int:
        """The token in front of every name."""
        return self.background + self.name_tokens

    @property
    def vocab_size(self) -> int:
        """With the marker."""
        return self.marker + 1

    @property
    def max_length(self) -> int:
        """T."""
        return self.length

    @property
    def depth(self) -> int:
        """Three layers, as in the toy."""
        return 3

    def __repr__(self) -> str:
        return (
            f"Induction({self.names}, {self.length}, rate={self.rate!r}, background={self.background}, "
            f"name_tokens={self.name_tokens})"
        )

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n sequences, drawn independently.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            With names for training alone, or with names that are held out; with any if None.

        Returns
        -------
        Batch
            Prompts (n, 1), the first tokens, and answers (n, T - 1), the others; int64 on the CPU.

        Raises
        ------
        UsageError
            If an argument is out of range.
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        allowed = self.allowed(split)
        firsts = random.permuted(np.tile(np.arange(self.name_tokens), (n, 1)), axis=1)[:, : self.names]
        seconds = np.nonzero(allowed)[1].reshape(self.name_tokens, -1)  # as many in every row
        seconds = seconds[firsts, random.integers(seconds.shape[1], size=firsts.shape)]
        # one more mention, or one more background token, until the sequence is full
        mention = random.random((n, self.length)) < self.rate
        lengths = np.where(mention, 3, 1)
        begins = lengths.cumsum(1) - lengths
        rows, which = np.nonzero(mention & (begins < self.length))
        begins = begins[rows, which]
        name = random.integers(self.names, size=len(rows))
        tokens = random.integers(self.background, size=(n, self.length + 2))
        tokens[rows, begins] = self.marker
        tokens[rows, begins + 1] = self.background + firsts[rows, name]
        tokens[rows, begins + 2] = self.background + seconds[rows, name]
        found = torch.from_numpy(tokens[:, : self.length])
        return Batch(found[:, :1], found[:, 1:])

    def allowed(self, split: str | None = None) -> Bools:
        """Which names are of a split: bool (P, P) for P name tokens, the first token and the second.

        Examples
        --------
        >>> task = Induction()
        >>> [int(task.allowed(split).sum(1)[0]) for split in ("train", "test", None)]
        [57, 7, 64]
        """
        size = self.name_tokens
        if split is None:
            return np.ones((size, size), dtype=np.bool_)
        one_of("split", split, SPLITS)
        keys = hashed(np.indices((size, size)).reshape(2, -1).T).reshape(size, size)
        held_out = keys.argsort(axis=1).argsort(axis=1) < -(-size // HELD_OUT)
        return held_out if split == "test" else ~held_out

    def second_tokens(self, batch: Batch) -> Tensor:
        """Where the second tokens of names stand; bool (b, T).

        Raises
        ------
        UsageError
            If the batch is none of this task.
        """
        self.check("batch", batch)
        tokens = batch.with_tokens(batch.answers)
        marker, name = tokens == self.marker, (tokens >= self.background) & (tokens < self.marker)
        wanted = torch.zeros_like(marker)
        wanted[:, 1:] |= marker[:, :-1]
        wanted[:, 2:] |= marker[:, :-2]
        if not torch.equal(wanted, name):
            row = int((wanted != name).any(1).int().argmax())
            raise UsageError(f"batch has a marker without two name tokens, or the other way round; the first in {row}")
        second = torch.zeros_like(marker)
        second[:, 2:] = marker[:, :-2]
        return second

    def held_out(self, batch: Batch) -> Tensor:
        """Which sequences have a name that is held out; bool (b,). One without names has none."""
        second = self.second_tokens(batch)
        tokens = batch.with_tokens(batch.answers) - self.background
        rows, ends = second.nonzero(as_tuple=True)
        test = torch.from_numpy(self.allowed("test"))[tokens[rows, ends - 1].cpu(), tokens[rows, ends].cpu()]
        found = torch.zeros(len(batch), dtype=torch.bool)
        found[rows.cpu()[test]] = True
        return found

    def floor(self, split: str | None = None) -> tuple[float, ...]:
        """The least possible expected loss at every token but the first, in nats: the entropy given all before it.

        Parameters
        ----------
        split : {"train", "test"}, optional
            Of the names. It is known to whoever has this loss: a model trained on the split "train" does not know
            which names are held out, and cannot come down to the floor of the split "test".

        Returns
        -------
        tuple of float, T - 1 of them
            Exact but for rounding, by the chain of what is being written and how many names have been mentioned.

        Examples
        --------
        >>> floor = Induction().floor("train")
        >>> f"{floor[0]:.4f} {sum(floor) / len(floor):.4f}"
        '2.4855 2.0854'
        """
        r, size, total = self.rate, self.name_tokens, self.names
        outside = -r * math.log(r) - ((1 - r) * math.log((1 - r) / self.background) if r < 1 else 0.0)
        old = np.arange(total + 1)
        new = total - old
        first = (old * math.log(total) + new * np.log(total * (size - old).clip(1) / new.clip(1))) / total
        second = math.log(self.allowed(split)[0].sum())
        return tuple(
            float(between.sum() * outside + begun @ first + unknown.sum() * second)
            for between, begun, unknown, _ in self._chain()[1:]
        )

    def guessing_accuracy(self, split: str | None = None) -> float:
        """How often one of the names mentioned, whichever, has the right second token where a name comes again.

        Each name that has been mentioned is guessed with equal probability, whatever the first token says. Expected
        hits over expected places, of which the accuracy on many sequences is an estimate.

        Examples
        --------
        >>> f"{Induction().guessing_accuracy('test'):.3f}"
        '0.638'
        """
        allowed = self.allowed(split).astype(float)
        per_row, common = allowed[0].sum(), allowed.sum(0)
        # of two names with different first tokens: how often they have the same second one
        pairs = self.name_tokens * (self.name_tokens - 1) * per_row**2
        same = (float(common @ common) - allowed.sum()) / pairs
        known = np.array([known for *_, known in self._chain()]).sum(0)
        mentioned = np.arange(self.names + 1)
        right = (1 + (mentioned - 1) * same) / mentioned.clip(1)
        return float(known @ right / known.sum()) if known.sum() else math.nan

    def _chain(self) -> list[tuple[Floats, Floats, Floats, Floats]]:
        """Probabilities at every position, with k = 0 .. N names mentioned (the one being written, once it is known).

        That no name is being written; that the first token is next; the second one of a name that is new, or known.
        """
        r, new = self.rate, 1 - np.arange(self.names + 1) / self.names
        between, begun, unknown, known = np.zeros((4, self.names + 1))
        between[0] = 1
        found = []
        for _ in range(self.length):
            found.append((between, begun, unknown, known))
            between, begun, unknown, known = (
                (1 - r) * between + unknown + known,
                r * between,
                np.roll(begun * new, 1),  # nothing is new where all have been mentioned
                begun * (1 - new),
            )
        return found
