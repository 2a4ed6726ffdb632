"""The predicted terms of the logits against certified minimisers, each to the order to which it is stated."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ntp_theory.errors import UsageError
from ntp_theory.geometry import UnconstrainedFeatures, centred_supports
from ntp_theory.subspace import data_subspace
from ntp_theory.testing import datasets

# All pairs and single tokens of 4: strict signs, full rank.
PROBLEM = UnconstrainedFeatures(
    [[0.7, 0.3, 0, 0], [0.4, 0, 0.6, 0], [0.2, 0, 0, 0.8], [0, 0.5, 0.5, 0], [0, 0.9, 0, 0.1], [0, 0, 0.35, 0.65]],
    [0.3, 0.1, 0.1, 0.2, 0.2, 0.1],
)
T = [math.log(1e6), math.log(1e9)]


@pytest.fixture(scope="module")
def path():
    return PROBLEM.solve([1e-6, 1e-9])


def test_every_term_is_right_to_its_order(path):
    limit = PROBLEM.limit()
    assert limit.closed_form and limit.norm == pytest.approx(float(torch.linalg.matrix_norm(limit.supports, "nuc")))
    terms = [limit.finite, limit.direction, limit.offset, limit.bend]
    assert all(float(term.sum(0).abs().max()) < 1e-12 for term in terms)
    # what is left after the terms of order t, 1 and 1/t falls like 1, 1/t and 1/t^2
    for known, order in ((2, 0), (3, 1), (4, 2)):
        left = []
        for t, logits in zip(T, path.logits, strict=True):
            parts = [limit.finite, t * limit.direction, limit.offset, limit.bend / t]
            left.append(float((logits - sum(parts[:known])).norm()))
        assert left[1] / left[0] == pytest.approx((T[0] / T[1]) ** order, rel=0.1)
    errors = [float((s - limit.slope(r)).norm()) for s, r in zip(path.slopes, (1e-6, 1e-9), strict=True)]
    assert errors[1] / errors[0] == pytest.approx((T[0] / T[1]) ** 3, rel=0.15)
    assert (path.logits[1] - limit.logits(1e-9)).norm() < 1e-3 * limit.logits(1e-9).norm()


def test_finite_part_is_reached_at_the_rate_of_the_ridge(path):
    project = data_subspace(PROBLEM.data).project
    left = [float((project(logits) - PROBLEM.limit().finite).norm()) for logits in path.logits]
    # 1e-9 is lost in the rounding of logits of size 20
    assert left[0] < 1e-4 and left[1] < 1e-7


def test_grams_follow(path):
    limit = PROBLEM.limit()
    w, h = path.factors(1)
    for gram, predicted, far in zip((w @ w.T, h.T @ h), limit.grams(1e-9), limit.grams(), strict=True):
        assert (gram - predicted).norm() < 1e-3 * gram.norm()
        cosine = float((gram * far).sum() / (gram.norm() * far.norm()))
        assert 0.9 < cosine < 1 - 1e-6


def test_loss_is_below_its_bound(path):
    for ridge, gap in zip((1e-6, 1e-9), path.gap, strict=True):
        assert 0 < gap < PROBLEM.limit().loss_bound(ridge)


@settings(max_examples=15)
@given(datasets(max_contexts=4, max_vocab_size=4))
def test_any_data_has_a_limit(data):
    limit = UnconstrainedFeatures.of(data).limit()
    support = limit.data.support.T
    torch.testing.assert_close(limit.finite, torch.where(support, limit.finite, 0.0))
    logs = data.probabilities.to_dense().T.log()
    gaps = (limit.finite - logs)[:, 0][support[:, 0]]
    assert float(gaps.max() - gaps.min()) < 1e-10
    assert limit.norm >= float(torch.linalg.matrix_norm(limit.supports, 2)) * (1 - 1e-9) or not limit.norm
    assert repr(limit).startswith("FreeLimit") and "offset" in limit.summary()


def test_where_the_offset_is_not_known():
    # never token 3 alone: S~ has rank 1 below min(V - 1, m)
    limit = UnconstrainedFeatures([[0.5, 0.5, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]]).limit()
    assert limit.closed_form and limit.offset is None
    with pytest.raises(UsageError, match="offset"):
        limit.slope(1e-6)
    with pytest.raises(UsageError, match="ridge"):
        PROBLEM.limit().logits(1.0)


def test_full_supports_stay_finite():
    problem = UnconstrainedFeatures([[0.5, 0.5], [0.1, 0.9]])
    limit, path = problem.limit(), problem.solve(1e-8)
    assert limit.norm == 0.0
    assert (path.logits[0] - limit.finite).norm() < 1e-6
    np.testing.assert_array_equal(centred_supports(problem.data), 0.0)


def test_full_supports_have_their_finite_part_as_the_limit():
    problem = UnconstrainedFeatures([[0.3, 0.7], [0.5, 0.5]])
    limit = problem.limit()
    assert float(limit.direction.abs().max()) == 0.0 and float(limit.offset.abs().max()) == 0.0
    # the first-order change is the inverse of the Hessian, at most 1 / (pi p) = 20 / 3, times the ridge
    assert torch.allclose(problem.solve(1e-8).logits[0], limit.logits(1e-8), atol=1e-6)


def test_centred_supports_are_those_of_a_dataset():
    with pytest.raises(UsageError, match="data is None"):
        centred_supports(None)
