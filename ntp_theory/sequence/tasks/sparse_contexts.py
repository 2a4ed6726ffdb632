"""`SparseContexts`: contexts that come again and again, each with a sparse law of the next token that is known."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ...doors import generator, one_of, whole
from ...errors import UsageError
from .batch import Batch
from .task import SPLITS, Task

__all__ = ["SparseContexts"]

# Contexts are numbered by their tokens.
LARGEST = 2**62


class SparseContexts(Task):
    """The next token after one of a few contexts, all equally likely, by a law that gives most tokens probability 0.

    Contexts are different sequences of ``context_length`` tokens, drawn once. The law of each is a distribution on
    ``support_size`` tokens whose probabilities are multiples of ``1 / denominator``, drawn once too. So the smallest
    loss that a model can have is known, and full-batch losses on `contexts` and `laws` are exact.

    Parameters
    ----------
    vocab_size : int
        V.
    num_contexts : int
        m, at most ``V ** context_length``.
    support_size : int or (int, int)
        S_j: the same for every context, or drawn uniformly from ``lo, ..., hi``.
    context_length : int
        k, tokens of a context.
    denominator : int
        Of the probabilities; as large as the largest support at least.
    seed : int
        Of contexts and laws.

    Attributes
    ----------
    contexts : Tensor (m, k), int64
        In the order of their tokens.
    counts : Tensor (m, V), int64
        The laws, times ``denominator``.

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Source: the setting of 2402.18551 Section 2 (`bias/loss`, `bias/entropy-floor`) with embeddings that a model learns.
    Both splits have the same contexts: what is held out are draws, not laws.

    Examples
    --------
    >>> task = SparseContexts(vocab_size=5, num_contexts=3, context_length=2, denominator=4, seed=1)
    >>> batch = task.sample(4, rng=0)
    >>> batch.prompts.shape, batch.answers.shape
    (torch.Size([4, 2]), torch.Size([4, 1]))
    >>> task.counts.tolist()
    [[2, 0, 0, 0, 2], [0, 0, 2, 2, 0], [0, 0, 0, 1, 3]]
    >>> round(task.entropy, 4)
    0.6495
    """

    right_answers = False

    def __init__(
        self,
        vocab_size: int = 32,
        num_contexts: int = 200,
        support_size: int | tuple[int, int] = 2,
        context_length: int = 3,
        *,
        denominator: int = 8,
        seed: int = 0,
    ) -> None:
        self._vocab_size = v = whole("vocab_size", vocab_size, at_least=2)
        self.context_length = k = whole("context_length", context_length, at_least=1)
        if v**k > LARGEST:
            raise UsageError(f"context_length is {k}; vocab_size ** context_length must be at most 2 ** 62")
        m = whole("num_contexts", num_contexts, at_least=1, at_most=v**k)
        sizes = support_size if isinstance(support_size, tuple) else (support_size, support_size)
        if len(sizes) != 2:
            raise UsageError(f"support_size is {support_size!r}; it must be a whole number or a pair (lo, hi)")
        lo = whole("support_size", sizes[0], at_least=1, at_most=v)
        hi = whole("support_size", sizes[1], at_least=lo, at_most=v)
        self.denominator = whole("denominator", denominator, at_least=hi)
        self.seed = whole("seed", seed, at_least=0)
        self._sizes = (lo, hi)
        random = np.random.default_rng(self.seed)
        self._numbers = np.sort(random.choice(v**k, m, replace=False))
        powers = v ** np.arange(k - 1, -1, -1)
        self.contexts = torch.from_numpy(self._numbers[:, None] // powers % v)
        self._powers = torch.from_numpy(powers)
        counts = np.zeros((m, v), dtype=np.int64)
        for row in counts:
            size = int(random.integers(lo, hi, endpoint=True))
            support = random.choice(v, size, replace=False)
            row[support] = 1 + random.multinomial(self.denominator - size, np.full(size, 1 / size))
        self.counts = torch.from_numpy(counts)
        # one column a part of the denominator: a uniform column is a draw from the law
        self._drawn = np.stack([np.repeat(np.arange(v), row) for row in counts])

    @property
    def vocab_size(self) -> int:
        """V."""
        return self._vocab_size

    @property
    def max_length(self) -> int:
        """A context and its next token."""
        return self.context_length + 1

    @property
    def depth(self) -> int:
        """Two layers: one that gathers the tokens of a context, one that tells what follows."""
        return 2

    @property
    def laws(self) -> Tensor:
        """The conditionals p_j (m, V), float64."""
        return self.counts.double() / self.denominator

    @property
    def entropy(self) -> float:
        """H, the mean entropy of the laws, nats: no model has a smaller expected loss (`bias/entropy-floor`)."""
        terms = [c * math.log(self.denominator / c) for c in self.counts[self.counts > 0].tolist()]
        return math.fsum(terms) / (self.denominator * len(self.contexts))

    def __repr__(self) -> str:
        return (
            f"SparseContexts({self.vocab_size}, {len(self.contexts)}, {self._sizes}, {self.context_length}, "
            f"denominator={self.denominator}, seed={self.seed})"
        )

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n contexts with a next token each.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            Both have the same law.

        Returns
        -------
        Batch
            Prompts (n, k), answers (n, 1).

        Raises
        ------
        UsageError
            If an argument is out of range.
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        if split is not None:
            one_of("split", split, SPLITS)
        rows = random.integers(len(self.contexts), size=n)
        tokens = self._drawn[rows, random.integers(self.denominator, size=n)]
        return Batch(self.contexts[torch.from_numpy(rows)], torch.from_numpy(tokens)[:, None])

    def everything(self) -> Batch:
        """Every context ``denominator`` times, with each next token as often as the law expects it.

        Examples
        --------
        >>> task = SparseContexts(vocab_size=5, num_contexts=3, context_length=2, denominator=4, seed=1)
        >>> task.everything().answers[:, 0].tolist()
        [0, 0, 4, 4, 2, 2, 3, 3, 3, 4, 4, 4]
        """
        prompts = self.contexts.repeat_interleave(self.denominator, dim=0)
        return Batch(prompts, torch.from_numpy(self._drawn.reshape(-1, 1)))

    def rows(self, prompts: Tensor) -> Tensor:
        """Which context each prompt (b, k) is: numbers (b,) of rows of `contexts`.

        Raises
        ------
        UsageError
            If one is none of them.
        """
        if prompts.shape[1:] != self.contexts.shape[1:]:
            raise UsageError(f"prompts has shape {tuple(prompts.shape)}; it must be (b, {self.context_length})")
        numbers = (prompts.cpu() * self._powers).sum(1).numpy()
        rows = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        found = torch.from_numpy(rows)
        known = (self.contexts[found] == prompts.cpu()).all(1)
        if not bool(known.all()):
            first = int((~known).int().argmax())
            raise UsageError(f"prompts[{first}] is {prompts[first].tolist()}; {self!r} has no such context")
        return found
