"""The NTP-SVM dual as its solvers see it: one or many of a shape, nothing in it twice, embeddings of unit size.

Tokens with equal columns of the support have equal rows of W_mm (`bias/svm-structure` ii): one column stands for all of
them and counts that often. Contexts with equal embedding and support state the same constraints: one of them is kept.
Embeddings are divided by powers of two near their lengths, which rounds nothing and takes the worst of their scaling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dataset import NTPDataset
from ..extended import Extended

__all__ = ["DualProblem"]
# Terms of a sum of products that are added up at once, times the root of their number: sums of sums round off less.
AT_ONCE = 4


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
        m, v = support.shape
        contexts, tokens = torch.arange(m), torch.arange(v)
        if len(np.unique(h[:, 0].cpu())) < m:  # else it is clear from their first entries that no two are equal
            packed = np.packbits(support.cpu().numpy(), axis=1)
            first, contexts = _distinct(
                np.concatenate([np.ascontiguousarray((h + 0.0).cpu()).view(np.uint8), packed], axis=1)
            )
            h, support = h[first.to(h.device)], support[first.to(h.device)]
        first, tokens = _distinct(np.packbits(support.T.contiguous().cpu().numpy(), axis=1))
        if len(first) < v:
            support = support[:, first.to(h.device)]
        counts = torch.bincount(tokens).to(h)
        return cls._scaled(h[None], support[None], counts, tokens, contexts)

    @classmethod
    def stack(cls, datasets: Sequence[NTPDataset]) -> DualProblem:
        """The problems of datasets of one shape, as they are."""
        h = torch.stack([data.embeddings.double() for data in datasets])
        support = torch.stack([data.support for data in datasets])
        _, m, v = support.shape
        return cls._scaled(h, support, h.new_ones(v), torch.arange(v), torch.arange(m))

    @classmethod
    def _scaled(cls, h: Tensor, support: Tensor, counts: Tensor, tokens: Tensor, contexts: Tensor) -> DualProblem:
        norms = torch.linalg.vector_norm(h, dim=2)
        _, exponents = torch.frexp(norms)
        lengths = torch.where(norms > 0, torch.ldexp(torch.ones_like(norms), exponents - 1), 1.0)
        return cls(h / lengths[:, :, None], lengths, support, counts, tokens.to(h.device), contexts.to(h.device))

    def route(self) -> str:
        """How the dual method goes about one problem, and why so, in words."""
        _, m, u = self.support.shape
        d, product = self.embeddings.shape[2], "K C" if self._by_gram() else "H (H^T C)"
        return (
            f"route: {len(self.contexts)} contexts by {len(self.tokens)} tokens, {m} by {u} of them different; "
            f"logits as {product}, since m = {m} and d = {d}; steps of first order in single precision, then Newton "
            f"steps on the active constraints in double, on {self.support.device}"
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
        if self.embeddings.is_cuda:
            return self.embeddings @ self.embeddings.mT
        h = self.embeddings.numpy()
        return torch.from_numpy(h @ h.swapaxes(1, 2))  # numpy sees a square and does half the work

    @cached_property
    def largest(self) -> Tensor:
        """Largest eigenvalue of each K, from above by its Frobenius norm; (B,). 0 if all embeddings are."""
        largest: Tensor = torch.linalg.vector_norm(self.gram, dim=(1, 2))
        return largest

    def logits(self, c: Tensor, *, careful: bool = False) -> Tensor:
        """``K C``, by whichever costs less of K and the embeddings.

        The embeddings lose fewer digits where W = C^T H is much smaller than C; ``careful`` takes them in any case.
        """
        if self._by_gram() and not careful:
            return torch.bmm(self.gram, c)
        return self.scores(self.pull(c))

    def scores(self, weights: Tensor) -> Tensor:
        """``H W^T`` of W^T (B, d, U), to a few more digits than one product would have."""
        width = AT_ONCE * math.isqrt(weights.shape[1])
        (h, w), *more = zip(self.embeddings.split(width, dim=2), weights.split(width, dim=1), strict=True)
        logits = torch.bmm(h, w)
        for h, w in more:
            logits.baddbmm_(h, w)
        return logits

    def _by_gram(self) -> bool:
        _, m, d = self.embeddings.shape
        return m <= 2 * d

    @cached_property
    def sizes(self) -> Tensor:
        """S_j, merged tokens counted; (B, m)."""
        return self.total(self.support.to(self.counts.dtype))

    def total(self, c: Tensor) -> Tensor:
        """Sums of the rows of C, merged tokens counted; (B, m)."""
        return c @ self.counts

    def feasible(self, c: Tensor) -> Tensor:
        """C as an element of the cone: signs cut off, and what rows lack for a sum of 0 shared by the supports."""
        c = torch.where(self.support, c, c.clamp(max=0.0))
        return c - torch.where(self.support, (self.total(c) / self.sizes)[..., None], 0.0)

    def pull(self, c: Tensor) -> Tensor:
        """``H^T C`` (B, d, U), the transpose of W."""
        return torch.bmm(c.mT, self.embeddings).mT  # up to twice as fast as the product the other way

    def expand(self, rows: Tensor) -> Tensor:
        """Rows (B, V, ...) for every token of rows (B, U, ...) for the columns."""
        return rows if len(self.counts) == len(self.tokens) else rows[:, self.tokens]

    def multipliers(self, c: Tensor) -> Tensor:
        """C (B, M, V) for the data as it came: merged contexts share, lengths are undone."""
        rows = c / self.lengths[:, :, None]
        if rows.shape[1] < len(self.contexts):
            rows = rows[:, self.contexts] / torch.bincount(self.contexts)[self.contexts, None]
        return rows if rows.shape[2] == len(self.tokens) else rows[:, :, self.tokens]

    def extended_multipliers(self, c: Extended) -> Extended:
        """The same of C to more digits."""
        rows = Extended(c.high / self.lengths[:, :, None], c.low / self.lengths[:, :, None])[:, self.contexts]
        rows = rows.divided(torch.bincount(self.contexts)[self.contexts, None])
        return rows[:, :, self.tokens]

    def reduce(self, multipliers: Tensor) -> Tensor:
        """C (1, m, U) of multipliers (M, V) for the data: what `multipliers` undoes; equal tokens get their mean."""
        _, m, u = self.support.shape
        rows = multipliers.new_zeros(m, len(self.tokens)).index_add_(0, self.contexts, multipliers)
        columns = multipliers.new_zeros(m, u).index_add_(1, self.tokens, rows) / self.counts
        return columns[None] * self.lengths[:, :, None]


def _distinct(rows: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """First index of each distinct row, in order of appearance, and for every row the number of its like."""
    first: dict[bytes, int] = {}
    like = [first.setdefault(row.tobytes(), i) for i, row in enumerate(rows)]
    rank = {i: number for number, i in enumerate(first.values())}
    return torch.tensor(list(rank)), torch.tensor([rank[i] for i in like])
