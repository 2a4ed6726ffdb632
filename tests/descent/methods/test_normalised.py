"""Normalised gradient descent: one step in 1000 digits, the one-hot rate far below every double, the plateau."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.construct import a2
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.normalised import NormalisedGradientDescent, default_length
from ntp_theory.errors import UsageError
from ntp_theory.loss import gradient
from ntp_theory.testing import KINDS, datasets
from tests.descent.reference import ONE_HOT, SOFT, deep, exact_unit, finite_error, margin_gap
from tests.test_loss import EPS


@given(st.sampled_from(KINDS).flatmap(deep), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5))
def test_one_step(case, decay, count):
    data, weights = case
    method = NormalisedGradientDescent(0.5, decay)
    before = replace(method.init(data, weights), count=count)
    after = method.step(before)
    unit, log_norm, error = exact_unit(weights, data)
    length = 0.5 * (count + 1) ** -decay
    bound = length * (min(error, 2.0) + 16 * EPS) + EPS * float(weights.norm())
    assert (after.weights - (weights - length * unit)).norm() <= bound
    if error < 0.1 and log_norm > -math.inf:
        assert after.step_size == pytest.approx(length, rel=4 * EPS)
        elapsed = math.log(length) - log_norm
        assert after.log_elapsed == pytest.approx(elapsed, abs=2 * error + 16 * EPS * (1 + abs(elapsed)))


def test_by_hand():
    """One token of two, W = (x, 0): the gradient points along (-1, 1), whatever its size."""
    data = NTPDataset([[1.0]], [[1.0, 0.0]])
    run = descend(data, NormalisedGradientDescent(10 * 2**0.5), steps=400)
    assert run.weights[-1].flatten().tolist() == pytest.approx([4000.0, -4000.0], rel=1e-12)
    assert float(run.log_tail[-1]) == pytest.approx(-8000.0, rel=1e-12) and float(run.tail[-1]) == 0.0


def test_the_elapsed_time_is_the_sum_of_the_effective_step_sizes():
    method = NormalisedGradientDescent(0.3, decay=0.5)
    run = descend(SOFT, method, steps=20, record="all")
    steps = [0.3 / (k + 1) ** 0.5 / float(gradient(w, SOFT).norm()) for k, w in enumerate(run.weights[:-1])]
    assert run.log_elapsed[1:].exp().tolist() == pytest.approx(list(accumulate(steps)), rel=1e-12)


def test_the_one_hot_rate_far_below_every_double():
    """`bias/split-normalised`, F = {0}: eta k gap -> const, read where the loss is below e^-1000.

    From far out along W_mm, where the offsets of the constraints still have to be found; the norm of W_k stands for
    eta k. The slowest mode is multiplied by 1 - eta gamma lambda_1 a step; what is left is O(1/||W||).
    """
    limit, eta, steps = predict(ONE_HOT), 0.2, 500
    start = 1000.0 * limit.direction
    run = descend(ONE_HOT, NormalisedGradientDescent(eta), steps=steps, init=start, record=[steps])
    assert float(run.log_tail[-1]) < -1000.0
    found = float(run.norm[-1]) * margin_gap(run.weights[-1], limit)
    slow = (1 - eta * limit.margin * float(limit.active.rates[0])) ** steps
    assert found == pytest.approx(limit.margin_gap_constant, rel=slow + 2 / float(run.norm[-1]))


def test_how_long_steps_may_be_on_one_hot_data():
    """A step is eta gamma of log time, so slow mode i is multiplied by 1 - eta gamma lambda_i: stable up to 2.

    Longer steps swing between the constraints, and the margin stays behind by more than the constant.
    """
    limit = predict(ONE_HOT)
    largest = 2 / (limit.margin * float(limit.active.rates[-1]))
    for share, holds in ((0.9, True), (1.3, False)):
        eta = share * largest
        run = descend(ONE_HOT, NormalisedGradientDescent(eta), steps=2000, record=[1999, 2000])
        found = [k * margin_gap(w, limit) * eta for k, w in zip((1999, 2000), run.weights, strict=True)]
        assert (max(found) < 1.05 * limit.margin_gap_constant) == holds


def test_the_plateau():
    """`bias/ngd-plateau`: to leading order in eta; the next order is (eta ||h||)^2 once two steps are averaged."""
    limit, eta, steps = predict(SOFT), 0.01, 10_000
    predicted = limit.plateau(eta)
    run = descend(SOFT, NormalisedGradientDescent(eta), steps=steps, record=[steps - 1, steps])
    slack = (eta * float(SOFT.embeddings.norm(dim=1).max())) ** 2
    slopes = sum(float(gradient(w, SOFT).norm()) for w in run.weights) / 2
    assert slopes == pytest.approx(predicted.gradient_norm, rel=slack)
    radius = sum(finite_error(w, limit) for w in run.weights) / 2
    assert radius == pytest.approx(predicted.radius(steps), rel=slack)
    assert float(run.in_support.mean()) == pytest.approx(predicted.excess(steps), rel=slack)


def test_off_f_it_is_gradient_descent_with_the_largest_stable_step():
    """`bias/ngd-plateau`: (2 / lambda_max) k tail -> ||W_mm||^2, with the corrections of gradient descent."""
    limit, eta, steps = predict(SOFT), 0.01, 10_000
    step = limit.plateau(eta).step_in_time
    run = descend(SOFT, NormalisedGradientDescent(eta), steps=steps, record=[0, steps // 2, steps])
    _, half, whole = run.log_elapsed.exp().tolist()
    assert (whole - half) / (steps // 2) == pytest.approx(
        step, rel=(eta * float(SOFT.embeddings.norm(dim=1).max())) ** 2
    )
    spread = limit.active.spread(run.weights[0], step, steps)
    slack = 2 * spread + 2 * limit.burn_in * math.log(whole) / whole
    assert whole * float(run.tail[-1]) == pytest.approx(limit.loss_constant, rel=slack)


def test_decaying_steps_converge_on_f():
    """Radius eta_k / 2, and what gradient descent has left after the time that the run has counted."""
    limit, steps = predict(SOFT), 6000
    run = descend(SOFT, NormalisedGradientDescent(0.5, decay=0.5), steps=steps, record=[steps - 1, steps])
    drift = float(limit.finite_constant.norm()) / math.exp(float(run.log_elapsed[-1]))
    radius = sum(finite_error(w, limit) for w in run.weights) / 2
    assert radius == pytest.approx(math.hypot(run.step_size / 2, drift), rel=0.02)
    assert run.step_size == 0.5 / steps**0.5


@given(datasets())
def test_the_default_length_moves_no_logit_by_more_than_a_tenth(data):
    length = default_length(data)
    run = descend(data, "ngd", steps=1, record="all")
    assert run.step_size == length
    moved = data.embeddings @ (run.weights[1] - run.weights[0]).T
    assert float(moved.abs().max()) <= 0.1 * (1 + 1e-14)


def test_the_default_length_is_that_of_the_recorded_figures():
    assert default_length(a2()) == pytest.approx(0.01, rel=0.2)


def test_without_a_gradient_it_stays():
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    run = descend(data, "ngd", steps=3)
    assert not run.weights.any() and float(run.log_elapsed[-1]) == -math.inf


@pytest.mark.parametrize("bad", [-0.1, 1.5, math.nan, "1", None, True])
def test_decays_that_are_refused(bad):
    with pytest.raises(UsageError, match="decay is .*; it must be a number from 0 to 1"):
        NormalisedGradientDescent(decay=bad)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.inf])
def test_step_sizes_that_are_refused(bad):
    with pytest.raises(UsageError, match="step_size is .*; it must be a positive finite number"):
        NormalisedGradientDescent(bad)
