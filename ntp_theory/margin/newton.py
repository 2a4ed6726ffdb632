"""The second-order finish of the NTP-SVM: proximal steps on its dual, each solved by a semismooth Newton method.

A proximal step from C_k minimises the dual objective plus ``||C - C_k||^2 / (2 sigma)`` over the cone of multipliers.
Once it is known which off-support entries are not zero, that is one linear system: with t the 0/1 supports, mu a level
for each context and ``W = C^T H``,

    C / sigma + H W^T + mu = t + C_k / sigma    on those entries and the supports,    rows of C sum to 0.

Newton's method solves it, reads off which entries the solution wants, and stops when they stay the same: a finite and
usually small number of rounds. Given mu the tokens decouple, so a round costs one Cholesky factor a token, no larger
than the contexts that it is active after nor than the dimension, and one of size m for the levels. The steps converge
at the rate ``1 / sigma``, whatever the condition of the data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..cone import project_cone
from ..dataset import NTPDataset

__all__ = ["Proximal"]

# Rounds of Newton's method before a step counts as failed, and refinements of each linear system.
ROUNDS, REFINEMENTS = 12, 2


class Proximal:
    """Proximal steps for one dataset.

    Parameters
    ----------
    data : NTPDataset

    Notes
    -----
    Source: ours (`svm/dual`); proximal points after Rockafellar (1976), semismooth Newton after Qi and Sun (1993).

    Examples
    --------
    >>> data = NTPDataset([[2.0]], [[1.0, 0.0]])
    >>> after, rounds = Proximal(data).step(torch.zeros(1, 2, dtype=torch.float64), 1e9)
    >>> (after.T @ data.embeddings).flatten(), rounds
    (tensor([ 0.2500, -0.2500], dtype=torch.float64), 1)
    """

    def __init__(self, data: NTPDataset) -> None:
        self._h, self._support, self._pattern = data.embeddings, data.support, data.pattern
        self._target = data.support.to(data.embeddings.dtype)

    def step(self, c: Tensor, sigma: float) -> tuple[Tensor | None, int]:
        """The proximal step from ``c`` (m, V) and the rounds it took; None if its non-zero entries kept changing."""
        right = self._target + c / sigma
        projection, _ = project_cone(c + sigma * (self._target - self._logits(c)), self._pattern)
        active = self._support | (projection < 0)
        for rounds in range(1, ROUNDS + 1):
            try:
                after, levels = self._solve(right, active, sigma)
            except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
                break
            wanted = self._support | (right - self._logits(after) < levels[:, None])
            if torch.equal(wanted, active):
                return after, rounds
            active = wanted
        return None, ROUNDS

    def _logits(self, c: Tensor) -> Tensor:
        """``H W^T`` of ``W = C^T H``."""
        return self._h @ (c.T @ self._h).T

    def _solve(self, right: Tensor, active: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """C on the active entries, and mu; refined, as tokens with dependent contexts cost digits."""
        columns = active.any(0).nonzero()[:, 0].tolist()
        blocks = [_Block(self._h, active[:, v].nonzero()[:, 0], v, sigma) for v in columns]
        coupling = right.new_zeros(len(right), len(right))
        for block in blocks:
            coupling[block.rows[:, None], block.rows] += block.inverse()
        factor = torch.linalg.cholesky(coupling)
        c, levels = torch.zeros_like(right), right.new_zeros(len(right))
        for _ in range(1 + REFINEMENTS):
            missing = right - c / sigma - self._logits(c) - levels[:, None]
            pull, steps = c.sum(1), []
            for block in blocks:
                steps.append(block.solve(missing[block.rows, block.token]))
                pull[block.rows] += steps[-1]
            rise = torch.cholesky_solve(pull[:, None], factor)[:, 0]
            for block, step in zip(blocks, steps, strict=True):
                c[block.rows, block.token] += step - block.solve(rise[block.rows])
            levels = levels + rise
        return c, levels


class _Block:
    """``(H_J H_J^T + I / sigma)^-1`` for the contexts J after which one token is active."""

    def __init__(self, h: Tensor, rows: Tensor, token: int, sigma: float) -> None:
        self.rows, self.token, self._sigma = rows, token, sigma
        h = h[rows]
        # the smaller of the two Gram matrices; with the one of size d the inverse is sigma (1 - Z^T Z)
        self._thin = len(rows) > h.shape[1]
        gram = h.T @ h if self._thin else h @ h.T
        gram.diagonal().add_(1 / sigma)
        factor = torch.linalg.cholesky(gram)
        self._matrix = torch.linalg.solve_triangular(factor, h.T, upper=False) if self._thin else factor

    def inverse(self) -> Tensor:
        """The matrix itself, (|J|, |J|)."""
        if not self._thin:
            return torch.cholesky_inverse(self._matrix)
        identity = torch.eye(len(self.rows), dtype=self._matrix.dtype, device=self._matrix.device)
        dense: Tensor = self._sigma * (identity - self._matrix.T @ self._matrix)
        return dense

    def solve(self, values: Tensor) -> Tensor:
        """Its product with a vector (|J|,)."""
        if not self._thin:
            return torch.cholesky_solve(values[:, None], self._matrix)[:, 0]
        product: Tensor = self._sigma * (values - self._matrix.T @ (self._matrix @ values))
        return product
