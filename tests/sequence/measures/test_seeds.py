"""Means over seeds: their intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import over_seeds


@pytest.mark.parametrize("count, level", [(2, 0.95), (3, 0.95), (3, 0.8), (10, 0.5)])
def test_as_often_as_promised(count, level):
    """Normal numbers: the share of intervals that hold the mean is the level, within five standard errors."""
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(1000, count))
    held = 0
    for values in draws:
        mean, half_width = over_seeds(values.tolist(), level)
        held += abs(mean - 3.0) <= half_width
    assert abs(held / 1000 - level) < 5 * np.sqrt(level * (1 - level) / 1000)


def test_seeds_that_agree():
    assert over_seeds([0.5, 0.5, 0.5]) == (0.5, 0.0)


@pytest.mark.parametrize("values, level, message", [([0.1], 0.95, "values has 1"), ([0.1, 0.2], 1.0, "level is 1.0")])
def test_wrong_calls(values, level, message):
    with pytest.raises(UsageError, match=message):
        over_seeds(values, level)
