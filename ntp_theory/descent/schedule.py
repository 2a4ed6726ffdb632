"""Settings of methods and what follows from them: decaying step sizes, and sums that no double may hold."""

from __future__ import annotations

import math

import numpy as np

from ..errors import UsageError
from .smoothness import check_step_size

__all__ = ["check_positive", "check_share", "decayed", "log_sum"]


def check_positive(name: str, value: object) -> float:
    """A positive finite number as a float.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> check_positive("finite_step_size", 0)
    Traceback (most recent call last):
    ...
    ntp_theory.errors.UsageError: finite_step_size is 0; it must be a positive finite number
    """
    try:
        return check_step_size(value)
    except UsageError:
        raise UsageError(f"{name} is {value!r}; it must be a positive finite number") from None


def check_share(name: str, value: object, *, below_one: bool = False) -> float:
    """A number from 0 to 1 as a float; without 1 itself if ``below_one``.

    Raises
    ------
    UsageError
        If it is none.

    Examples
    --------
    >>> check_share("momentum", 1, below_one=True)
    Traceback (most recent call last):
    ...
    ntp_theory.errors.UsageError: momentum is 1; it must be a number from 0 to below 1
    """
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        if 0.0 <= value < 1.0 or (value == 1.0 and not below_one):
            return float(value)
    raise UsageError(f"{name} is {value!r}; it must be a number from 0 to {'below 1' if below_one else '1'}")


def decayed(first: float, decay: float, count: int) -> float:
    """The step size ``first (count + 1)^-decay``.

    Examples
    --------
    >>> decayed(0.1, 0.5, 3)
    0.05
    """
    return first * math.pow(count + 1, -decay)


def log_sum(log_a: float, log_b: float) -> float:
    """``log(a + b)`` from the logarithms of a and b, either of which may be 0.

    Examples
    --------
    >>> round(log_sum(-1000.0, -1000.0) + 1000.0, 6), log_sum(-math.inf, -math.inf)
    (0.693147, -inf)
    """
    return float(np.logaddexp(log_a, log_b))
