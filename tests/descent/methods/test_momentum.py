"""Heavy ball and Nesterov: against torch and a plain loop, and the laws of gradient descent in their own time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.descent import descend
from ntp_theory.descent.methods.momentum import HeavyBall, HeavyBallState, Nesterov
from ntp_theory.descent.smoothness import default_step_size
from ntp_theory.errors import UsageError
from ntp_theory.testing import datasets, decoders
from tests.descent.reference import ONE_HOT, SOFT, finite_error
from tests.test_loss import EPS, naive_loss, rounding, total_size

STEPS = 6
cases = st.sampled_from(["any", "independent", "one-hot"]).flatmap(
    lambda kind: datasets(kind).flatmap(lambda data: st.tuples(st.just(data), decoders(data)))
)


def drift(trajectory):
    """How far two runs that are the same but for rounding may be apart after STEPS steps.

    A gradient is off as in tests/descent/methods/test_gd.py. A step up to 1/L and a momentum up to 1 pass an error on
    no more than three times as large, so STEPS of them by less than 3^STEPS in all.
    """
    data = trajectory.data
    errors = [
        trajectory.step_size * 4 * rounding(w, data) * total_size(data) * w.numel() ** 0.5 + 4 * EPS * float(w.norm())
        for w in trajectory.weights
    ]
    return 3**STEPS * max(errors) * STEPS


@given(cases, st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.1, 1.0]))
def test_the_heavy_ball_of_torch(case, momentum, fraction):
    data, start = case
    method = HeavyBall(fraction * default_step_size(data), momentum)
    trajectory = descend(data, method, steps=STEPS, init=start, record="all")
    leaf = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.SGD([leaf], lr=trajectory.step_size, momentum=momentum)
    for weights in trajectory.weights:
        assert (weights - leaf).norm() <= drift(trajectory)
        optimiser.zero_grad()
        naive_loss(leaf, data).backward()
        optimiser.step()


@given(cases)
def test_nesterov_in_two_lines(case):
    data, start = case
    trajectory = descend(data, "nesterov", steps=STEPS, init=start, record="all")
    h, p, pi = data.embeddings.numpy(), data.probabilities.to_dense().numpy(), data.weights.numpy()
    w = before = start.numpy()
    for k, found in enumerate(trajectory.weights):
        assert np.linalg.norm(found.numpy() - w) <= drift(trajectory)
        y = w + k / (k + 3) * (w - before)
        logits = h @ y.T
        softmax = np.exp(logits - logits.max(1, keepdims=True))
        softmax /= softmax.sum(1, keepdims=True)
        w, before = y - trajectory.step_size * ((softmax - p) * pi[:, None]).T @ h, w


@given(st.integers(1, 60), st.sampled_from([0.0, 1e-9, 0.5, 0.9, 0.999999]))
def test_the_elapsed_time_of_the_heavy_ball(count, momentum):
    """How far it would have come under a gradient of 1."""
    way = velocity = 0.0
    for _ in range(count):
        velocity = momentum * velocity + 0.25
        way += velocity
    state = HeavyBallState(torch.zeros(1, 1), torch.zeros(1, 1), SOFT, 0.25, momentum, count)
    # k - beta (1 - beta^k) / (1 - beta) cancels to about k^2 (1 - beta) / 2
    assert math.exp(state.log_elapsed) == pytest.approx(way, rel=64 * EPS / (1 - momentum) + 64 * EPS)


@pytest.mark.parametrize("data", [SOFT, ONE_HOT], ids=["soft", "one-hot"])
def test_the_heavy_ball_is_gradient_descent_with_a_longer_step(data):
    """`bias/sharp-gd-loss` at eta / (1 - beta).

    The ball outruns gradient descent at the start and then waits for it, so t (CE - H) -> ||W_mm||^2 sets in late. What
    it has gained is a constant in 1 / (CE - H), gone from the slope; small steps keep it from exciting slow modes.
    """
    limit, steps = predict(data), 8000
    run = descend(data, HeavyBall(0.1 * default_step_size(data), 0.9), steps=steps, record=[0, steps // 2, steps])
    t = run.log_elapsed[1:].exp()
    assert t.tolist() == pytest.approx([10 * run.step_size * k for k in (steps // 2, steps)], rel=1e-2)
    slope = float((1 / run.gap[1:]).diff() / t.diff())
    last = float(t[-1])
    slack = 2 * limit.active.spread(run.weights[0], last / steps, steps) + 2 * limit.burn_in * math.log(last) / last
    assert 1 / slope == pytest.approx(limit.loss_constant, rel=slack)


@pytest.mark.parametrize("data", [SOFT, ONE_HOT], ids=["soft", "one-hot"])
def test_nesterov_is_gradient_flow_at_a_quarter_of_eta_k_squared(data):
    """The loss falls like 4 ||W_mm||^2 / (eta k^2); P_F W_k - W* follows as under gradient descent, in that time.

    Slow modes decay no slower than under gradient descent in that time. The time itself is known up to a shift of its
    origin by a few steps, 10 / k of it. Oscillations on F die out like (1 - eta lambda_min)^(k/2).
    """
    limit, steps = predict(data), 3000
    run = descend(data, "nesterov", steps=steps)
    t = math.exp(float(run.log_elapsed[-1]))
    assert t == pytest.approx(run.step_size * steps * (steps + 3) / 4, rel=1e-12)
    spread = limit.active.spread(run.weights[0], run.step_size, t / run.step_size)
    slack = 2 * max(spread, 10 / steps) + 2 * limit.burn_in * math.log(t) / t
    assert t * float(run.gap[-1]) == pytest.approx(limit.loss_constant, rel=slack)
    if data is SOFT:
        found, predicted = t * finite_error(run.weights[-1], limit), float(limit.finite_constant.norm())
        assert found == pytest.approx(predicted, rel=2 * math.sqrt(max(spread, 10 / steps)))


@pytest.mark.parametrize("bad", [-0.1, 1.0, math.nan, "0.9"])
def test_momenta_that_are_refused(bad):
    with pytest.raises(UsageError, match="momentum is .*; it must be a number from 0 to below 1"):
        HeavyBall(momentum=bad)


@pytest.mark.parametrize("method", [HeavyBall, Nesterov])
def test_step_sizes_that_are_refused(method):
    with pytest.raises(UsageError, match="step_size is 0; it must be a positive finite number"):
        method(0)
