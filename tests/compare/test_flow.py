"""Gradient flow at log t = 10^4 against laws that are sharp there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ntp_theory import NTPDataset, compare, predict
from ntp_theory.construct import designed
from ntp_theory.construct.instances import sep_incompat, tiny
from ntp_theory.descent import flow

LAWS = {"bias/log-time-flow", "bias/sharp-gd-duals", "bias/sharp-gd-direction", "bias/sharp-gd-finite"}


@pytest.fixture(scope="module", params=[tiny, sep_incompat], ids=lambda f: f.__name__)
def held(request):
    data = request.param()
    return flow(data, log_time=1e4), predict(data)


def test_a_true_prediction_holds_to_nine_digits(held):
    comparison = compare(*held)
    found = [check for check in comparison.checks if check.label in LAWS]
    assert comparison.holds and {check.label for check in found} == LAWS, comparison.summary()
    assert found[0].error < 1e-9 and found[1].error < 1e-9


def test_errors_of_one_in_a_million_fail(held):
    run, limit = held
    assert run.log_derivative is not None
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(limit.finite.shape)) * 1e-6 * limit.svm.norm
    assert not compare(replace(run, log_derivative=run.log_derivative + noise), limit).holds
    assert not compare(replace(run, weights=run.weights + noise), limit).holds
    assert not compare(replace(run, log_times=run.log_times * (1 + 1e-6)), limit).holds


def test_a_short_flow_is_told_when_the_laws_set_in():
    comparison = compare(flow(tiny(), log_time=2.0), predict(tiny()))
    assert comparison.holds and "they set in at log t" in comparison.note


def test_a_finite_limit_is_reached():
    data = designed("overlap").data
    comparison = compare(flow(data, log_time=20.0), predict(data))
    assert comparison.holds and not comparison.note


def test_a_start_far_out_is_allowed_its_memory():
    data = tiny()
    start = 50 * np.random.default_rng(0).standard_normal((data.vocab_size, data.dim))
    assert compare(flow(data, log_time=10.0, init=start), predict(data)).holds


def test_tokens_that_are_very_rare_slow_the_multipliers_down():
    r = np.random.default_rng(0)
    rare = [[1 - 1e-12, 1e-12, 0, 0], [0, 0, 1, 0], [0.2, 0.3, 0.5, 0], [0, 0, 0, 1]]
    data = NTPDataset(r.standard_normal((4, 5)), rare)
    assert compare(flow(data, log_time=1000.0), predict(data)).holds
