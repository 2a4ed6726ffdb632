"""Steepest descent against the margins of its own norm; soft labels are observed, not judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ntp_theory import NTPDataset, compare, descend, predict
from ntp_theory.construct import random
from ntp_theory.construct.instances import tiny
from ntp_theory.descent import Muon, SignDescent, Signum, SpectralDescent

ONE_HOT = random(4, 8, 6, 1, rng=3)


@pytest.mark.parametrize("method", ["sign", "signum", "spectral", "muon", "dual-momentum"])
def test_one_hot_margins_close_at_least_as_fast_as_the_theorem(method):
    run, limit = descend(ONE_HOT, method, steps=1000), predict(ONE_HOT)
    comparison = compare(run, limit)
    assert comparison.holds, comparison.summary()
    rate = comparison.checks[-1]
    assert rate.label.split("/")[0] in ("steepest", "classical") and "rate" in rate.statement
    late = replace(run, weights=run.weights[[0, *range(len(run.weights) - 1, 0, -1)]])
    assert not compare(late, limit).holds


def test_one_step_on_one_context_has_no_rate():
    data = NTPDataset([[1.0, 2.0]], [[0.3, 0.7, 0.0]])
    comparison = compare(descend(data, "dual-momentum", steps=1), predict(data))
    assert comparison.holds and "too short" in comparison.note


def test_adam_is_observed_only_for_a_run_does_not_tell_its_eps():
    comparison = compare(descend(ONE_HOT, "adam", steps=50), predict(ONE_HOT))
    assert comparison.holds and "relative margin gap in the max norm" in comparison.observed


@pytest.mark.parametrize("method", ["sign", "spectral", "adam", "adamw"])
def test_soft_labels_are_observed_only(method):
    comparison = compare(descend(tiny(), method, steps=50), predict(tiny()))
    assert comparison.holds and "no theorem" in comparison.note
    assert len(comparison.observed) == 3 and "measured, no theorem" in comparison.summary()
    assert not any(check.label.startswith("steepest") for check in comparison.checks)


@pytest.mark.parametrize("cls", [SignDescent, SpectralDescent, Signum, Muon])
def test_steps_of_one_size_are_not_held_against_a_theorem_for_shorter_ones(cls):
    comparison = compare(descend(ONE_HOT, cls(decay=0.0), steps=300), predict(ONE_HOT))
    assert comparison.holds and "steps that get shorter" in comparison.note
