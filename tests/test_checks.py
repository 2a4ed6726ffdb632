"""`Check`: what holds, what cannot be claimed to hold, and what is written out."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ntp_theory.checks import Check
from ntp_theory.errors import (
    CheckpointError,
    DatasetError,
    NotCompatibleError,
    NotSeparableError,
    NTPError,
    SolverError,
    UsageError,
)

numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(numbers, numbers, st.floats(0, 10), st.booleans())
@example(1.0, math.nan, 0.5, True)
@example(0.0, math.nan, 0.5, True)
@example(0.0, 0.0, 0.0, True)
@example(math.inf, math.inf, 0.5, False)
def test_close_holds_exactly_when_the_error_is_within_tolerance(predicted, computed, tolerance, relative):
    check = Check.close("bias/x", predicted, computed, tolerance=tolerance, evidence="measured", relative=relative)
    assert check.holds is (check.error <= tolerance)
    if math.isnan(predicted) or math.isnan(computed):
        assert not check.holds
    elif math.isfinite(predicted) and math.isfinite(computed):
        scale = abs(predicted) if relative else 1.0
        gap = abs(computed - predicted)
        if scale > 0:
            assert check.error == gap / scale
        else:
            assert check.error == (0.0 if gap == 0 else math.inf)


@given(numbers, numbers, st.floats(0, 10))
@example(1.0, math.nan, 0.5)
@example(math.inf, math.inf, 0.5)
def test_at_most_measures_the_excess(bound, computed, slack):
    check = Check.at_most("bias/x", bound, computed, evidence="certified", slack=slack)
    if math.isnan(computed - bound):
        assert not check.holds
    else:
        assert check.error == max(0.0, computed - bound)
        assert check.holds is (computed - bound <= slack)


@pytest.mark.parametrize(
    ("predicted", "computed", "holds"),
    [
        (3, 3, True),
        (3, 4, False),
        ("finite", "finite", True),
        ("finite", "no", False),
        (math.nan, math.nan, False),
    ],
)
def test_same(predicted, computed, holds):
    check = Check.same("bias/x", predicted, computed)
    assert (check.holds, check.evidence, check.tolerance) == (holds, "exact", 0.0)


@pytest.mark.parametrize("error", [0.5, math.inf, math.nan])
def test_a_check_cannot_be_made_to_hold(error):
    with pytest.raises(UsageError, match=r"holds=True contradicts error=.* tolerance=0.1"):
        Check("bias/x", 1.0, 2.0, error, 0.1, True, "measured")


def test_a_check_cannot_be_made_to_fail():
    with pytest.raises(UsageError, match="holds=False contradicts error=0.0"):
        Check("bias/x", 1.0, 1.0, 0.0, 0.1, False, "exact")


def test_unknown_evidence_is_refused():
    with pytest.raises(UsageError, match="evidence must be one of .*'exact'.*, got 'obvious'"):
        Check.same("bias/x", 1, 1, evidence="obvious")


@pytest.mark.parametrize(
    "check",
    [
        Check.close("a", 1.0, 2.0, tolerance=0.1, evidence="measured"),
        Check.close("a", np.float64(1), np.float64(2), tolerance=np.float64(0.1), evidence="measured"),
        Check.close("a", 0.0, math.nan, tolerance=0.1, evidence="measured"),
        Check.at_most("a", 1.0, math.inf, evidence="certified", slack=np.float64(0.0)),
        Check.same("a", np.int64(3), np.int64(3)),
        Check.same("a", "yes", "no", statement="words"),
    ],
)
def test_to_dict_is_standard_json(check):
    written = check.to_dict()
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert written["holds"] is check.holds


def test_line_shows_every_field_and_no_trailing_blanks():
    line = Check.close("bias/x", 1.0, 2.0, tolerance=0.1, evidence="measured").line()
    assert line.startswith("FAILS  bias/x ") and line.endswith("measured")
    for part in ("predicted 1", "computed 2", "error 1", "tol 0.1"):
        assert part in line
    assert "\n" not in line


def test_one_except_catches_every_error():
    for error in (
        DatasetError("x"),
        UsageError("x"),
        CheckpointError("x"),
        SolverError("x", "failed", 3),
        NotSeparableError("x", "proof"),
        NotCompatibleError("x", "proof"),
    ):
        assert isinstance(error, NTPError) and str(error) == "x"
    assert isinstance(DatasetError("x"), ValueError)
    assert NotSeparableError("x", "proof").certificate == "proof"
    assert (SolverError("x", "failed", 3).status, SolverError("x", "failed", 3).best) == ("failed", 3)
