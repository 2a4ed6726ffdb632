"""Step sizes along a run: how they decay, and the logarithm of their sum, which no double may hold."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["decayed", "log_decayed", "log_sum"]


def decayed(first: float, decay: float, count: int) -> float:
    """The step size ``first (count + 1)^-decay``.

    Examples
    --------
    >>> decayed(0.1, 0.5, 3)
    0.05
    """
    return first * math.pow(count + 1, -decay)


def log_decayed(first: float, decay: float, count: int) -> float:
    """The logarithm of `decayed`, where that is below the smallest double too.

    Examples
    --------
    >>> round(log_decayed(5e-324, 0.5, 3) - math.log(5e-324), 6)
    -0.693147
    """
    return math.log(first) - decay * math.log(count + 1)


def log_sum(log_a: float, log_b: float) -> float:
    """``log(a + b)`` from the logarithms of a and b, either of which may be 0.

    Examples
    --------
    >>> round(log_sum(-1000.0, -1000.0) + 1000.0, 6), log_sum(-math.inf, -math.inf)
    (0.693147, -inf)
    """
    return float(np.logaddexp(log_a, log_b))
