"""Backtracking: the Armijo condition in exact arithmetic, linear convergence far below every double."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.line_search import LineSearch
from ntp_theory.descent.smoothness import default_step_size
from ntp_theory.errors import UsageError
from ntp_theory.testing import KINDS
from tests.descent.reference import ONE_HOT, SOFT, deep, exact_gradient
from tests.test_loss import EPS, Exact, rounding


class Judge:
    """CE - H in two exact parts, the exact gradient, and what rounding may hide of a fall of the loss."""

    def __init__(self, weights, data):
        self.weights, self.data = weights, data
        self.loss, self.gradient = Exact(weights, data), exact_gradient(weights, data)

    def fall(self, after):
        """Exact fall of the loss from here to another decoder, and a bound on the error of a computed one."""
        there, noise = Exact(after, self.data), mpmath.mpf(0)
        for weights, loss in ((self.weights, self.loss), (after, there)):
            delta = mpmath.mpf(rounding(weights, self.data))
            kl = max(loss.in_support, mpmath.mpf(0))
            noise += 3 * delta * loss.tail + delta * mpmath.sqrt(2 * kl) + delta**2 + 20 * EPS * kl
        fall = self.loss.in_support - there.in_support + self.loss.tail - there.tail
        # the decoder is rounded, and so is the gradient along which it has moved
        moved = mpmath.mpf(float((after - self.weights).norm()))
        off = EPS * float(after.norm()) + moved * self.gradient.error / self.gradient.norm
        # what the search itself puts down to rounding of the logits
        granted = 8 * EPS * (1 + float(self.data.embeddings.norm(dim=1).max() * self.weights.norm()))
        largest = max(self.loss.in_support, there.in_support, mpmath.mpf(0))
        noise += granted * self.loss.tail + granted * mpmath.sqrt(largest) + granted**2 * (largest > 0)
        return fall, noise + 2 * self.gradient.norm * off


@given(st.sampled_from(KINDS).flatmap(deep), st.sampled_from([0.1, 1.0, 1e3, 1e300]))
def test_steps_meet_the_condition_and_are_not_needlessly_short(case, factor):
    data, weights = case
    trial = math.log(factor * default_step_size(data))
    method = LineSearch(math.exp(trial))
    before = method.init(data, weights)
    after = method.step(before)
    if after is before:  # no gradient
        return
    kept = after.log_step_size
    with mpmath.workdps(60):
        judge = Judge(weights, data)
        assert kept <= trial + 1e-12 and after.log_trial == pytest.approx(kept + math.log(2.0))
        fall, noise = judge.fall(after.weights)
        assert fall >= mpmath.exp(kept) / 2 * judge.gradient.norm**2 - noise
        if kept <= before.log_safe + 1e-12 or kept + math.log(2.0) > trial + 1e-9:
            return  # 1/L needs no condition, the first trial has met it
        longer = method.step(replace(before, log_trial=kept + math.log(2.0), log_safe=math.inf))
        fall, noise = judge.fall(longer.weights)
        assert fall <= mpmath.exp(kept) * judge.gradient.norm**2 + noise


def test_on_one_hot_data_the_loss_falls_exponentially():
    """Past the smallest double, to e^-1000: steps go on lowering it, and are as large as the loss is small."""
    start = 880.0 * predict(ONE_HOT).direction
    run = descend(ONE_HOT, LineSearch(1e300), steps=1000, init=start, record=[400, 600, 800, 1000])
    falls = -run.log_tail.diff()
    assert float(run.log_tail[-1]) < -1000.0 and bool((falls > 20.0).all())
    assert float(falls.max() / falls.min()) < 1.2
    assert run.step_size == math.inf
    # margins grow by a bounded amount a step, so eta times the loss stays in between two constants
    products = run.log_elapsed + run.log_tail
    assert float(products.max() - products.min()) < 1.0


def test_a_start_far_out_does_not_stall():
    """At e^-880 steps of 1/L do not move a double; they double until they do, and the loss falls again."""
    run = descend(ONE_HOT, "line-search", steps=1400, init=880.0 * predict(ONE_HOT).direction, record=[0, 1400])
    assert float(run.log_tail[0]) > -880.0 and float(run.log_tail[-1]) < -890.0


def test_on_soft_labels_steps_stay_about_one_over_the_curvature():
    """Steps that overshoot H_F are refused: at 1/lambda_max the condition holds with equality, to leading order.

    At eta the loss on F falls by eta ||g||^2 (1 - eta lambda / 2): half of eta ||g||^2 is left at 1/lambda_max if the
    gradient is that eigenvector, and at up to 1/lambda_min if it is another.
    """
    limit = predict(SOFT)
    steps = 1500
    run = descend(SOFT, "line-search", steps=steps, record=[500, steps])
    mean = float(run.log_elapsed.exp().diff()) / 1000
    assert mean > 1 / limit.plateau(1.0).curvature
    # and the laws hold in the time that has passed: the sum of the step sizes
    spread = limit.active.spread(limit.finite * 0, mean, steps)
    t = math.exp(float(run.log_elapsed[-1]))
    slack = 2 * spread + 2 * limit.burn_in * math.log(t) / t
    assert t * float(run.gap[-1]) == pytest.approx(limit.loss_constant, rel=slack)


def test_at_the_minimum_rounding_does_not_stop_or_scatter_it():
    """Full support: the loss is at rounding after three hundred steps, and stays there."""
    data = NTPDataset([[1.0, 0.3], [0.2, -1.0]], [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
    run = descend(data, "line-search", steps=900, record=[300, 900])
    assert float(run.gap.max()) < 1e-28
    assert 0.99 * default_step_size(data) <= run.step_size < 1e3


@pytest.mark.parametrize("step_size", [1e-300, 1e300])
def test_first_trials_of_any_size(step_size):
    run = descend(SOFT, LineSearch(step_size), steps=1)
    assert 0 < run.step_size <= step_size * (1 + 1e-12) and float(run.gap[1]) <= float(run.gap[0])


def test_without_a_gradient_it_stays():
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    run = descend(data, "line-search", steps=3)
    assert not run.weights.any() and float(run.log_elapsed[-1]) == -math.inf


def test_step_sizes_that_are_refused():
    with pytest.raises(UsageError, match="step_size is 0; it must be a positive finite number"):
        LineSearch(0)
