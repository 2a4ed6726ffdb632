"""`MarkovChain`: the law of a text of which the last k tokens say all, and what heads can know of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from ..dataset import NTPDataset
from ..doors import check_sums, dense, generator, sum_tolerance, whole
from ..errors import DatasetError
from .classes import cyclic_classes, links, stationary_law
from .floors import HeadFloors

__all__ = ["MarkovChain"]

Floats = NDArray[np.float64]

# Largest entry of pi P - pi for a law given as stationary.
STATIONARY = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class MarkovChain:
    """A stationary process of V tokens in which the last k tokens decide the law of the next.

    Made by `of`, from an array of probabilities, or by `from_tokens`, from a text.

    Attributes
    ----------
    contexts : tuple of tuple of int
        The C contexts of k tokens, the last token last.
    transitions : ndarray (C, V)
        Row a: the law of the next token after context a.
    successors : ndarray (C, V), int
        Index of the context that a token leads to; anything where its probability is 0.
    stationary : ndarray (C,)
        pi, the law of the context at any time.

    Examples
    --------
    >>> chain = MarkovChain.of([[0.9, 0.1], [0.4, 0.6]])
    >>> chain, chain.stationary.round(3).tolist(), chain.head_law(2).round(3).tolist()
    (MarkovChain(order=1, contexts=2, vocab_size=2), [0.8, 0.2], [[0.85, 0.15], [0.6, 0.4]])
    """

    contexts: tuple[tuple[int, ...], ...]
    transitions: Floats
    successors: NDArray[np.int64]
    stationary: Floats

    @classmethod
    def of(cls, transitions: ArrayLike, *, stationary: ArrayLike | None = None) -> MarkovChain:
        """The chain with the given probabilities.

        Parameters
        ----------
        transitions : array-like, k + 1 axes of length V
            ``transitions[a_1, .., a_k]`` is the law of the token after the tokens ``a_1 .. a_k``.
        stationary : array-like, k axes of length V, optional
            A stationary law of the contexts; needed only if there are several.

        Returns
        -------
        MarkovChain

        Raises
        ------
        DatasetError
            If the rows are no laws, the axes are of different lengths, or the given law is not stationary.
        UsageError
            If there are several stationary laws and none is given.

        Examples
        --------
        >>> MarkovChain.of([[[0.9, 0.1], [0.5, 0.5]], [[0.0, 1.0], [1.0, 0.0]]])
        MarkovChain(order=2, contexts=4, vocab_size=2)
        """
        array = dense("transitions", transitions, max(np.ndim(transitions), 2))
        v = array.shape[-1]
        if set(array.shape) != {v}:
            raise DatasetError(f"transitions has shape {array.shape}; all its axes must have the length V")
        contexts = tuple(product(range(v), repeat=array.ndim - 1))
        rows = _laws("transitions", array.reshape(-1, v), sum_tolerance(transitions))
        pi = None if stationary is None else dense("stationary", stationary, array.ndim - 1).ravel()
        return cls._made(contexts, rows, pi)

    @classmethod
    def from_tokens(cls, tokens: Sequence[int], order: int = 1) -> MarkovChain:
        """The chain that a text is an example of: its relative frequencies.

        The text is read as a circle, its beginning after its end. Every window is then followed by another, the
        relative frequencies of the contexts are stationary, and every context can be reached from every other.

        Parameters
        ----------
        tokens : sequence of int
            At least ``order + 1`` tokens, numbered from 0 on.
        order : int
            k.

        Returns
        -------
        MarkovChain
            Of the contexts that occur; V is the largest token plus 1.

        Raises
        ------
        DatasetError
            If the text is too short or holds something else than whole numbers of at least 0.

        Examples
        --------
        >>> chain = MarkovChain.from_tokens([0, 1, 1, 0, 1])
        >>> chain.contexts, chain.transitions.round(3).tolist(), chain.stationary.tolist()
        (((0,), (1,)), [[0.0, 1.0], [0.667, 0.333]], [0.4, 0.6])
        """
        k, text = whole("order", order, at_least=1), np.asarray(tokens)
        if text.ndim != 1 or text.dtype.kind not in "iu" or len(text) <= k or text.min() < 0:
            raise DatasetError(f"tokens must be at least order + 1 = {k + 1} whole numbers >= 0, got {tokens!r:.80}")
        circle = [*text.tolist(), *text[:k].tolist()]
        windows = Counter(tuple(circle[t : t + k + 1]) for t in range(len(text)))
        contexts = tuple(sorted({window[:-1] for window in windows}))
        index = {context: a for a, context in enumerate(contexts)}
        counts = np.zeros((len(contexts), int(text.max()) + 1))
        for window, count in windows.items():
            counts[index[window[:-1]], window[-1]] = count
        totals = counts.sum(1)
        return cls._made(contexts, counts / totals[:, None], totals / totals.sum())

    @classmethod
    def _made(cls, contexts: tuple[tuple[int, ...], ...], rows: Floats, pi: Floats | None) -> MarkovChain:
        index = {context: a for a, context in enumerate(contexts)}
        successors = np.array(
            [[index.get((*context[1:], token), 0) for token in range(rows.shape[1])] for context in contexts]
        )
        steps = links(rows, successors)
        if pi is None:
            pi = stationary_law(steps)
        else:
            if pi.shape != (len(contexts),):
                raise DatasetError(f"stationary has {pi.size} entries but there are {len(contexts)} contexts")
            pi = _laws("stationary", pi[None], STATIONARY)[0]
            if (moved := float(np.abs(steps.T @ pi - pi).max())) > STATIONARY:
                raise DatasetError(f"stationary must not change in a step, which moves it by {moved:.3g}")
        return cls(contexts, rows, successors, pi)

    @cached_property
    def _links(self) -> csr_array:
        return links(self.transitions, self.successors)

    @property
    def order(self) -> int:
        """k, how many tokens a context has."""
        return len(self.contexts[0])

    @property
    def vocab_size(self) -> int:
        """V."""
        return int(self.transitions.shape[1])

    def __repr__(self) -> str:
        return f"MarkovChain(order={self.order}, contexts={len(self.contexts)}, vocab_size={self.vocab_size})"

    def head_law(self, head: int) -> Floats:
        """The law of the token ``head`` steps ahead, in every context: what head i says at its optimum; (C, V).

        Raises
        ------
        UsageError
            If ``head`` is no whole number >= 1.
        """
        law = self.transitions
        for _ in range(whole("head", head, at_least=1) - 1):
            law = np.einsum("cv,cvb->cb", self.transitions, law[self.successors])
        return law

    def support(self, head: int) -> NDArray[np.bool_]:
        """Which tokens can come ``head`` steps ahead; (C, V). Decided on the zeros alone, so nothing underflows.

        Raises
        ------
        UsageError
            If ``head`` is no whole number >= 1.

        Examples
        --------
        >>> chain = MarkovChain.of([[0, 0.5, 0.5, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]])
        >>> [chain.support(head)[0].nonzero()[0].tolist() for head in (1, 2, 3)]  # supports need not grow
        [[1, 2], [3], [0]]
        """
        steps: NDArray[np.bool_] = self.transitions > 0
        found = steps
        for _ in range(whole("head", head, at_least=1) - 1):
            found = np.any(steps[:, :, None] & found[self.successors], axis=1)
        return found

    def floors(self, num_heads: int) -> HeadFloors:
        """The smallest loss that each of n heads can have.

        Parameters
        ----------
        num_heads : int
            n.

        Returns
        -------
        HeadFloors

        Raises
        ------
        UsageError
            If ``num_heads`` is no whole number >= 1.

        Notes
        -----
        Source: derived; `multitoken/bayes-floor`. The printed limit ``H(pi)`` needs an aperiodic chain; the limit here
        is the entropy of a token whose cyclic class is known.

        Examples
        --------
        >>> print(MarkovChain.of([[0.9, 0.1], [0.4, 0.6]]).floors(3).summary())
        head 1: floor 0.3947 nats
        head 2: floor 0.4728 nats, 0.0781 more than with all tokens known
        head 3: floor 0.4932 nats, 0.0985 more than with all tokens known
        limit 0.5004, entropy of a token 0.5004
        """
        laws, law = [], self.transitions
        for _ in range(whole("num_heads", num_heads, at_least=1)):
            laws.append(law)
            law = np.einsum("cv,cvb->cb", self.transitions, law[self.successors])
        floors = tuple(math.fsum(self.stationary * _entropies(law)) for law in laws)
        last = np.array([context[-1] for context in self.contexts])
        limit = 0.0
        for members in cyclic_classes(self._links, self.stationary > 0):
            weight = self.stationary[members]
            if (mass := math.fsum(weight)) > 0:
                limit += mass * self._token_entropy(last[members], weight / mass)
        return HeadFloors(floors, limit, self._token_entropy(last, self.stationary))

    def _token_entropy(self, tokens: NDArray[np.int64], weights: Floats) -> float:
        law = np.bincount(tokens, weights, self.vocab_size).astype(np.float64)
        return float(_entropies(law[None])[0])

    def losses(self, log_probabilities: ArrayLike) -> Floats:
        """The expected loss of n heads on this chain, without sampling; (n,), nats.

        Parameters
        ----------
        log_probabilities : array-like (n, C, V)
            Entry (i - 1, a, b): the logarithm of the probability that head i gives to token b in context a.

        Returns
        -------
        ndarray (n,)
            Infinite where a head excludes a token that can come. `HeadFloors.checks` holds it against the floors.

        Raises
        ------
        DatasetError
            If the shape does not fit, or the probabilities of a head sum to more than 1.
        """
        logs = np.asarray(log_probabilities, dtype=np.float64)
        if logs.ndim != 3 or logs.shape[1:] != self.transitions.shape:
            raise DatasetError(f"log_probabilities has shape {logs.shape}, expected (n, *{self.transitions.shape})")
        if not (np.exp(logs).sum(2) <= 1 + sum_tolerance(log_probabilities)).all():  # NaN is refused too
            raise DatasetError("log_probabilities has rows whose probabilities sum to more than 1; normalise them")
        found = []
        for head, log_q in enumerate(logs, 1):
            joint = self.stationary[:, None] * self.head_law(head)
            found.append(-math.fsum(joint[joint > 0] * log_q[joint > 0]))
        return np.array(found)

    def dataset(self, embeddings: ArrayLike, head: int = 1) -> NTPDataset:
        """The next-token problem of one linear head: embeddings of the contexts, and the law ``head`` steps ahead.

        Parameters
        ----------
        embeddings : array-like (C, d)
        head : int

        Returns
        -------
        NTPDataset
            Of the contexts that come with positive probability.

        Raises
        ------
        DatasetError
            As `NTPDataset`.

        Notes
        -----
        Source: derived; `multitoken/linear`: with frozen embeddings and a decoder a head the problems do not touch.
        """
        kept = self.stationary > 0
        vectors = dense("embeddings", embeddings, 2)
        if len(vectors) != len(kept):
            raise DatasetError(f"embeddings has {len(vectors)} rows but there are {len(kept)} contexts")
        names = [" ".join(map(str, context)) for context, keep in zip(self.contexts, kept, strict=True) if keep]
        rows = np.where(self.support(head), self.head_law(head), 0.0)[kept]
        return NTPDataset(vectors[kept], rows, self.stationary[kept], context_names=names)

    def sample(self, length: int, rng: int | np.random.Generator = 0) -> NDArray[np.int64]:
        """A text of the chain, begun with a context of its stationary law; (length,).

        Raises
        ------
        UsageError
            If an argument does not fit.
        """
        length, random = whole("length", length, at_least=1), generator(rng)
        at = int(random.choice(len(self.contexts), p=self.stationary))
        text = list(self.contexts[at])
        ends = self.transitions.cumsum(1)
        for place in random.random(max(0, length - self.order)):
            token = min(int(np.searchsorted(ends[at], place * ends[at, -1], side="right")), self.vocab_size - 1)
            text.append(token)
            at = int(self.successors[at, token])
        return np.array(text[:length])


def _laws(name: str, rows: Floats, tolerance: float) -> Floats:
    if (negative := np.argwhere(rows < 0)).size:
        a, b = map(int, negative[0])
        raise DatasetError(f"{name} row {a} has the entry {rows[a, b]}; every entry must be at least 0")
    sums = rows.sum(1, keepdims=True)
    check_sums(name, sums[:, 0], tolerance)
    laws: Floats = rows / sums
    return laws


def _entropies(rows: Floats) -> Floats:
    """Entropy of every row, nats."""
    found: Floats = -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1.0)), 0.0).sum(1)
    return found
