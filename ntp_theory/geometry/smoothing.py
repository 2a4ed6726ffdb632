"""The nuclear norm rounded off near 0: what an interior-point method sees of it, as a function of the logits alone.

``||L||_*`` is the minimum of ``(tr A + tr B)/2`` over positive semidefinite ``[[A, L], [L^T, B]]``. With the barrier
``-log det`` of weight epsilon in place of the constraint, A and B can be eliminated: each singular value s of L costs

    h(s) = a - epsilon log a + const,   a = epsilon + sqrt(epsilon^2 + s^2),   h'(s) = s / a  in [0, 1).

The gradient ``U diag(s / a) T^T`` has a spectral norm below 1, so that it is a feasible dual point at every epsilon;
its product with L is within ``min(V, m) epsilon`` of ``||L||_*``.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["SmoothedNuclearNorm"]


class SmoothedNuclearNorm:
    """The sum of ``h(s)`` over the singular values of one matrix: its gradient and its Hessian.

    Parameters
    ----------
    matrix : Tensor (m, V)
    smoothing : float
        epsilon > 0, in the units of the matrix.

    Examples
    --------
    >>> near = SmoothedNuclearNorm(torch.diag(torch.tensor([4.0, 3.0], dtype=torch.float64)), 1e-9)
    >>> near.gradient
    tensor([[1.0000, 0.0000],
            [0.0000, 1.0000]], dtype=torch.float64)
    """

    def __init__(self, matrix: Tensor, smoothing: float) -> None:
        self._left, sizes, right = torch.linalg.svd(matrix)
        self._right = right.mT.contiguous()
        self._sizes, self._smoothing = sizes, smoothing
        self._length = (smoothing**2 + sizes.square()).sqrt()
        self._slopes = sizes / (smoothing + self._length)

    @property
    def gradient(self) -> Tensor:
        """``U diag(s / a) T^T`` (m, V)."""
        n = len(self._sizes)
        found: Tensor = (self._left[:, :n] * self._slopes) @ self._right[:, :n].mT
        return found

    def hessian(self) -> Tensor:
        """Second derivatives (m V, m V), entries of matrices in rows; positive definite.

        In the singular bases, the sum of the entries (i, k) and (k, i) of a direction bends by the divided difference
        of h' at s_i and s_k, their difference by that at s_i and -s_k; both are formed without cancellation.
        """
        rows, columns = len(self._left), len(self._right)
        size = max(rows, columns)
        s, r = (torch.zeros(size, dtype=self._sizes.dtype) for _ in range(2))
        s[: len(self._sizes)] = self._sizes
        r = (self._smoothing**2 + s.square()).sqrt()
        a = self._smoothing + r
        products, cross = a[:, None] * a, s[:, None] * r + s * r[:, None]
        total = s[:, None] + s
        # both quotients tend to 1 / epsilon and to epsilon where the two singular values are 0
        both_zero = total == 0
        ratio = torch.where(both_zero, 1 / self._smoothing, total / torch.where(both_zero, 1.0, cross))
        together = (self._smoothing + self._smoothing**2 * ratio) / products
        apart = (self._smoothing + 1 / ratio) / products
        diagonal, swapped = (together + apart) / 2, (together - apart) / 2
        # an entry without a mirror image (i or k beyond the square part) has slope h'(s) / s = 1 / a alone
        least = min(rows, columns)
        diagonal, swapped = diagonal[:rows, :columns].clone(), swapped[:rows, :columns].clone()
        diagonal[least:], diagonal[:, least:] = (1 / a[:columns]), (1 / a[:rows, None])
        swapped[least:], swapped[:, least:] = 0.0, 0.0
        number = torch.arange(rows * columns).reshape(rows, columns)
        inner = torch.diag(diagonal.flatten())
        square = number[:least, :least]
        inner[square.flatten(), square.mT.flatten()] += swapped[:least, :least].flatten()
        basis = torch.kron(self._left.contiguous(), self._right)
        return basis @ inner @ basis.mT
