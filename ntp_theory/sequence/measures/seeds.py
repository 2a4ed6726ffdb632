"""What several runs say together: their mean, and how far another handful of seeds may move it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from ...doors import number, share
from ...errors import UsageError

__all__ = ["over_seeds"]


def over_seeds(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The mean of one number a seed, and the half width of Student's confidence interval for it.

    Parameters
    ----------
    values : sequence of float
        One of every seed, at least two.
    level : float

    Returns
    -------
    mean, half_width : float

    Raises
    ------
    UsageError
        If there are fewer than two, or the level is not between 0 and 1.

    Examples
    --------
    >>> mean, half_width = over_seeds([0.1, 0.2, 0.3])
    >>> f"{mean:.3f} +- {half_width:.3f}"
    '0.200 +- 0.248'
    """
    level = share("level", level, below_one=True)
    if len(values) < 2:
        raise UsageError(f"values has {len(values)}; an interval needs two seeds or more")
    for value in values:
        number("values", value, "finite, everywhere", math.isfinite)
    quantile = float(student.ppf((1 + level) / 2, len(values) - 1))
    return float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
