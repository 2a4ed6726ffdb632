"""The direction of the gradient, at any size of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...loss import unchecked_gradient
from .residual import gradient_entries

__all__ = ["exp_or_inf", "unit_gradient"]


def unit_gradient(weights: Tensor, data: NTPDataset) -> tuple[Tensor, float]:
    """The gradient divided by its Frobenius norm, and the logarithm of the norm.

    Parameters
    ----------
    weights : Tensor (V, d)
        In the type and on the device of ``data``; not looked at.
    data : NTPDataset

    Returns
    -------
    unit : Tensor (V, d)
        Zeros if the gradient is zero.
    log_norm : float
        Natural logarithm; -inf if the gradient is zero.

    Notes
    -----
    Source: ours (`bias/tail-exact`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[1.0, 0.0]])
    >>> unit, log_norm = unit_gradient(torch.tensor([[5000.0], [0.0]], dtype=torch.float64), data)
    >>> unit.tolist(), log_norm
    ([[-0.7071067...], [0.7071067...]], -4999.653...)
    """
    gradient = unchecked_gradient(weights, data)
    norm = float(torch.linalg.vector_norm(gradient))
    # the squares in the norm must not underflow; what is lost of entries this much smaller is below rounding
    if norm > torch.finfo(gradient.dtype).tiny ** 0.4:
        return gradient / norm, math.log(norm)
    entries = gradient_entries(weights, data)
    log_norm = entries.log_norm()
    return (entries.dense(-log_norm), log_norm) if log_norm > -math.inf else (torch.zeros_like(weights), -math.inf)


def exp_or_inf(x: float) -> float:
    """The number exp(x), inf beyond the largest double.

    Examples
    --------
    >>> exp_or_inf(0.0), exp_or_inf(1e4)
    (1.0, inf)
    """
    return math.exp(x) if x < 709.0 else math.inf
