"""Factors of logits: their cost, their Gram matrices, and which contexts share an embedding."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ntp_theory.errors import UsageError
from ntp_theory.geometry import (
    UnconstrainedFeatures,
    balanced_factors,
    collapse,
    equal_supports,
    gram_matrices,
)

ENTRIES = st.integers(-8, 8).map(lambda x: x / 4)
LOGITS = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(lambda shape: arrays(float, shape, elements=ENTRIES))


@given(LOGITS)
def test_factors_multiply_to_the_logits_and_cost_their_nuclear_norm(logits):
    w, h = balanced_factors(logits)
    np.testing.assert_allclose(w @ h, logits, atol=1e-12)
    nuclear = np.linalg.norm(logits, "nuc")
    assert float(w.square().sum()) == pytest.approx(nuclear, abs=1e-12)
    assert float(h.square().sum()) == pytest.approx(nuclear, abs=1e-12)


@given(LOGITS)
def test_grams_are_the_roots(logits):
    words, contexts = gram_matrices(logits)
    np.testing.assert_allclose(words @ words, logits @ logits.T, atol=1e-11)
    np.testing.assert_allclose(contexts @ contexts, logits.T @ logits, atol=1e-11)
    assert float(torch.linalg.eigvalsh(words).min()) > -1e-12


def test_dimension_is_at_least_the_rank():
    assert balanced_factors(np.ones((3, 4)), 1)[0].shape == (3, 1)
    assert balanced_factors(np.ones((3, 4)), 7)[1].shape == (7, 4)
    with pytest.raises(UsageError, match="rank of the logits, 3"):
        balanced_factors(np.eye(3), 2)


def test_collapse_is_the_share_within_groups():
    h = np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 1.0]])
    assert collapse(h, [[0, 1], [2]]) == pytest.approx(2 / 11)
    assert collapse(h, [[0], [1], [2]]) == 0.0
    assert collapse(np.zeros((2, 2)), [[0, 1]]) == 0.0
    for groups in ([[0, 1]], [[0, 1], [1, 2]], [[0, 1, 2, 3]]):
        with pytest.raises(UsageError, match="groups"):
            collapse(h, groups)


def test_equal_rows_share_an_embedding_and_equal_supports_come_to():
    problem = UnconstrainedFeatures([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    groups = equal_supports(problem.data)
    assert groups == [[0, 1, 2], [3]]
    path = problem.solve([1e-3, 1e-6])
    features = [path.factors(i)[1] for i in (0, 1)]
    for h in features:
        assert (h[:, 0] - h[:, 1]).norm() < 1e-6 * h.norm()
        assert (h[:, 0] - h[:, 2]).norm() > 1e-2 * h.norm()
    # L_mm has rank 1 and the finite parts differ beyond it: the share falls like 1 / log(1 / ridge)
    assert collapse(features[1], groups) < 0.6 * collapse(features[0], groups)


@pytest.mark.parametrize("groups", [None, 1, [1.0], [[0.0]], [np.zeros((1, 1))], [[0], [0]], []])
def test_groups_that_are_no_partition_are_refused(groups):
    with pytest.raises(UsageError, match="groups are"):
        collapse([[1.0]], groups)


def test_logits_that_are_none_or_overflow_are_refused():
    for wrong, words in ((None, "logits"), ([[math.nan]], "logits"), ([[1.7e308] * 2] * 2, "overflow")):
        with pytest.raises(UsageError, match=words):
            balanced_factors(wrong)
