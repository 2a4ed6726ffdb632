"""The cone of multipliers: matrices (m, V) whose rows sum to 0 and are at most 0 off the support.

Both questions about separation live on it. A nonzero element with ``H^T C = 0`` proves that the data is *not*
separable (Farkas); the NTP-SVM is a quadratic program over it (`svm/dual`). Projecting on it is cheap: one threshold
a row, found by Newton's method on a concave piecewise linear function, without sorting.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Cone"]


class Cone:
    """The multipliers of some supports.

    Parameters
    ----------
    support : Tensor (..., m, V), bool
        True at (j, z) for z in S_j; leading axes number cones of one shape.
    counts : Tensor (V,), optional
        How many tokens each column stands for (`bias/svm-structure` ii): rows sum to 0, and distances are measured,
        with every entry taken that often. Once if not given.
    dtype : torch.dtype
        Of the matrices that will be projected.

    Notes
    -----
    Source: ours (`svm/dual`).

    Examples
    --------
    >>> cone = Cone(torch.tensor([[True, False, False]]))
    >>> cone.project(torch.tensor([[1.0, 0.0, 3.0]], dtype=torch.float64))[0]
    tensor([[ 0.5000, -0.5000,  0.0000]], dtype=torch.float64)
    """

    def __init__(self, support: Tensor, counts: Tensor | None = None, dtype: torch.dtype = torch.float64) -> None:
        self._support = support
        # entries may rise to this: without bound on the support, to 0 off it
        self._ceiling = torch.zeros(support.shape, dtype=dtype, device=support.device).masked_fill_(support, torch.inf)
        self._counts = torch.ones(support.shape[-1]) if counts is None else counts
        self._counts = self._counts.to(self._ceiling)
        self._shifted, self._rest = torch.empty_like(self._ceiling), torch.empty_like(self._ceiling)  # work space

    def project(self, matrix: Tensor, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Orthogonal projection of a matrix on the cone.

        Parameters
        ----------
        matrix : Tensor (..., m, V)
        start : Tensor (..., m), optional
            Thresholds of a nearby matrix, to start Newton's method from.

        Returns
        -------
        projection : Tensor (..., m, V)
            ``y_z - mu`` on the support and ``min(y_v - mu, 0)`` off it, mu such that the row sums to 0.
        thresholds : Tensor (..., m)
            mu by context.
        """
        mu = self._level(matrix) if start is None else start
        # One step from anywhere lands right of the root; from there mu only falls, and so do the counts of active
        # tokens. The same count twice means the same tokens: mu is exact. Ties may swing by rounding, so the loop goes
        # on only while some count reaches a new low.
        mu, before = self._newton(matrix, mu)
        mu, lowest = self._newton(matrix, mu)
        while bool((lowest != before).any()):
            mu, active = self._newton(matrix, mu)
            lowest, before = torch.minimum(lowest, active), lowest
        return torch.minimum(matrix - mu[..., None], self._ceiling), mu

    def _level(self, matrix: Tensor) -> Tensor:
        """Thresholds if no off-support token were active: the mean over each support."""
        size = self._support.to(matrix.dtype) @ self._counts
        return matrix.masked_fill(~self._support, 0.0) @ self._counts / size

    def _newton(self, matrix: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
        """One Newton step for the thresholds, and the number of entries that follow them."""
        torch.sub(matrix, mu[..., None], out=self._shifted)
        active = torch.lt(self._shifted, self._ceiling, out=self._rest) @ self._counts
        return mu + torch.minimum(self._shifted, self._ceiling, out=self._rest) @ self._counts / active, active
