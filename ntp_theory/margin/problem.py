"""The NTP-SVM dual as its solvers see it: one or many of a shape, nothing in it twice, embeddings of unit size.

Tokens with equal columns of the support have equal rows of W_mm (`bias/svm-structure` ii): one column stands for all of
them and counts that often. Contexts with equal embedding and support state the same constraints: one of them is kept.
Embeddings are divided by powers of two near their lengths, which rounds nothing and takes the worst of their scaling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dataset import NTPDataset

__all__ = ["DualProblem"]

# Steps of the power method, and what its value may be short of the largest eigenvalue.
POWER_STEPS, POWER_SLACK = 30, 1.1


@dataclass(frozen=True, eq=False)
class DualProblem:
    """``min_C 1/2 tr(C^T K C) - <T, C>`` over the cone of multipliers, for B datasets of one shape (`svm/dual`).

    Attributes
    ----------
    embeddings : Tensor (B, m, d)
        Rows ``h_j`` divided by ``lengths``; ``K = H H^T`` of them.
    lengths : Tensor (B, m)
        Powers of two.
    support : Tensor (B, m, U), bool
    counts : Tensor (U,)
        How many tokens each column stands for; sums over tokens take an entry that often.
    tokens : Tensor (V,), int64
        The column that stands for each token.
    contexts : Tensor (M,), int64
        The row that stands for each context.

    Notes
    -----
    Source: ours (`svm/dual`, `bias/svm-structure` ii).

    Examples
    --------
    >>> data = NTPDataset([[3.0], [3.0]], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> problem = DualProblem.of(data)
    >>> problem.support.tolist(), problem.counts.tolist(), problem.embeddings.tolist()
    ([[[True, False]]], [1.0, 2.0], [[[1.5]]])
    """

    embeddings: Tensor
    lengths: Tensor
    support: Tensor
    counts: Tensor
    tokens: Tensor
    contexts: Tensor

    @classmethod
    def of(cls, data: NTPDataset) -> DualProblem:
        """The problem of one dataset, equal tokens and equal contexts merged."""
        h, support = data.embeddings.double(), data.support
        packed = np.packbits(support.cpu().numpy(), axis=1)
        first, contexts = _distinct(
            np.concatenate([np.ascontiguousarray((h + 0.0).cpu()).view(np.uint8), packed], axis=1)
        )
        h, support = h[first.to(h.device)], support[first.to(h.device)]
        first, tokens = _distinct(np.packbits(support.T.cpu().numpy(), axis=1))
        counts = torch.bincount(tokens).to(h)
        return cls._scaled(h[None], support[:, first.to(h.device)][None], counts, tokens, contexts)

    @classmethod
    def stack(cls, datasets: Sequence[NTPDataset]) -> DualProblem:
        """The problems of datasets of one shape, as they are."""
        h = torch.stack([data.embeddings.double() for data in datasets])
        support = torch.stack([data.support for data in datasets])
        _, m, v = support.shape
        return cls._scaled(h, support, h.new_ones(v), torch.arange(v), torch.arange(m))

    @classmethod
    def _scaled(cls, h: Tensor, support: Tensor, counts: Tensor, tokens: Tensor, contexts: Tensor) -> DualProblem:
        _, exponents = torch.frexp(h.norm(dim=2))
        lengths = torch.ldexp(torch.ones_like(h[:, :, 0]), exponents - 1)
        lengths = torch.where(h.any(2), lengths, 1.0)
        return cls(h / lengths[:, :, None], lengths, support, counts, tokens.to(h.device), contexts.to(h.device))

    def route(self) -> str:
        """How the dual method goes about one problem, and why so, in words."""
        _, m, u = self.support.shape
        d, product = self.embeddings.shape[2], "K C" if self._by_gram() else "H (H^T C)"
        return (
            f"route: {len(self.contexts)} contexts by {len(self.tokens)} tokens, {m} by {u} of them different; "
            f"logits as {product}, since m = {m} and d = {d}; gradient steps in single precision, then Newton steps "
            f"on the active constraints in double, on {self.support.device}"
        )

    @property
    def size(self) -> int:
        """B."""
        return len(self.support)

    def select(self, chosen: Tensor) -> DualProblem:
        """Some of the B problems."""
        some = DualProblem(
            self.embeddings[chosen], self.lengths[chosen], self.support[chosen], self.counts, self.tokens, self.contexts
        )
        some.__dict__.update(gram=self.gram[chosen], target=self.target[chosen], largest=self.largest[chosen])
        return some

    @cached_property
    def target(self) -> Tensor:
        """T (B, m, U): ``1 / lengths`` on the supports, 0 off them."""
        target: Tensor = self.support / self.lengths[:, :, None]
        return target

    @cached_property
    def gram(self) -> Tensor:
        """K (B, m, m)."""
        return self.embeddings @ self.embeddings.mT

    @cached_property
    def largest(self) -> Tensor:
        """Largest eigenvalue of each K, from above; (B,). 0 if all embeddings are."""
        start = torch.from_numpy(np.random.default_rng(0).standard_normal(self.gram.shape[:2])).to(self.gram)
        x = start[:, :, None]
        for _ in range(POWER_STEPS):
            y = self.gram @ x
            x = y / y.norm(dim=1, keepdim=True).clamp(min=torch.finfo(y.dtype).tiny)
        largest: Tensor = (self.gram @ x).norm(dim=1)[:, 0] * POWER_SLACK
        return largest

    def logits(self, c: Tensor, *, careful: bool = False) -> Tensor:
        """``K C``, by whichever costs less of K and the embeddings.

        The embeddings lose fewer digits where W = C^T H is much smaller than C; ``careful`` takes them in any case.
        """
        return self.gram @ c if self._by_gram() and not careful else self.embeddings @ (self.embeddings.mT @ c)

    def _by_gram(self) -> bool:
        _, m, d = self.embeddings.shape
        return m <= 2 * d

    def total(self, c: Tensor) -> Tensor:
        """Sums of the rows of C, merged tokens counted; (B, m)."""
        return c @ self.counts

    def weights(self, c: Tensor) -> Tensor:
        """W (B, V, d) = C^T H, a row for every token."""
        return (c.mT @ self.embeddings)[:, self.tokens]

    def multipliers(self, c: Tensor) -> Tensor:
        """C (B, M, V) for the data as it came: merged contexts share, lengths are undone."""
        share = torch.bincount(self.contexts)[self.contexts]
        rows = (c / self.lengths[:, :, None])[:, self.contexts] / share[:, None]
        return rows[:, :, self.tokens]

    def reduce(self, multipliers: Tensor) -> Tensor:
        """C (1, m, U) of multipliers (M, V) for the data: what `multipliers` undoes; equal tokens get their mean."""
        _, m, u = self.support.shape
        rows = multipliers.new_zeros(m, len(self.tokens)).index_add_(0, self.contexts, multipliers)
        columns = multipliers.new_zeros(m, u).index_add_(1, self.tokens, rows) / self.counts
        return columns[None] * self.lengths[:, :, None]


def _distinct(rows: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """First index of each distinct row, in order of appearance, and for every row the number of its like."""
    keys = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1])))[:, 0]
    _, first, like = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return torch.from_numpy(first[order]), torch.from_numpy(rank[like.reshape(-1)])
