"""``(K_JJ + I / sigma)^-1`` for the contexts J after which each token is active: the blocks of a Newton step.

Tokens are taken together by the size of J, so that a few batched Cholesky factorisations do for all of them. Smaller
ones are padded with a context of their own, behind the last, that has nothing to do with any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .problem import DualProblem

__all__ = ["ActiveBlocks"]

# Sizes share a batch until padding adds this part to its operations, or more of them than a call costs.
PADDING, CALL = 0.5, 5e5
# Entries of the matrices of one batch: of what the caches of a processor hold, or all that a GPU can do at once.
BATCH, BATCH_OF_GPU = 2**16, 2**25


@dataclass(frozen=True, eq=False)
class _Batch:
    tokens: Tensor  # (g,) numbers among the B U tokens of all problems
    rows: Tensor  # (g, w) contexts; the one behind the last for padding and tokens given up
    inverses: Tensor  # (g, w, w)


class ActiveBlocks:
    """The blocks of an active set; when it changes, only the tokens that it changes for are factored again.

    Parameters
    ----------
    problem : DualProblem
    shift : Tensor (B,)
        ``1 / sigma``.
    dtype : torch.dtype
        What they are computed in.

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

    def __init__(self, problem: DualProblem, shift: Tensor, dtype: torch.dtype = torch.float64) -> None:
        self._size, self._contexts, self._columns = problem.support.shape
        self._counts, self._several = problem.counts.to(dtype), bool((problem.counts > 1).any())
        self._active = torch.zeros_like(problem.support).mT
        self._batches: list[_Batch] = []
        self._places = torch.zeros(0, dtype=torch.int64, device=shift.device)
        self._gram = torch.nn.functional.pad(problem.gram.to(dtype), (0, 1, 0, 1))
        self._gram.diagonal(dim1=1, dim2=2).add_(shift.to(dtype)[:, None])
        self._gram[:, -1, -1] = 0.0
        self._coupling = torch.zeros_like(self._gram)

    @property
    def coupling(self) -> Tensor:
        """The sum over tokens of the blocks, each at its contexts; (B, m, m).

        Not finite for a problem with a block that is not positive definite in this precision.
        """
        return self._coupling[:, :-1, :-1]

    def update(self, active: Tensor) -> None:
        """Take another active set (B, m, U)."""
        by_token = active.mT
        changed = (by_token != self._active).any(2).reshape(-1)
        if self._batches:
            self._give_up(changed)
        self._active = by_token
        self._add(changed.nonzero()[:, 0])
        self._places = torch.cat([self._entries(batch.tokens, batch.rows).reshape(-1) for batch in self._batches])

    def solve(self, values: Tensor) -> Tensor:
        """The product of every block with its entries of a matrix (B, m, U); 0 off the active set."""
        padded = torch.nn.functional.pad(values, (0, 0, 0, 1))
        flat = padded.view(-1)
        given = flat.index_select(0, self._places)
        found, begin = torch.empty_like(given), 0
        for batch in self._batches:
            (g, w), end = batch.rows.shape, begin + batch.rows.numel()
            # rows times symmetric matrices: much faster than matrices times columns
            torch.bmm(given[begin:end].view(g, 1, w), batch.inverses, out=found[begin:end].view(g, 1, w))
            begin = end
        flat.zero_().scatter_(0, self._places, found)
        return padded[:, :-1]

    def _entries(self, tokens: Tensor, rows: Tensor) -> Tensor:
        """Where the entries of tokens (g,) at contexts (g, w) are in a padded C (B, m + 1, U)."""
        if self._size > 1:
            rows = rows + (tokens // self._columns * (self._contexts + 1))[:, None]
        return rows * self._columns + (tokens % self._columns)[:, None]

    def _pairs(self, tokens: Tensor, rows: Tensor) -> Tensor:
        """Where the pairs of contexts (g, w) are in a padded K (B, m + 1, m + 1); (g, w, w)."""
        first = rows * (self._contexts + 1)
        if self._size > 1:
            first += (tokens // self._columns * (self._contexts + 1) ** 2)[:, None]
        return first[:, :, None] + rows[:, None, :]

    def _give_up(self, changed: Tensor) -> None:
        """Forget the blocks of the tokens that have changed."""
        tokens = torch.cat([batch.tokens for batch in self._batches])
        alive = torch.cat([batch.rows[:, 0] for batch in self._batches]) < self._contexts
        gone, sizes = alive & changed[tokens], [len(batch.tokens) for batch in self._batches]
        owner = torch.arange(len(sizes), device=gone.device).repeat_interleave(torch.tensor(sizes, device=gone.device))
        numbers, left = (torch.bincount(owner[which], minlength=len(sizes)).tolist() for which in (gone, alive & ~gone))
        for batch, part, number in zip(self._batches, gone.split(sizes), numbers, strict=True):
            if number:
                tokens, rows = batch.tokens[part], batch.rows[part]
                self._couple(tokens, self._pairs(tokens, rows), -batch.inverses[part])
                batch.rows[part] = self._contexts
        self._batches = [batch for batch, some in zip(self._batches, left, strict=True) if some]

    def _add(self, chosen: Tensor) -> None:
        by_token = self._active.reshape(-1, self._contexts)[chosen]
        sizes = by_token.sum(1)
        order = sizes.argsort()
        chosen, by_token, sizes = chosen[order], by_token[order], sizes[order]
        index, row = by_token.nonzero(as_tuple=True)
        rows = torch.full((len(chosen), int(sizes[-1]) if len(sizes) else 0), self._contexts, device=chosen.device)
        rows[index, torch.arange(len(index), device=chosen.device) - (sizes.cumsum(0) - sizes)[index]] = row
        for begin, end, width in _batches(sizes.tolist(), BATCH_OF_GPU if chosen.is_cuda else BATCH):
            tokens, contexts = chosen[begin:end], rows[begin:end, :width]
            pairs = self._pairs(tokens, contexts)
            inverses = self._gram.view(-1).index_select(0, pairs.view(-1)).view(pairs.shape)
            inverses.diagonal(dim1=1, dim2=2).add_(contexts == self._contexts)
            _invert(inverses)
            self._couple(tokens, pairs, inverses)
            self._batches.append(_Batch(tokens, contexts, inverses))

    def _couple(self, tokens: Tensor, pairs: Tensor, inverses: Tensor) -> None:
        if self._several:
            inverses = inverses * self._counts[tokens % self._columns, None, None]
        self._coupling.view(-1).scatter_add_(0, pairs.view(-1), inverses.view(-1))


def _invert(blocks: Tensor) -> None:
    """The inverses of matrices (g, w, w) in their place; not finite where one is not positive definite."""
    # symmetric matrices are their own transposes, which are by columns as LAPACK has them
    blocks, failed = blocks.mT, torch.empty(len(blocks), dtype=torch.int32, device=blocks.device)
    torch.linalg.cholesky_ex(blocks, out=(blocks, failed))
    if wrong := bool(failed.any()):
        blocks[failed > 0] = torch.eye(blocks.shape[1]).to(blocks)
    torch.cholesky_inverse(blocks, out=blocks)
    if wrong:
        blocks[failed > 0] = torch.nan


def _batches(sizes: list[int], most: int) -> list[tuple[int, int, int]]:
    """Increasing sizes cut into pieces: where each begins and ends, and its largest size; sizes of 0 are left out."""
    pieces, end = [], len(sizes)
    while end and (width := sizes[end - 1]):
        begin, work, padding = end - 1, width**3, 0
        while begin and sizes[begin - 1] and (end - begin + 1) * width**2 <= most:
            real = sizes[begin - 1] ** 3
            work, padding = work + real, padding + width**3 - real
            if padding > max(CALL, PADDING * work):
                break
            begin -= 1
        pieces.append((begin, end, width))
        end = begin
    return pieces
