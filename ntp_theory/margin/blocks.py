"""``(K_JJ + I / sigma)^-1`` for the contexts J after which each token is active: the blocks of a Newton step.

Tokens are taken together by the size of J, so that a few batched Cholesky factorisations do for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .problem import DualProblem

__all__ = ["ActiveBlocks"]

# Sizes up to so much larger than the smallest share a batch, and few tokens any sizes: padding costs less than calls.
RATIO, FEW = 1.25, 8
# Entries of the matrices of one batch.
BATCH = 2**25


@dataclass(frozen=True, eq=False)
class _Batch:
    tokens: Tensor  # (g,) numbers among the B U tokens of all problems
    places: Tensor  # (g, w) where the entries are in a flat C; behind the last for padding and tokens given up
    pairs: Tensor  # (g, w, w) where they are in a flat K; the place behind the last for padding
    inverses: Tensor  # (g, w, w)


class ActiveBlocks:
    """The blocks of an active set; when it changes, only the tokens that it changes for are factored again.

    Parameters
    ----------
    problem : DualProblem
    shift : Tensor (B,)
        ``1 / sigma``.

    Notes
    -----
    Source: ours (`svm/dual`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> problem = DualProblem.of(NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]]))
    >>> blocks = ActiveBlocks(problem, torch.ones(1, dtype=torch.float64))
    >>> blocks.update(torch.ones(1, 2, 2, dtype=torch.bool))
    >>> blocks.coupling * 3
    tensor([[[ 4., -2.],
             [-2.,  4.]]], dtype=torch.float64)
    """

    def __init__(self, problem: DualProblem, shift: Tensor) -> None:
        self._problem, self._shift = problem, shift
        self._active = torch.zeros_like(problem.support).mT
        self._batches: list[_Batch] = []
        nothing = problem.gram.new_zeros(1)
        self._gram = torch.cat([problem.gram.reshape(-1), nothing])
        self._coupling = torch.zeros_like(self._gram)

    @property
    def coupling(self) -> Tensor:
        """The sum over tokens of the blocks, each at its contexts; (B, m, m).

        Not finite for a problem with a block that is not positive definite in double precision.
        """
        return self._coupling[:-1].reshape(self._problem.gram.shape)

    def update(self, active: Tensor) -> None:
        """Take another active set (B, m, U)."""
        by_token = active.mT
        changed = (by_token != self._active).any(2).reshape(-1)
        for batch in self._batches:
            self._drop(batch, changed[batch.tokens] & (batch.places[:, 0] < self._active.numel()))
        self._active = by_token
        self._add(changed.nonzero()[:, 0])

    def solve(self, values: Tensor) -> Tensor:
        """The product of every block with its entries of a matrix (B, m, U); 0 off the active set."""
        padded = torch.cat([values.reshape(-1), values.new_zeros(1)])
        places = torch.cat([batch.places.reshape(-1) for batch in self._batches])
        given, begin = padded.take(places), 0
        found = torch.empty_like(given)
        for batch in self._batches:
            (g, w), end = batch.places.shape, begin + batch.places.numel()
            # rows times symmetric matrices: much faster than matrices times columns
            torch.bmm(given[begin:end].view(g, 1, w), batch.inverses, out=found[begin:end].view(g, 1, w))
            begin = end
        return torch.zeros_like(padded).put_(places, found)[:-1].reshape(values.shape)

    def _drop(self, batch: _Batch, gone: Tensor) -> None:
        if bool(gone.any()):
            self._couple(batch.tokens[gone], batch.pairs[gone], -batch.inverses[gone])
            batch.places[gone] = self._active.numel()

    def _add(self, chosen: Tensor) -> None:
        _, u, m = self._active.shape
        by_token = self._active.reshape(-1, m)[chosen]
        sizes = by_token.sum(1)
        rows, starts = by_token.nonzero()[:, 1], sizes.cumsum(0) - sizes
        for some, width in _batches(sizes):
            slot = torch.arange(width, device=chosen.device)
            real = slot < sizes[some, None]
            row = rows[torch.where(real, starts[some, None] + slot, 0)]
            tokens = chosen[some]
            first = (tokens // u * m)[:, None] + row  # among the B m rows of all problems
            behind = len(self._gram) - 1
            # a padded row or column leads behind the last entry of K, whatever the other index is
            pairs = torch.where(real, first * m, behind)[:, :, None] + torch.where(real, row, behind)[:, None, :]
            pairs.clamp_(max=behind)
            block = self._gram.take(pairs)
            block.diagonal(dim1=1, dim2=2).add_(torch.where(real, self._shift[tokens // u, None], 1.0))
            factor, failed = torch.linalg.cholesky_ex(block)
            inverses = torch.cholesky_inverse(factor)
            inverses[failed > 0] = torch.nan
            self._couple(tokens, pairs, inverses)
            places = torch.where(real, first * u + (tokens % u)[:, None], self._active.numel())
            self._batches.append(_Batch(tokens, places, pairs, inverses))

    def _couple(self, tokens: Tensor, pairs: Tensor, inverses: Tensor) -> None:
        weighted = inverses * self._problem.counts[tokens % self._active.shape[1], None, None]
        self._coupling.index_add_(0, pairs.reshape(-1), weighted.reshape(-1))


def _batches(sizes: Tensor) -> list[tuple[Tensor, int]]:
    """Tokens in order of size, cut where sizes have grown by RATIO; with the largest size of each piece."""
    order = sizes.argsort()
    order = order[sizes[order] > 0]
    pieces, begin, widths = [], 0, sizes[order].tolist()
    for end in range(1, len(widths) + 1):
        full = end - begin >= max(1, BATCH // widths[end - 1] ** 2)
        grown = end < len(widths) and end - begin >= FEW and widths[end] > RATIO * widths[begin]
        if end == len(widths) or full or grown:
            pieces.append((order[begin:end], widths[end - 1]))
            begin = end
    return pieces
