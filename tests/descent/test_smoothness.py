"""The smoothness bound, and the step sizes that are taken and refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import a2
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent.smoothness import default_step_size, smoothness_bound
from ntp_theory.testing import datasets, decoders


def cross_entropy(weights, data):
    log_softmax = torch.log_softmax(data.embeddings @ weights.T, 1)
    return -(data.joint * log_softmax[data.pattern.contexts, data.pattern.tokens]).sum()


@given(datasets(max_contexts=3, max_vocab_size=4, max_dim=3).flatmap(lambda d: st.tuples(st.just(d), decoders(d))))
def test_no_hessian_exceeds_the_bound(case):
    """`bias/smoothness`; 1e-13: rounding of an eigenvalue of a 12 x 12 matrix, relative to the bound."""
    data, weights = case
    hessian = torch.autograd.functional.hessian(lambda w: cross_entropy(w, data), weights)
    size = weights.numel()
    largest = torch.linalg.eigvalsh(hessian.reshape(size, size))[-1]
    assert largest <= smoothness_bound(data) * (1 + 1e-13)


@given(st.integers(1, 4), st.floats(0.1, 10.0))
def test_the_bound_is_reached_by_two_tokens_of_equal_probability(dim, size):
    """One context h, V = 2, W = 0: the Hessian is (diag(s) - s s^T) x h h^T, of norm ||h||^2 / 2."""
    data = NTPDataset(size * np.ones((1, dim)), [[0.5, 0.5]])
    start = torch.zeros(2, dim, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda w: cross_entropy(w, data), start).reshape(2 * dim, -1)
    assert float(torch.linalg.eigvalsh(hessian)[-1]) == pytest.approx(smoothness_bound(data), rel=1e-13)


@given(datasets(), st.sampled_from([0.125, 4.0]))
def test_the_bound_scales_with_the_square_of_the_embeddings(data, factor):
    """Powers of two are exact; 1e-12 is the rounding of an eigenvalue of a 6 x 6 matrix."""
    scaled = NTPDataset(factor * data.embeddings, data.probabilities, data.weights)
    assert smoothness_bound(scaled) == pytest.approx(factor**2 * smoothness_bound(data), rel=1e-12)


def test_the_value_recorded_for_the_replica():
    """`bias/smoothness`: 1.877 on A2, to the digits recorded."""
    assert smoothness_bound(a2()) == pytest.approx(1.877, abs=5e-4)


def test_both_shapes_of_the_gram_matrix_agree():
    tall = NTPDataset(np.arange(1.0, 13.0).reshape(6, 2), np.eye(6))
    wide = NTPDataset(np.hstack([np.arange(1.0, 13.0).reshape(6, 2), np.zeros((6, 9))]), np.eye(6))
    assert smoothness_bound(tall) == pytest.approx(smoothness_bound(wide), rel=1e-14)


def test_embeddings_of_zero_have_a_step_size_too():
    data = NTPDataset([[0.0, 0.0]], [[0.5, 0.5]])
    assert smoothness_bound(data) == 0.0 and default_step_size(data) == 1.0
