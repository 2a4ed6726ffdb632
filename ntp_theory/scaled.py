"""Matrices whose rows may be as small as e^-10000: each row, or each entry, carries the logarithm of its scale.

Late in training the rows of a gradient are of sizes that no double holds, and of very different ones: the row of a
token that no context expects any more may be e^-500 times smaller than the next. Sign descent, Adam and the spectral
methods move such rows as far as all others, so none may be rounded away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Scaled"]


@dataclass(frozen=True, eq=False)
class Scaled:
    """The matrix with rows ``exp(log_scale[v]) * rows[v]``; its entries may have scales of their own, too.

    Attributes
    ----------
    rows : Tensor (V, d)
        Of moderate size.
    log_scale : Tensor (V, 1) or (V, d)
        -inf where the row or the entry is zero.

    Examples
    --------
    >>> tiny = Scaled(torch.ones(1, 2, dtype=torch.float64), torch.tensor([[-2000.0]], dtype=torch.float64))
    >>> round(tiny.log_norm() + 2000.0, 9)  # log sqrt(2)
    0.34657359
    >>> (tiny + tiny).dense(log_factor=2000.0)
    tensor([[2., 2.]], dtype=torch.float64)
    """

    rows: Tensor
    log_scale: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> Scaled:
        """A matrix (V, d) of doubles, with the largest entry of each row as its scale."""
        largest = matrix.abs().amax(1, keepdim=True)
        return cls(matrix / torch.where(largest > 0, largest, 1.0), largest.log())

    def __add__(self, other: Scaled) -> Scaled:
        top = torch.maximum(self.log_scale, other.log_scale)
        return Scaled(self._at(top) + other._at(top), top)

    def times(self, log_factor: float) -> Scaled:
        """The matrix times ``exp(log_factor)``."""
        return Scaled(self.rows, self.log_scale + log_factor)

    def average(self, other: Scaled, beta: float) -> Scaled:
        """The matrix ``beta * self + (1 - beta) * other``, a step of an exponential moving average; 0 <= beta < 1."""
        return self.times(math.log(beta) if beta else -math.inf) + other.times(math.log1p(-beta))

    def square(self) -> Scaled:
        """The matrix of the squares of the entries."""
        return Scaled(self.rows.square(), 2.0 * self.log_scale)

    def dense(self, log_factor: float = 0.0) -> Tensor:
        """``exp(log_factor)`` times the matrix, as doubles; what is below the smallest of them becomes 0."""
        return self.rows * (self.log_scale + log_factor).exp()

    def log_norm(self) -> float:
        """Natural logarithm of the Frobenius norm; -inf for zero."""
        return 0.5 * float(torch.logsumexp(2.0 * (self.rows.abs().log() + self.log_scale).flatten(), 0))

    def _at(self, top: Tensor) -> Tensor:
        """The rows relative to scales no smaller than their own."""
        return self.rows * (self.log_scale - torch.where(top > -torch.inf, top, 0.0)).exp()
