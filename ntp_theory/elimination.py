"""Least squares in the decoder and one level a context, solved token by token.

Every linear question about a support pattern has the form: find W and levels s with ``h_j^T w_v + s_j = y_{jv}`` on the
entries (j, v) of the pattern, as nearly as possible. With y the log-odds this is compatibility; with y the logits of
a decoder it is the projection on F; with y the 0/1 supports it is separation. Given the levels, tokens decouple, so the
rows of W are eliminated one token at a time and a single m x m system for the levels remains: the work is linear in the
number of tokens, and what would be a Gram matrix of all generators of F is never formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .support import SupportPattern

__all__ = ["DEPENDENCE", "Elimination", "Fit", "alike"]

# A relation between constraints that holds to this distance, relative to their size, counts as exact. The systems for
# the levels see its square, which must stay above rounding.
DEPENDENCE = 1e-6


@dataclass(frozen=True, eq=False)
class Fit:
    """Solution of one least squares problem.

    Attributes
    ----------
    weights : Tensor (V, d)
        The W of smallest norm among all minimisers (over the levels too).
    levels : Tensor (m,)
        s.
    residual : Tensor (n,)
        ``y - h_j^T w_v - s_j`` on the entries; as a matrix R (m, V) it has zero row sums and ``H^T R = 0``.
    """

    weights: Tensor
    levels: Tensor
    residual: Tensor


class Elimination:
    """The factorised least squares problem of embeddings and a pattern.

    Parameters
    ----------
    embeddings : Tensor (m, d)
        Rows of comparable size; callers normalise them.
    pattern : SupportPattern

    Everything is done in double precision, whatever the embeddings have: ranks are decided here.

    Attributes
    ----------
    rank : int
        Rank of ``W -> (h_j^T (w_v - w_v'))`` over pairs in the same row of the pattern: dim F.

    free : Tensor (m, q)
        Orthonormal basis of the levels that some decoder meets exactly on the pattern.
    inverse : Tensor (n, d)
        Row i is column i of its token's pseudo-inverse: ``w_v = sum_i y_i inverse_i`` solves token v without levels.

    Notes
    -----
    Source: ours (`bias/data-subspace`, `bias/definition-1`, `svm/dual`).

    Examples
    --------
    >>> pattern = SupportPattern.from_mask(torch.tensor([[True, True], [True, True]]))
    >>> fit = Elimination(torch.tensor([[1.0], [2.0]]), pattern).fit(torch.tensor([0.0, 1.0, 0.0, 2.0]))
    >>> fit.weights.flatten().tolist()
    [-0.5, 0.5]
    """

    def __init__(self, embeddings: Tensor, pattern: SupportPattern) -> None:
        embeddings = embeddings.double()
        self._h, self._pattern = embeddings, pattern
        m, d = embeddings.shape
        inverse = embeddings.new_zeros(len(pattern.tokens), d)
        unmet, weight = embeddings.new_zeros(m, m), embeddings.new_zeros(m, m)
        ranks = 0
        for rows, entries in alike(pattern):
            u, s, vt = torch.linalg.svd(embeddings[rows], full_matrices=False)
            kept = s > s[:1] * DEPENDENCE  # none where d = 0
            u, s, vt = u[:, kept], s[kept], vt[kept]
            inverse[entries] = (u / s) @ vt
            block, count = (rows[:, None], rows), len(entries)
            weight[block] += count * ((u / s**2) @ u.T)
            if len(s) < len(rows):
                unmet[block] -= count * (u @ u.T)
                unmet[rows, rows] += count
            ranks += count * len(s)
        self.inverse = inverse
        values, vectors = torch.linalg.eigh(unmet)
        met = values <= DEPENDENCE**2 * pattern.vocab_size
        self.free, stiff = vectors[:, met], vectors[:, ~met]
        self._stiff, self._stiffness = stiff, values[~met]
        self._weight = torch.linalg.cholesky(self.free.T @ weight @ self.free)
        self.rank = ranks - self.free.shape[1]

    def pairing(self, weights: Tensor) -> Tensor:
        """``h_j^T w_v`` on the entries; (n,)."""
        return (self._h @ weights.double().T)[self._pattern.contexts, self._pattern.tokens]

    def fit(self, values: Tensor) -> Fit:
        """Solve for values (n,) on the entries; a second pass restores the digits that conditioning cost the first."""
        values, contexts = values.double(), self._pattern.contexts
        weights, levels = self._combine(torch.zeros_like(values)), values.new_zeros(self._pattern.num_contexts)
        residual = values
        for _ in range(2):
            # levels that make what is left as consistent as it can be
            unmet = self._pattern.sum(residual - self.pairing(self._combine(residual)))
            rise = self._stiff @ ((self._stiff.T @ unmet) / self._stiffness)
            weights, levels = weights + self._combine(residual - rise[contexts]), levels + rise
            # and, of the levels that change nothing, those with the smallest W
            pull = self._pattern.sum((self.inverse * weights[self._pattern.tokens]).sum(1))
            rise = self.free @ torch.cholesky_solve((self.free.T @ pull)[:, None], self._weight)[:, 0]
            weights, levels = weights - self._combine(rise[contexts]), levels + rise
            residual = values - self.pairing(weights) - levels[contexts]
        return Fit(weights, levels, residual)

    def balance(self, by_token: Tensor, by_context: Tensor) -> Tensor:
        """The smallest c (n,) with ``sum_j c_{jv} h_j`` = by_token (V, d) and ``sum_v c_{jv}`` = by_context (m,).

        The transposed problem; if there is no such c, the nearest in the sense of least squares.
        """
        contexts, tokens = self._pattern.contexts, self._pattern.tokens
        own: Tensor = (self.inverse * by_token.double()[tokens]).sum(1)
        unmet = by_context.double() - self._pattern.sum(own)
        levels = (self._stiff @ ((self._stiff.T @ unmet) / self._stiffness))[contexts]
        balanced: Tensor = own + levels - self.pairing(self._combine(levels))
        return balanced

    def _combine(self, values: Tensor) -> Tensor:
        """Token by token least squares without levels: ``w_v = sum_j values_{jv} g_{jv}``; (V, d)."""
        out = values.new_zeros(self._pattern.vocab_size, self._h.shape[1])
        return out.index_add_(0, self._pattern.tokens, values[:, None] * self.inverse)


def alike(pattern: SupportPattern) -> Iterator[tuple[Tensor, Tensor]]:
    """Contexts (k,) that some tokens have, and the entries (number of tokens, k) of these tokens."""
    groups: dict[bytes, list[Tensor]] = {}
    order = pattern.tokens.argsort(stable=True)
    for entries in order.split(torch.bincount(pattern.tokens, minlength=pattern.vocab_size).tolist()):
        if len(entries):
            groups.setdefault(pattern.contexts[entries].cpu().numpy().tobytes(), []).append(entries)
    for alike in groups.values():
        yield pattern.contexts[alike[0]], torch.stack(alike)
