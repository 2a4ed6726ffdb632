"""The direction of the gradient, against 1000-digit arithmetic, down to tails of e^-2000 and below."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.dataset import NTPDataset
from ntp_theory.descent.gradients.direction import exp_or_inf, unit_gradient
from ntp_theory.descent.gradients.residual import gradient_entries
from ntp_theory.loss import unchecked_gradient
from ntp_theory.testing import KINDS
from tests.descent.reference import deep, exact_unit
from tests.test_loss import EPS


@given(st.sampled_from(KINDS).flatmap(deep))
def test_the_direction_is_exact_at_any_size(case):
    data, weights = case
    unit, log_norm = unit_gradient(weights, data)
    exact, exact_log_norm, error = exact_unit(weights, data)
    if error > 0.1:
        # rounding is all that is left where gradients cancel: in contexts with several next tokens, or between contexts
        assert data.entropy > 0 or torch.linalg.matrix_rank(data.embeddings) < data.num_contexts
        return
    assert (unit - exact).norm() <= error + 8 * EPS
    assert log_norm == pytest.approx(exact_log_norm, abs=2 * error + 8 * EPS * (1 + abs(exact_log_norm)))


def test_both_ways_to_it_agree_where_they_meet():
    data = NTPDataset([[1.0, 0.5], [0.3, -1.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    for gap in (200.0, 300.0, 320.0):
        weights = gap * torch.tensor([[0.7, 0.5], [-0.5, 0.2], [-0.1, -1.0]], dtype=torch.float64)
        unit, log_norm = unit_gradient(weights, data)
        direct = unchecked_gradient(weights, data)
        largest = direct / direct.abs().max()
        assert torch.allclose(unit, largest / largest.norm(), rtol=1e-12, atol=0)
        assert log_norm == pytest.approx(gradient_entries(weights, data).log_norm(), rel=1e-14)


def test_a_gradient_of_zero_has_no_direction():
    unit, log_norm = unit_gradient(torch.zeros(2, 1, dtype=torch.float64), NTPDataset([[1.0]], [[0.5, 0.5]]))
    assert unit.tolist() == [[0.0], [0.0]] and log_norm == -math.inf


def test_numbers_beyond_the_largest_double():
    assert exp_or_inf(710.0) == math.inf and exp_or_inf(708.0) == math.exp(708.0) and exp_or_inf(-1e9) == 0.0
