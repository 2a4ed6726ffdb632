"""Square loss on free features from a small spectral start: each singular value is learned by a logistic law.

Gradient flow on ``||WH - S||^2 / 2`` from ``W = e^-delta U R^T``, ``H = e^-delta R T^T``, with ``S = U sigma T^T`` and
orthonormal columns of R, stays of that form, and the singular values of WH follow ``s' = 2 s (sigma - s)``.
"""

from __future__ import annotations

import math

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import dense, nonnegative, positive
from ..errors import DatasetError, UsageError

__all__ = ["half_time", "mode_strength", "switch_time"]


def mode_strength(level: float, delta: float, times: ArrayLike | Tensor) -> Tensor:
    """The strength ``s(t) = sigma / (1 + (sigma e^(2 delta) - 1) e^(-2 sigma t))`` of one mode; (n,).

    Parameters
    ----------
    level : float
        sigma >= 0, its singular value in the target; at 0 the limit ``1 / (e^(2 delta) + 2 t)``.
    delta : float
        The start is ``s(0) = e^(-2 delta)``.
    times : array-like (n,)
        Of gradient flow, at least 0.

    Raises
    ------
    UsageError
        If an argument is out of range.

    Notes
    -----
    Source: 2505.08348 (recalled); derived (`geometry/saxe-dynamics`).

    Examples
    --------
    >>> mode_strength(2.0, 4.0, [0.0, half_time(2.0, 4.0), 100.0])
    tensor([3.3546e-04, 1.0000e+00, 2.0000e+00], dtype=torch.float64)
    """
    sigma, delta = nonnegative("level", level), _start(delta)
    try:
        t = torch.from_numpy(dense("times", times, 1))
    except DatasetError as error:
        raise UsageError(str(error)) from error
    if bool((t < 0).any()):
        raise UsageError(f"times has {float(t.min())}; every time must be at least 0")
    # 1 / s = e^(2 delta - 2 sigma t) + (1 - e^(-2 sigma t)) / sigma, a sum of terms that are not negative
    grown = 2 * t if sigma == 0 else -torch.expm1(-2 * (sigma * t)) / sigma
    return 1 / ((2 * (delta - sigma * t)).exp() + grown)


def half_time(level: float, delta: float) -> float:
    """When the mode has half its strength: ``log(sigma e^(2 delta) - 1) / (2 sigma)``.

    It falls as sigma grows, if ``sigma e^(2 delta) >= 5``: larger singular values are learned first.

    Raises
    ------
    UsageError
        If ``sigma e^(2 delta)`` is below 2: the mode starts with more than half.

    Notes
    -----
    Source: derived (`geometry/semantics`).

    Examples
    --------
    >>> half_time(2.0, 4.0) < half_time(1.0, 4.0)
    True
    """
    sigma, delta = positive("level", level), _start(delta)
    log_ratio = math.log(sigma) + 2 * delta
    if log_ratio < math.log(2):
        raise UsageError(
            f"level {sigma:g} at delta {delta:g} starts with more than half its strength; delta is too small"
        )
    return (log_ratio + math.log1p(-math.exp(-log_ratio))) / (2 * sigma)


def switch_time(level: float, delta: float) -> float:
    """The time scale ``delta / sigma`` of a mode: for large delta s is near 0 before it, and near sigma after it.

    Notes
    -----
    Source: 2505.08348 (recalled); derived (`geometry/saxe-dynamics`).

    Examples
    --------
    >>> switch_time(2.0, 4.0)
    2.0
    """
    return _start(delta) / positive("level", level)


def _start(delta: float) -> float:
    return nonnegative("delta", delta)
