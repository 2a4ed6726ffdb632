"""Descent on log CE: lower at every step by a certified amount, the one-hot rate, step sizes beyond every double."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given

from ntp_theory import predict
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.growing import GrowingStepDescent, one_hot_step_size
from ntp_theory.errors import UsageError
from ntp_theory.loss import evaluate
from tests.descent.reference import ONE_HOT, SOFT, deep, exact_gradient, margin_gap
from tests.test_loss import EPS, rounding


def exact_log_loss(weights, data):
    with mpmath.workdps(60):
        loss = mpmath.mpf(0)
        rows = [[mpmath.mpf(x) for x in row] for row in weights.tolist()]
        parts = zip(data.embeddings.tolist(), data.pattern.tokens.tolist(), data.weights.tolist(), strict=True)
        for h, y, pi in parts:
            logits = [mpmath.fdot(row, h) for row in rows]
            others = mpmath.fsum(mpmath.exp(x - logits[y]) for v, x in enumerate(logits) if v != y)
            loss += mpmath.mpf(pi) * mpmath.log1p(others)
        return float(mpmath.log(loss))


@given(deep("one-hot"))
def test_every_step_lowers_log_ce_as_its_smoothness_promises(case):
    """By eta/2 ||grad log CE||^2 at eta = 1/(2 max ||h||^2): that is 1/L for log CE, anywhere."""
    data, weights = case
    method = GrowingStepDescent()
    state = method.init(data, weights)
    for _ in range(3):
        after = method.step(state)
        with mpmath.workdps(60):
            exact = exact_gradient(state.weights, data)
            before = exact_log_loss(state.weights, data)
            slope = float(exact.norm * mpmath.exp(-mpmath.mpf(before)))
            error = float(exact.error * mpmath.exp(-mpmath.mpf(before)))
        gain = one_hot_step_size(data) / 2 * max(slope - 2 * error, 0.0) ** 2
        # W is rounded after the step; a change of W changes log CE by at most sqrt(2) max ||h|| times as much
        moved = float(after.weights.norm() + state.weights.norm())
        slack = EPS * moved * 2 * float(data.embeddings.norm(dim=1).max()) + rounding(after.weights, data)
        assert exact_log_loss(after.weights, data) <= before - gain + slack
        state = after


@given(deep("one-hot"))
def test_one_step(case):
    data, weights = case
    method = GrowingStepDescent(0.25)
    after = method.step(method.init(data, weights))
    with mpmath.workdps(60):
        exact = exact_gradient(weights, data)
        scale = mpmath.exp(-mpmath.mpf(exact_log_loss(weights, data))) / 4
        expected = torch.tensor((exact.matrix * scale).tolist(), dtype=torch.float64)
        error, size = float(exact.error * scale), float(exact.norm * scale)
    # and of the logarithm of the loss, twice delta
    slack = 2 * error + size * (2 * rounding(weights, data) + 16 * EPS) + EPS * float(weights.norm())
    assert (after.weights - (weights - expected)).norm() <= slack
    if size:
        expected_log = math.log(0.25) - evaluate(weights, data).log_tail
        assert after.log_step_size == pytest.approx(expected_log, abs=1e-12)
        assert after.log_elapsed == after.log_step_size


def test_the_rate_of_the_margin_where_step_sizes_are_beyond_every_double():
    """`classical/primal-dual`: margin gap O(1/k), with the constant of `bias/split-normalised` at ||W_k||.

    As for normalised descent, with steps of length eta gamma: the slowest mode shrinks by 1 - eta gamma^2 lambda_1.
    """
    limit, eta, steps = predict(ONE_HOT), 0.2, 500
    run = descend(
        ONE_HOT, GrowingStepDescent(eta), steps=steps, init=1000.0 * limit.direction, record=[steps - 1, steps]
    )
    assert run.step_size == math.inf and 1000.0 < float(run.log_elapsed[-1]) < 2000.0
    assert float((run.weights[1] - run.weights[0]).norm()) == pytest.approx(eta * limit.margin, rel=0.01)
    found = float(run.norm[-1]) * margin_gap(run.weights[-1], limit)
    slow = (1 - eta * limit.margin**2 * float(limit.active.rates[0])) ** steps
    assert found == pytest.approx(limit.margin_gap_constant, rel=slow + 2 / float(run.norm[-1]))


def test_the_elapsed_time_is_the_sum_of_the_step_sizes():
    run = descend(ONE_HOT, GrowingStepDescent(0.25), steps=30, record="all")
    steps = (0.25 / run.gap[:-1]).cumsum(0)
    assert torch.allclose(run.log_elapsed[1:].exp(), steps, rtol=1e-13, atol=0)
    assert run.step_size == pytest.approx(0.25 / float(run.gap[-2]), rel=1e-13)


def test_soft_labels_are_refused():
    with pytest.raises(UsageError, match="method is 'growing', but context #0 has several next tokens"):
        descend(SOFT, "growing", steps=1)


def test_and_would_diverge():
    """What the refusal prevents: with eta / CE - H as step size, steps on F soon exceed 2 / lambda_max."""
    limit = predict(SOFT)
    start = limit.decoder(1e4)
    step = 0.2 / evaluate(start, SOFT).gap
    assert step > 2 / limit.plateau(1.0).curvature
    run = descend(SOFT, "gd", step_size=step, steps=20, init=start)
    assert float(run.in_support[-1]) > 1e3 * float(run.in_support[0])


def test_without_a_gradient_it_stays():
    data = NTPDataset([[0.0]], [[1.0, 0.0]])
    run = descend(data, "growing", steps=3)
    assert run.step_size == 1.0 and not run.weights.any() and float(run.log_elapsed[-1]) == -math.inf
