"""Numbers at the door: what is taken, and what is refused in which words."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from ntp_theory.doors import nonnegative, positive, share
from ntp_theory.errors import UsageError


@pytest.mark.parametrize("good", [1, 0.5, 1e300, 5e-324, np.float32(0.25), np.int64(3)])
def test_positive_numbers_that_are_taken(good):
    found = positive("step_size", good)
    assert type(found) is float and found == good


@pytest.mark.parametrize(
    "bad",
    [
        0.0,
        -1.0,
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        True,
        "0.5",
        None,
        1j,
        np.complex128(1),
        Fraction(1, 2),
    ],
)
def test_what_is_no_positive_number(bad):
    with pytest.raises(UsageError, match=r"step_size is .*; it must be a positive finite number"):
        positive("step_size", bad)


@pytest.mark.parametrize("good", [0, -0.0, 1, 1e300, np.float32(0.25), np.int64(3)])
def test_numbers_from_zero_that_are_taken(good):
    found = nonnegative("eps", good)
    assert type(found) is float and found == good


@pytest.mark.parametrize("bad", [-5e-324, math.nan, math.inf, 10**400, False, "0", None])
def test_what_is_no_number_from_zero(bad):
    with pytest.raises(UsageError, match=r"eps is .*; it must be a finite number >= 0"):
        nonnegative("eps", bad)


@pytest.mark.parametrize("good", [0, 1, 0.5, np.float32(0.25)])
def test_shares_that_are_taken(good):
    found = share("beta", good)
    assert type(found) is float and found == good


@pytest.mark.parametrize(
    ("bad", "below_one"), [(-0.1, False), (1.5, False), (1, True), (math.nan, False), ("0", False)]
)
def test_what_is_no_share(bad, below_one):
    with pytest.raises(UsageError, match=rf"beta is .*; it must be a number from 0 to {'below ' * below_one}1$"):
        share("beta", bad, below_one=below_one)
