"""Which steps are recorded."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.descent import recorded_steps
from ntp_theory.errors import UsageError

lengths = st.integers(0, 10**7)


@given(lengths)
def test_log_has_both_ends_and_every_power_of_ten(steps):
    found = recorded_steps("log", steps)
    assert found[0] == 0 and found[-1] == steps and found == sorted(set(found))
    assert all(10**e in found for e in range(8) if 10**e <= steps)


@given(lengths)
def test_log_steps_are_a_twentieth_of_a_decade_apart(steps):
    """Neighbours differ by a factor 10^(1/20), rounded to whole numbers: off by at most 1/2 each."""
    found = recorded_steps("log", steps)[1:]
    ratio = 10 ** (1 / 20)
    assert all(b - 0.5 <= ratio * (a + 0.5) or b == a + 1 for a, b in zip(found, found[1:], strict=False))
    assert len(found) <= 20 * math.log10(max(steps, 1)) + 2


@given(lengths, lengths)
def test_a_longer_log_run_begins_with_the_same_steps(a, b):
    short, long = recorded_steps("log", min(a, b)), recorded_steps("log", max(a, b))
    assert set(short[:-1]) <= set(long) and [k for k in long if k < short[-1]] == short[:-1]


@given(st.integers(0, 300), st.integers(1, 400))
def test_every_nth(steps, n):
    found = recorded_steps(n, steps)
    assert found == [k for k in range(steps + 1) if k % n == 0 or k == steps]
    assert recorded_steps("all", steps) == recorded_steps(1, steps) == list(range(steps + 1))


@given(st.lists(st.integers(0, 50), min_size=1))
def test_explicit_steps(chosen):
    for form in (chosen, tuple(chosen), np.array(chosen), torch.tensor(chosen), iter(chosen)):
        assert recorded_steps(form, 50) == sorted(set(chosen))


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ("never", "record is 'never'; it must be 'log', 'all', a number of steps, or the steps themselves"),
        (0, "record is 0; it must be a whole number >= 1"),
        (-3, "record is -3; it must be a whole number >= 1"),
        (2.5, "record is 2.5; it must be a whole number >= 1"),
        (True, "record is True; it must be a whole number >= 1"),
        (None, "record is None; it must be a whole number >= 1"),
        ([], "record names no step; it must name at least one"),
        ([0, 11], "record entry is 11; it must be a whole number >= 0 and <= 10"),
        ([-1], "record entry is -1; it must be a whole number >= 0 and <= 10"),
        ([0.5], "record entry is 0.5; it must be a whole number >= 0 and <= 10"),
    ],
)
def test_schedules_that_are_refused(record, rule):
    with pytest.raises(UsageError, match=rule):
        recorded_steps(record, 10)
