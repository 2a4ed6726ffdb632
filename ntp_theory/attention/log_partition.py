"""`LogPartition`: the one kind of loss that decoders, one-hot classification and attention to tokens share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..errors import UsageError
from .graph import as_sequences
from .sequences import TokenSequences

__all__ = ["LogPartition", "as_partition"]

# Numbers in the features, or in second derivatives: 800 MB.
LARGEST = 10**8


@dataclass(frozen=True, eq=False, repr=False)
class LogPartition:
    """``f(w) = sum_i pi_i (log sum_c exp(<A_ic, w> + b_ic) - sum_c p_ic (<A_ic, w> + b_ic))``, choices c of terms i.

    Attributes
    ----------
    features : Tensor (n, C, D)
        A_ic; zero where a term has fewer choices.
    offsets : Tensor (n, C)
        b_ic: logarithms of how often a choice counts; -inf where there is none.
    targets : Tensor (n, C)
        p_ic; rows sum to 1.
    weights : Tensor (n,)
        pi_i; sum 1.
    shape : tuple of int
        Of the matrix that w is, row by row.

    Notes
    -----
    Made by `of_sequences` and `of_dataset`. Values are in nats.

    Source: ours (`attention/unification`).

    Examples
    --------
    >>> loss = LogPartition.of_sequences(TokenSequences([[0, 1, 1]], [0]))
    >>> round(loss.value(torch.zeros(4).double()), 6) == round(math.log(3), 6)
    True
    """

    features: Tensor
    offsets: Tensor
    targets: Tensor
    weights: Tensor
    shape: tuple[int, int]

    @classmethod
    def of_sequences(cls, data: TokenSequences) -> LogPartition:
        """Attention to tokens, w the scores W (V, V): minus log of the label's attention (`attention/convex-loss`).

        Raises
        ------
        UsageError
            If ``data`` is no `TokenSequences`, or has too many tokens for dense second derivatives.
        """
        as_sequences(data)
        v, n, most = data.vocab_size, data.num_inputs, max(map(len, data.distinct))
        _check_size(n * most, v * v)
        features = torch.zeros(n, most, v, v, dtype=torch.float64)
        offsets = torch.full((n, most), -math.inf, dtype=torch.float64)
        targets = torch.zeros(n, most, dtype=torch.float64)
        targets[:, 0] = 1.0
        for i, (k, tokens) in enumerate(zip(data.queries, data.distinct, strict=True)):
            for c, (x, count) in enumerate(tokens):
                features[i, c, x, k] = 1.0
                offsets[i, c] = math.log(count)
        return cls(features.flatten(2), offsets, targets, data.weights, (v, v))

    @classmethod
    def of_dataset(cls, data: NTPDataset) -> LogPartition:
        """The cross-entropy of a linear decoder W (V, d); of small data, as features take m V^2 d numbers.

        Raises
        ------
        UsageError
            If ``data`` is no dataset, or too large.

        Examples
        --------
        >>> loss = LogPartition.of_dataset(NTPDataset([[1.0]], [[0.5, 0.5, 0.0]]))
        >>> loss.shape, round(loss.value(torch.zeros(3).double()), 6) == round(math.log(3), 6)
        ((3, 1), True)
        """
        as_dataset("data", data)
        data, (m, v, d) = data.to(device="cpu"), (data.num_contexts, data.vocab_size, data.dim)
        _check_size(m * v, v * d)
        features = torch.einsum("vu,md->mvud", torch.eye(v, dtype=torch.float64), data.embeddings.double())
        targets = data.probabilities.to_dense().double()
        return cls(features.reshape(m, v, v * d), torch.zeros_like(targets), targets, data.weights.double(), (v, d))

    @property
    def dim(self) -> int:
        """D."""
        return self.features.shape[2]

    @cached_property
    def support(self) -> Tensor:
        """Choices with a positive target; (n, C), bool."""
        return self.targets > 0

    @cached_property
    def choices(self) -> Tensor:
        """Which choices there are; (n, C), bool."""
        return self.offsets > -math.inf

    def restricted(self, support: Tensor) -> LogPartition:
        """The same loss with its sums cut to some of the choices."""
        return replace(self, offsets=torch.where(support, self.offsets, -math.inf))

    def along(self, frame: Tensor, origin: Tensor) -> LogPartition:
        """The same loss, but for a constant, as a function of x at ``w = origin + frame @ x``."""
        features, offsets = self.features @ frame, self.scores(origin)
        return replace(self, features=features, offsets=offsets, shape=(1, frame.shape[1]))

    def scores(self, w: Tensor) -> Tensor:
        """``<A_ic, w> + b_ic``; (n, C)."""
        return self.features @ w + self.offsets

    def value(self, w: Tensor) -> float:
        """f(w), nats."""
        scores = self.scores(w)
        said = torch.where(self.support, self.targets * scores, 0.0).sum(1)
        return float(self.weights @ (scores.logsumexp(1) - said))

    def gradient(self, w: Tensor) -> Tensor:
        """Its gradient; (D,)."""
        return torch.einsum(
            "ic,icd->d", self.weights[:, None] * (self.scores(w).softmax(1) - self.targets), self.features
        )

    def hessian(self, w: Tensor) -> Tensor:
        """Its second derivatives; (D, D)."""
        s = self.scores(w).softmax(1)
        centred = self.features - torch.einsum("ic,icd->id", s, self.features)[:, None]
        return torch.einsum("i,ic,icd,ice->de", self.weights, s, centred, centred)

    @cached_property
    def smoothness(self) -> float:
        """L: the variance of a variable is at most a quarter of its squared range, here of every ``<A_ic, .>``."""
        widest = torch.cdist(self.features, self.features)
        pairs = self.choices[:, :, None] & self.choices[:, None, :]
        return float(self.weights @ torch.where(pairs, widest, 0.0).flatten(1).amax(1).square()) / 4

    def normals(self, support: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``A_iz - A_ic`` for the first z of each support and all other choices c, with their terms and choices."""
        first = support.double().argmax(1)
        other = self.choices.clone()
        other[torch.arange(len(first)), first] = False
        terms, choices = other.nonzero(as_tuple=True)
        return self.features[terms, first[terms]] - self.features[terms, choices], terms, choices

    def __repr__(self) -> str:
        return f"<LogPartition: {len(self.weights)} terms, {int(self.choices.sum())} choices, {self.dim} unknowns>"


def _check_size(num_choices: int, dim: int) -> None:
    if (size := max(num_choices, dim) * dim) > LARGEST:
        raise UsageError(
            f"data has {num_choices} choices and {dim} unknowns: matrices of {size} numbers; there must be at most "
            f"{LARGEST} (number the tokens that occur from 0, or take less data)"
        )


def as_partition(data: LogPartition | TokenSequences | NTPDataset) -> LogPartition:
    """The loss of any of the three; anything else is refused."""
    if isinstance(data, TokenSequences):
        return LogPartition.of_sequences(data)
    if isinstance(data, NTPDataset):
        return LogPartition.of_dataset(data)
    if isinstance(data, LogPartition):
        return data
    raise UsageError(f"data is {data!r}; it must be a TokenSequences, an NTPDataset or a LogPartition")
