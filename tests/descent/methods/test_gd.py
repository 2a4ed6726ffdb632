"""Gradient descent against the laws it must obey.

Error bounds. A computed gradient is off by `gradient_error`, from the same 4 delta an entry as in
tests/test_loss.py, and adding the step to W rounds at 2^-53 |W|. For eta < 2/L the map W -> W - eta grad CE
does not increase distances (CE is convex and L-smooth), so two runs that are the same in exact arithmetic
are apart by at most the sum of these errors over the steps: `drift`.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import a2
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import GradientDescent, descend, smoothness_bound
from ntp_theory.descent.coordinates import Coordinates
from ntp_theory.descent.smoothness import default_step_size
from ntp_theory.errors import UsageError
from ntp_theory.loss import evaluate, gradient
from ntp_theory.subspace import project_complement
from tests.test_loss import EPS, any_kind, naive_loss, rounding, total_size

STEPS = 6
fractions = st.sampled_from([0.1, 0.5, 1.0])
larger_fractions = fractions | st.sampled_from([1.5, 1.9])


def run(data, start, fraction, steps=STEPS):
    step_size = fraction * default_step_size(data)
    return descend(data, steps=steps, step_size=step_size, init=start, record="all")


def gradient_error(weights, data):
    """Frobenius norm of the error of a computed gradient."""
    return 4 * rounding(weights, data) * total_size(data) * weights.numel() ** 0.5


def drift(trajectory):
    return sum(
        trajectory.step_size * gradient_error(w, trajectory.data) + EPS * float(w.norm()) for w in trajectory.weights
    )


def loss_error(weights, data):
    return rounding(weights, data) * (1 + evaluate(weights, data).value)


@given(any_kind, fractions)
def test_the_loss_never_increases_up_to_one_over_l(case, fraction):
    """`bias/lemma-2`, certified at every step; even by eta/2 ||grad||^2, since 1 - eta L/2 >= 1/2."""
    data, start = case
    trajectory = run(data, start, fraction)
    for before, after in zip(trajectory.weights, trajectory.weights[1:], strict=False):
        slope, error = float(gradient(before, data).norm()), gradient_error(before, data)
        gain = trajectory.step_size / 2 * max(slope - 2 * error, 0.0) ** 2
        slack = loss_error(before, data) + loss_error(after, data) + 2 * slope * EPS * float(after.norm())
        assert evaluate(after, data).gap <= evaluate(before, data).gap - gain + slack


@given(any_kind, larger_fractions)
def test_steps_are_paid_for_by_the_loss(case, fraction):
    """`bias/erratum-E12`: ||P_perp dW||^2 <= eta^2 ||grad||^2 <= 2 eta / (2 - eta L) (CE_k - CE_{k+1}).

    The step taken is -eta (grad + e), with e the error of the gradient and the rounding of W over eta; this
    costs at most ||e|| ||dW|| of the loss.
    """
    data, start = case
    trajectory = run(data, start, fraction)
    eta = trajectory.step_size
    factor = 2 * eta / (2 - eta * smoothness_bound(data))
    for before, after in zip(trajectory.weights, trajectory.weights[1:], strict=False):
        step = after - before
        paid = evaluate(before, data).gap - evaluate(after, data).gap
        error = gradient_error(before, data) + EPS * float(before.norm() + after.norm()) / eta
        slack = loss_error(before, data) + loss_error(after, data) + error * float(step.norm())
        assert float(step.norm()) ** 2 <= factor * (paid + slack)
        assert float(project_complement(step, data).norm()) <= float(step.norm()) * (1 + 1e-12)


def test_above_two_over_l_the_inequality_is_not_vacuous():
    """One context, two tokens: at W = 0 the bound L is attained, so eta = 3/L must overshoot."""
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    start = torch.tensor([[0.01], [-0.01]], dtype=torch.float64)
    trajectory = run(data, start, 3.0, steps=1)
    assert trajectory.gap[1] > trajectory.gap[0]


@given(any_kind, larger_fractions)
def test_against_stochastic_gradient_descent_of_torch_on_the_plain_loss(case, fraction):
    data, start = case
    trajectory = run(data, start, fraction)
    leaf = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.SGD([leaf], lr=trajectory.step_size)
    for weights in trajectory.weights:
        assert (weights - leaf).norm() <= 3 * drift(trajectory)
        optimiser.zero_grad()
        naive_loss(leaf, data).backward()
        optimiser.step()


@given(any_kind, larger_fractions, st.integers(0, 99))
def test_equivariances(case, fraction, seed):
    """W + 1 c^T, contexts in another order, rotated embeddings: the run moves along."""
    data, start = case
    random = np.random.default_rng(seed)
    h, p, pi = data.embeddings, data.probabilities.to_dense(), data.weights
    c = torch.from_numpy(random.normal(size=data.dim))
    rows = torch.from_numpy(random.permutation(data.num_contexts))
    q = torch.from_numpy(np.linalg.qr(random.normal(size=(data.dim, data.dim)))[0])
    straight = run(data, start, fraction)
    for moved_data, move in (
        (data, lambda w: w + c),
        (NTPDataset(h[rows], p[rows], pi[rows]), lambda w: w),
        (NTPDataset(h @ q, p, pi), lambda w: w @ q),
    ):
        moved = descend(moved_data, steps=STEPS, step_size=straight.step_size, init=move(start), record="all")
        # a product with q is off by d units in the last place, and so are the embeddings after it
        bound = 4 * data.dim * (drift(straight) + drift(moved))
        assert (moved.weights - move(straight.weights)).flatten(1).norm(dim=1).max() <= bound


def test_the_recorded_row_of_the_replica():
    """`bias/a2-replica`: CE - H = 1.89e-3 after 10^4 steps of 0.5, to the digits recorded."""
    trajectory = descend(a2(), steps=10**4, step_size=0.5)
    assert float(trajectory.gap[-1]) == pytest.approx(1.89e-3, abs=5e-6)
    assert bool((trajectory.gap.diff() < 0).all())
    assert 0.5 < 2 / smoothness_bound(a2()), "which is why it descends, although 0.5 > 1/(2L)"


def test_by_hand():
    """W_1 = -eta (softmax(0) - p) h^T."""
    data = NTPDataset([[2.0, 0.0]], [[0.75, 0.25, 0.0, 0.0]])
    found = descend(data, steps=1, step_size=4.0).weights[1]
    assert found.tolist() == [[4.0, 0.0], [0.0, 0.0], [-2.0, 0.0], [-2.0, 0.0]]


def test_the_default_step_size_is_one_over_l():
    data = a2()
    assert descend(data, steps=1).step_size == 1 / smoothness_bound(data)
    assert GradientDescent(np.float64(0.25)) == GradientDescent(0.25)
    assert repr(GradientDescent(np.float64(0.25))) == "GradientDescent(step_size=0.25)"


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), "0.5"])
def test_step_sizes_that_are_refused(bad):
    with pytest.raises(UsageError, match="step_size is .*; it must be a positive finite number"):
        descend(a2(), steps=1, step_size=bad)


def test_a_step_leaves_the_state_before_it_alone():
    data = NTPDataset([[1.0]], [[1.0, 0.0]])
    method = GradientDescent(1.0)
    state = method.init(data, torch.zeros(2, 1, dtype=torch.float64))
    method.step(state)
    assert state.weights.tolist() == [[0.0], [0.0]]


def test_single_precision_stays_single():
    data = a2().to(dtype=torch.float32)
    assert descend(data, steps=3, step_size=0.5).weights.dtype == torch.float32


IN_EVERY_KIND_OF_COORDINATES = {
    "entries": NTPDataset([[1.0], [0.5]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
    "orthogonal": NTPDataset([[1.0, 0.0, 0.0], [1.0, 1e-3, 0.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
    "Gram": NTPDataset([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
}


@given(st.sampled_from(sorted(IN_EVERY_KIND_OF_COORDINATES)), st.integers(0, 30), st.booleans())
def test_a_run_resumed_in_coordinates_is_the_same_bit_for_bit(kind, step, from_zero):
    class Killed(Exception):
        pass

    def kill(record):
        if record.step >= step:
            raise Killed

    data = IN_EVERY_KIND_OF_COORDINATES[kind]
    assert Coordinates.of(data).kind == kind
    init = None if from_zero else torch.linspace(-1, 1, 3 * data.dim, dtype=torch.float64).view(3, -1)
    whole = descend(data, steps=30, init=init)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        with pytest.raises(Killed):
            descend(data, steps=30, init=init, checkpoint=path, callback=kill)
        found = descend(data, steps=30, init=init, checkpoint=path)
    assert torch.equal(found.weights, whole.weights) and torch.equal(found.log_tail, whole.log_tail)


@pytest.mark.parametrize("kind", sorted(IN_EVERY_KIND_OF_COORDINATES))
def test_a_start_may_lie_in_memory_as_it_likes(kind):
    data = IN_EVERY_KIND_OF_COORDINATES[kind]
    start = torch.arange(3.0 * data.dim, dtype=torch.float64).view(3, -1)
    turned = start.T.contiguous().T
    one, other = (descend(data, steps=5, init=w) for w in (start, turned))
    bound = 4 * data.dim * (drift(one) + drift(other))  # as for equivariances
    assert (one.weights - other.weights).flatten(1).norm(dim=1).max() <= bound


def test_a_state_carries_on_where_its_parts_are_put_together_anew():
    method = GradientDescent(0.5)
    state = method.init(a2(), torch.zeros(10, 60, dtype=torch.float64))
    for _ in range(3):
        state = method.step(state)
    copy = dataclasses.replace(state, coordinates=state.coordinates.clone())
    assert torch.equal(method.step(copy).weights, method.step(state).weights)
