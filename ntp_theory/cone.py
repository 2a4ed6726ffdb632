"""The cone of multipliers: matrices (m, V) whose rows sum to 0 and are at most 0 off the support.

Both questions about separation live on it. A nonzero element with ``H^T C = 0`` proves that the data is *not*
separable (Farkas); the NTP-SVM is a quadratic program over it (`svm/dual`). Projecting on it is cheap: one threshold
a row, found by Newton's method on a concave piecewise linear function, without sorting.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .support import SupportPattern

__all__ = ["project_cone"]


def project_cone(matrix: Tensor, pattern: SupportPattern, start: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Orthogonal projection of a matrix on the cone of multipliers.

    Parameters
    ----------
    matrix : Tensor (m, V)
    pattern : SupportPattern
    start : Tensor (m,), optional
        Thresholds of a nearby matrix, to start Newton's method from.

    Returns
    -------
    projection : Tensor (m, V)
        ``y_z - mu`` on the support and ``min(y_v - mu, 0)`` off it, mu such that the row sums to 0.
    thresholds : Tensor (m,)
        mu by context.

    Notes
    -----
    Source: ours (`svm/dual`).

    Examples
    --------
    >>> pattern = SupportPattern.from_mask(torch.tensor([[True, False, False]]))
    >>> project_cone(torch.tensor([[1.0, 0.0, 3.0]]), pattern)[0]
    tensor([[ 0.5000, -0.5000,  0.0000]])
    """
    inside = pattern.inside(matrix)
    inside_sum = pattern.sum(inside)
    off = matrix.clone()
    off[pattern.contexts, pattern.tokens] = torch.inf
    mu = inside_sum / pattern.sizes if start is None else start

    def newton(mu: Tensor) -> tuple[Tensor, Tensor]:
        active = off < mu[:, None]
        count = active.sum(1)
        return (inside_sum + torch.where(active, off, 0.0).sum(1)) / (pattern.sizes + count), count

    # One step from anywhere lands right of the root; from there mu only falls, and so do the counts of active tokens.
    # Ties may swing by rounding, so the loop goes on only while some count reaches a new low.
    mu, _ = newton(mu)
    lowest = torch.full_like(pattern.sizes, pattern.vocab_size + 1)
    while True:
        mu, count = newton(mu)
        if not bool((count < lowest).any()):
            break
        lowest = torch.minimum(lowest, count)
    projection = (off - mu[:, None]).clamp_(max=0.0)
    projection[pattern.contexts, pattern.tokens] = inside - mu[pattern.contexts]
    return projection, mu
