"""Split-normalised descent: one step from exact parts, linear convergence on F, the one-hot rate off it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.normalised import NormalisedGradientDescent
from ntp_theory.descent.methods.split import SplitNormalisedDescent
from ntp_theory.errors import UsageError
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.loss import evaluate, gradient
from ntp_theory.testing import datasets, decoders
from tests.descent.reference import ONE_HOT, SOFT, exact_unit, finite_error, margin_gap

soft = datasets("independent").flatmap(lambda data: st.tuples(st.just(data), decoders(data)))


def basis(data):
    """Orthonormal columns that span F, from all pairs in a support."""
    columns = []
    for j, h in enumerate(data.embeddings.numpy()):
        tokens = data.support[j].nonzero()[:, 0].tolist()
        for z in tokens:
            for other in tokens:
                generator = np.zeros((data.vocab_size, data.dim))
                generator[z] += h
                generator[other] -= h
                columns.append(generator.ravel())
    u, s, _ = np.linalg.svd(np.array(columns).T, full_matrices=False)
    return torch.from_numpy(u[:, s > 1e-9 * max(s[0], 1e-300)])


@given(soft, st.sampled_from([0.1, 1.0]))
def test_one_step_of_moderate_size(case, length):
    """Against the plain gradient and F from a singular value decomposition, where a double holds both parts."""
    data, weights = case
    if evaluate(weights, data).tail < 1e-6:
        return
    method = SplitNormalisedDescent(length, 0.25)
    moved = method.step(method.init(data, weights)).weights - weights
    g, span = gradient(weights, data).flatten(), basis(data)
    on = span @ (span.T @ g)
    off = g - on
    if off.norm() < 1e-9 * g.norm():
        return  # rounding
    expected = -0.25 * on - length * off / off.norm()
    # rounding of the gradient, 1e-13 beside its in-support terms, against the length of its part off F
    scale = float((data.weights * data.embeddings.norm(dim=1)).sum())
    slack = 1e-12 * (
        1.0 + float(weights.norm()) + length * (1.0 + float(weights.abs().max())) * scale / float(off.norm())
    )
    assert (moved.flatten() - expected).norm() <= slack


@pytest.mark.parametrize("log_time", [40.0, 800.0, 3000.0])
def test_at_any_distance_the_step_off_f_is_that_of_gradient_flow(log_time):
    """At the predicted W the tail is e^-log_time, and P_perp of its gradient points along -W_mm.

    Since ``P_perp sum alpha (e_v - e_z) h_j^T = W_mm``, inactive constraints fade like e^(-slack log_time).
    """
    limit = predict(SOFT)
    weights = limit.offset + limit.direction * log_time
    method = SplitNormalisedDescent(1.0, 1e-6)
    moved = method.step(method.init(SOFT, weights)).weights - weights
    assert float(evaluate(weights, SOFT).log_tail) == pytest.approx(-log_time, abs=5.0)
    along = limit.direction / limit.svm.norm
    assert (moved - along).norm() <= math.exp(-0.05 * log_time) + 1e-9 + 1e-15 * log_time / limit.margin


def test_on_one_hot_data_it_is_normalised_descent():
    start = torch.randn(4, 6, dtype=torch.float64, generator=torch.manual_seed(0))
    split = descend(ONE_HOT, SplitNormalisedDescent(0.1), steps=50, init=start, record="all")
    normalised = descend(ONE_HOT, NormalisedGradientDescent(0.1), steps=50, init=start, record="all")
    assert torch.allclose(split.weights, normalised.weights, rtol=0, atol=1e-12)
    assert torch.allclose(split.log_elapsed, normalised.log_elapsed, rtol=0, atol=1e-12)


def test_linear_convergence_on_f():
    """Once the tail is negligible: ||P_F W_k - W*|| shrinks by 1 - eta_F lambda_min(H_F) a step."""
    limit = predict(SOFT)
    loss, span = InSupportLoss(SOFT), basis(SOFT)
    p = loss.probabilities(limit.finite)
    images = [loss.hessian_product(p, column.reshape(4, 6)).flatten() for column in span.T]
    smallest = float(torch.linalg.eigvalsh(span.T @ torch.stack(images, 1))[0])
    method = SplitNormalisedDescent(5.0, 0.5)  # long steps off F: the tail is gone soon
    run = descend(SOFT, method, steps=1000, record=[400, 800])
    rate = math.log(finite_error(run.weights[0], limit) / finite_error(run.weights[1], limit)) / 400
    assert rate == pytest.approx(-math.log1p(-0.5 * smallest), rel=1e-2)


def test_the_rate_of_the_margin():
    """`bias/split-normalised`: k gap constant over two decades, at the value predicted from the data.

    The correction is O(1/k), never more than k = 40 lets expect; after one step of Richardson O(1/k^2) is left of it.
    """
    limit, eta = predict(SOFT), 0.2
    times = [40, 400, 2000, 4000]
    run = descend(SOFT, SplitNormalisedDescent(eta), steps=times[-1], record=times)
    found = [
        k * margin_gap(w, limit) * eta / limit.margin_gap_constant for k, w in zip(times, run.weights, strict=True)
    ]
    assert all(abs(x - 1.0) <= 40 * abs(found[0] - 1.0) / k for k, x in zip(times, found, strict=True))
    assert 2 * found[-1] - found[-2] == pytest.approx(1.0, abs=1e-3)


def test_the_elapsed_time_is_that_of_the_part_off_f():
    run = descend(SOFT, SplitNormalisedDescent(0.2), steps=10, record="all")
    span = basis(SOFT)
    steps = []
    for w in run.weights[:-1]:
        g = gradient(w, SOFT).flatten()
        steps.append(0.2 / float((g - span @ (span.T @ g)).norm()))
    assert run.log_elapsed[1:].exp().tolist() == pytest.approx(np.cumsum(steps).tolist(), rel=1e-10)


def test_data_without_a_direction_off_f():
    """Full support: nothing but descent on F."""
    data = NTPDataset([[1.0, 0.3], [0.2, -1.0]], [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]])
    split = descend(data, SplitNormalisedDescent(0.2, 0.5), steps=30)
    plain = descend(data, "gd", step_size=0.5, steps=30)
    assert torch.allclose(split.weights, plain.weights, rtol=0, atol=1e-14)
    assert float(split.log_elapsed[-1]) == -math.inf


def test_pairs_that_are_tied_to_f_do_not_make_noise_a_direction():
    """Token 2 never follows context 1, but F holds (e_0 - e_2) h: P_perp of the gradient is rounding, and no step."""
    data = NTPDataset([[1.0], [2.0]], [[0.5, 0.25, 0.25], [0.5, 0.5, 0.0]])
    run = descend(data, SplitNormalisedDescent(1.0, 0.5), steps=50)
    assert float(run.norm[-1]) < 5.0 and float(run.log_elapsed[-1]) == -math.inf


@pytest.mark.parametrize("part", ["step_size", "finite_step_size"])
def test_step_sizes_that_are_refused(part):
    with pytest.raises(UsageError, match=f"^{part} is -1.0; it must be a positive finite number"):
        SplitNormalisedDescent(**{part: -1.0})


def test_the_direction_is_that_of_exact_arithmetic_on_one_hot_data():
    """Beyond the smallest double, from a start that is not on the predicted path."""
    limit = predict(ONE_HOT)
    weights = 700.0 * limit.direction + torch.randn(4, 6, dtype=torch.float64, generator=torch.manual_seed(1))
    method = SplitNormalisedDescent(1.0)
    moved = method.step(method.init(ONE_HOT, weights)).weights - weights
    unit, _, error = exact_unit(weights, ONE_HOT)
    assert (moved + unit).norm() <= 4 * error + 1e-12
