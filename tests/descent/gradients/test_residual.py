"""The gradient entry by entry against as many digits as it takes.

Error bounds. Logits are off by `rounding` of tests/test_loss.py, delta, so off the supports, and where there is one
next token, entries of R are off by 4 delta of themselves; elsewhere ``q - p`` is off by 4 delta q. Logarithms of size l
add l units in the last place. An entry of ``R^T H`` is off by the sum of that over the contexts and the rounding of the
sum.
"""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from ntp_theory.dataset import NTPDataset
from ntp_theory.descent.gradients.residual import gradient_entries, scaled_residual
from ntp_theory.loss import gradient
from tests.descent.oracles import entries, exact_residual
from tests.descent.reference import digits_for
from tests.test_loss import EPS, any_kind, cases, rounding

factors = st.sampled_from([1.0, 3.0])  # gaps of up to 690 become 2070


def largest_log(residual):
    return float(residual.log_scale.masked_fill(residual.log_scale == -torch.inf, 0.0).abs().max())


def bounds(weights, data, residual, exact):
    """Bounds on the errors of the entries of R."""
    delta = rounding(weights, data)
    relative = 4 * delta + EPS * (8 + 4 * largest_log(residual))
    several = (data.support & (data.pattern.sizes > 1)[:, None]).tolist()
    pi = data.weights.tolist()
    return [
        [relative * abs(x) + (4 * delta * pi[j] if several[j][v] else 0) for v, x in enumerate(row)]
        for j, row in enumerate(exact)
    ]


@given(any_kind, factors)
def test_every_entry_of_the_residual(case, factor):
    data, weights = case[0], factor * case[1]
    found = scaled_residual(weights, data)
    with mpmath.workdps(digits_for(weights, data)):
        exact = exact_residual(weights, data, mpmath.mp.dps)
        for row, computed, allowed in zip(exact, entries(found), bounds(weights, data, found, exact), strict=True):
            for x, y, bound in zip(row, computed, allowed, strict=True):
                assert abs(x - y) <= bound


@given(any_kind, factors)
def test_every_entry_of_the_gradient(case, factor):
    data, weights = case[0], factor * case[1]
    found, residual = gradient_entries(weights, data), scaled_residual(weights, data)
    # what counts as zero, and the rounding of a sum
    lost = EPS * (data.num_contexts + 9 + 4 * largest_log(residual))
    with mpmath.workdps(digits_for(weights, data)):
        exact = exact_residual(weights, data, mpmath.mp.dps)
        off = bounds(weights, data, residual, exact)
        h = [[mpf(x) for x in row] for row in data.embeddings.tolist()]
        for v, row in enumerate(entries(found)):
            for i, computed in enumerate(row):
                value = mpmath.fsum(r[v] * x[i] for r, x in zip(exact, h, strict=True))
                bound = mpmath.fsum(
                    (b[v] + 2 * lost * (abs(r[v]) + b[v])) * abs(x[i]) for r, b, x in zip(exact, off, h, strict=True)
                )
                assert abs(computed - value) <= bound


@given(cases("one-hot"))
def test_signs_are_right_at_any_size(case):
    """On one-hot data errors are relative: a sum that is more than rounding has its sign, however small it is."""
    data, weights = case[0], 3 * case[1]
    found, residual = gradient_entries(weights, data).rows.sign(), scaled_residual(weights, data)
    relative = 4 * rounding(weights, data) + EPS * (data.num_contexts + 20 + 8 * largest_log(residual))
    with mpmath.workdps(digits_for(weights, data)):
        exact = exact_residual(weights, data, mpmath.mp.dps)
        for v, row in enumerate(found.tolist()):
            for i, sign in enumerate(row):
                terms = [r[v] * mpf(h[i]) for r, h in zip(exact, data.embeddings.tolist(), strict=True)]
                value, size = mpmath.fsum(terms), mpmath.fsum(map(abs, terms))
                if abs(value) > 2 * relative * size:
                    assert sign == mpmath.sign(value)
                elif value == 0:
                    assert sign == 0, "terms that cancel are not rounding errors to follow"


@given(any_kind)
def test_the_gradient_of_ordinary_size(case):
    data, weights = case[0], case[1].clamp(-3, 3)
    residual = scaled_residual(weights, data)
    bound = 8 * rounding(weights, data) + EPS * (data.num_contexts + 9 + 4 * largest_log(residual))
    size = (data.weights[:, None] * data.embeddings.abs()).sum(0)
    assert ((gradient_entries(weights, data).dense() - gradient(weights, data)).abs() <= bound * size).all()


def test_entries_of_one_row_may_differ_by_more_than_doubles_hold():
    """With embeddings (10, 0) and (0, 0.1) each column has one context: log scales -5000 and -50, both exact."""
    data = NTPDataset([[10.0, 0.0], [0.0, 0.1]], [[1.0, 0.0], [1.0, 0.0]])
    found = gradient_entries(torch.tensor([[500.0, 500.0], [0.0, 0.0]], dtype=torch.float64), data)
    assert found.rows.tolist() == [[-1.0, -1.0], [1.0, 1.0]]
    # pi_j times the only coordinate times e^-5000 or e^-50; the softmax is e^-l to within itself squared
    assert found.log_scale[1].tolist() == pytest.approx([-5000 + math.log(5), -50 + math.log(0.05)], rel=4 * EPS)


def test_a_column_of_zeros_stays_zero():
    data = NTPDataset([[10.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]])
    found = gradient_entries(torch.tensor([[500.0, 500.0], [0.0, 0.0]], dtype=torch.float64), data)
    assert not found.rows[:, 1].any() and (found.log_scale[:, 1] == -torch.inf).all()


def test_what_is_not_finite_is_seen():
    data = NTPDataset([[1.0]], [[1.0, 0.0]])
    assert gradient_entries(torch.full((2, 1), torch.nan, dtype=torch.float64), data).dense().isnan().all()


def test_single_precision():
    data = NTPDataset([[1.0, 2.0]], [[1.0, 0.0]]).to(dtype=torch.float32)
    found = gradient_entries(torch.tensor([[500.0, 0.0], [0.0, 0.0]]), data)
    assert found.rows.dtype == torch.float32 and found.rows.sign().tolist() == [[-1.0, -1.0], [1.0, 1.0]]
