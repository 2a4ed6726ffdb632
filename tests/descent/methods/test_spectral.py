"""Spectral descent and Muon: against the plain thing, and where gradients are below every double.

The directions themselves are the matter of tests/descent/gradients/test_polar.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.gradients.residual import scaled_residual
from ntp_theory.descent.methods.spectral import Muon, SpectralDescent
from ntp_theory.errors import UsageError
from ntp_theory.loss import gradient
from ntp_theory.margin import solve_svm
from tests.descent.gradients.test_polar import error_bound
from tests.descent.methods.test_sign import margin
from tests.descent.oracles import exact_polar

STEPS = 6


@pytest.mark.parametrize(("beta", "nesterov"), [(0.0, False), (0.5, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("seed", range(3))
def test_against_scipy_in_textbook_steps(seed, beta, nesterov):
    """Gradients have rank 4, on the tokens' vectors that sum to zero; there scipy knows the polar factor.

    A difference grows by at most L = ||H||^2 eta / (smallest singular value) a step; here less than tenfold.
    """
    data = random(5, 7, 6, 2, seed)
    start = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 7)))
    basis = scipy.linalg.null_space(np.ones((1, 5)))
    weights, average = start.numpy().copy(), np.zeros((5, 7))
    for k in range(STEPS):
        fresh = gradient(torch.from_numpy(weights), data).numpy()
        average = beta * average + (1 - beta) * fresh
        used = beta * average + (1 - beta) * fresh if nesterov else average
        weights -= 0.1 * (k + 1) ** -0.5 * basis @ scipy.linalg.polar(basis.T @ used)[0]
    method = Muon(0.1, beta=beta, nesterov=nesterov) if beta else SpectralDescent(0.1)
    found = descend(data, method, steps=STEPS, init=start)
    assert np.abs(found.weights[-1].numpy() - weights).max() < 1e-15 * 10**STEPS
    assert math.exp(found.log_elapsed[-1]) == pytest.approx(0.1 * sum(k**-0.5 for k in range(1, STEPS + 1)), rel=1e-14)


@given(st.integers(0, 99), st.sampled_from([SpectralDescent(0.5), Muon(0.5, beta=0.5)]))
def test_rotated_embeddings(seed, method):
    """W Q^T moves along: the norm of the largest singular value knows no axes."""
    data = random(4, 5, 6, 2, seed)
    q = torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0])
    moved = NTPDataset(data.embeddings @ q.T, data.probabilities)
    straight, turned = (descend(x, method, steps=2) for x in (data, moved))
    assert (turned.weights - straight.weights @ q.T).abs().max() < 1e-9


def test_steps_from_a_loss_of_e_to_the_minus_1000_on():
    """Five tokens and three contexts of very different lengths: singular values of 1, e^-600, e^-1500, all at work."""
    embeddings = random(5, 6, 3, 1, 4).embeddings * torch.tensor([[1.0], [1.5], [2.5]])
    data = NTPDataset(embeddings, torch.eye(5)[:3])
    start = 1000 * torch.eye(5, dtype=torch.float64)[:, :3] @ torch.linalg.pinv(random(5, 6, 3, 1, 4).embeddings).T
    found = descend(data, SpectralDescent(1.0, decay=0.0), steps=3, init=start, record="all")
    assert found.log_tail[0] < -900 and (found.log_tail.diff() < 0).all()
    for before, after in zip(found.weights, found.weights[1:], strict=False):
        residual = scaled_residual(before, data)
        exact, logs = exact_polar(residual, data.embeddings, 4000)
        assert logs[0] - logs[-1] > 1000
        bound = error_bound(residual, data.embeddings) + 1e-12
        assert np.abs((before - after).numpy() - exact).max() <= bound


@pytest.mark.parametrize("method", [SpectralDescent(0.5), Muon(0.5), Muon(0.5, nesterov=True)])
def test_the_margin_grows_on_where_the_loss_is_below_every_double(method):
    data = random(4, 6, 5, 1, 3)
    best = solve_svm(data, norm="spectral").margin
    start = 1200 * solve_svm(data).direction
    found = descend(data, method, steps=600, init=start, record=200)
    assert found.log_tail[0] < -1000 and (found.log_tail.diff() < 0).all() and not found.tail.any()
    ratios = [float(margin(w, data)) / float(torch.linalg.matrix_norm(w, 2)) / best for w in found.weights]
    gaps = torch.tensor([1 - ratio for ratio in ratios])
    assert (gaps.diff() < 0).all() and (gaps >= -1e-7).all()


def test_the_default_moves_no_logit_by_more_than_one():
    data = random(4, 6, 5, 2, 0)
    found = descend(data, SpectralDescent(), steps=1, init=torch.ones(4, 6))
    assert float((data.embeddings @ found.weights.diff(dim=0)[0].T).abs().max()) <= 1 + 1e-12
    assert found.step_size == pytest.approx(1 / float(data.embeddings.norm(dim=1).max()), rel=1e-15)
    assert descend(NTPDataset([[0.0]], [[1.0, 0.0]]), SpectralDescent(), steps=1).step_size == 1.0


def test_where_there_is_nothing_to_do():
    assert not descend(NTPDataset([[1.0]], [[0.5, 0.5]]), SpectralDescent(1.0), steps=3).weights.any()
    assert not descend(NTPDataset([[0.0]], [[1.0, 0.0]]), Muon(1.0), steps=3).weights.any()


def test_single_precision_stays_single():
    data = random(4, 6, 5, 2, 0).to(dtype=torch.float32)
    wide = descend(data.to(dtype=torch.float64), Muon(), steps=3)
    found = descend(data, Muon(), steps=3)
    assert found.weights.dtype == torch.float32 and (found.weights - wide.weights).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("rule", "method", "settings"),
    [
        ("step_size is -1; it must be a positive finite number", SpectralDescent, {"step_size": -1}),
        ("decay is 2.0; it must be a number from 0 to 1", SpectralDescent, {"decay": 2.0}),
        ("beta is 1.5; it must be a number from 0 to below 1", Muon, {"beta": 1.5}),
        ("nesterov is 1; it must be True or False", Muon, {"nesterov": 1}),
    ],
)
def test_what_is_refused(rule, method, settings):
    with pytest.raises(UsageError, match=rule):
        method(**settings)
