"""Matrices with rows of any size, against the same sums in 60 digits."""

from __future__ import annotations

import math

import mpmath
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from ntp_theory.scaled import Scaled

EPS = 2.0**-52
entries = st.floats(-1.0, 1.0).filter(lambda x: x == 0.0 or abs(x) > 1e-3)
scales = st.sampled_from([-math.inf, -3e4, -800.0, -30.0, 0.0, 5.0])


def matrices(rows=3, columns=2):
    values = st.lists(st.lists(entries, min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    sizes = st.lists(scales, min_size=rows, max_size=rows)
    return st.tuples(values, sizes).map(lambda pair: scaled(*pair))


def scaled(rows, sizes):
    log_scale = torch.tensor(sizes, dtype=torch.float64)[:, None]
    rows = torch.tensor(rows, dtype=torch.float64)
    return Scaled(torch.where(log_scale > -math.inf, rows, 0.0), log_scale)


def exact(matrix):
    scale = matrix.log_scale.expand_as(matrix.rows).tolist()
    pairs = zip(matrix.rows.tolist(), scale, strict=True)
    return [[mpf(x) * mpmath.exp(mpf(s)) for x, s in zip(*pair, strict=True)] for pair in pairs]


@given(matrices(), matrices())
def test_sums_are_right_relative_to_the_larger_term(a, b):
    with mpmath.workdps(60):
        found, left, right = exact(a + b), exact(a), exact(b)
        for v in range(3):
            # the scale is a rounded logarithm: relative errors of EPS times its size
            size = max([abs(x) for x in left[v] + right[v]])
            for i in range(2):
                assert abs(found[v][i] - left[v][i] - right[v][i]) <= 4 * EPS * size * (1 + 3e4)


@given(matrices())
def test_the_norm_is_the_norm(a):
    with mpmath.workdps(60):
        norm = mpmath.sqrt(sum(x * x for row in exact(a) for x in row))
        if norm == 0:
            assert a.log_norm() == -math.inf
        else:
            assert abs(a.log_norm() - mpmath.log(norm)) <= 8 * EPS * (2 + 3e4)


@given(matrices(), st.floats(-40.0, 40.0))
def test_factors_shift_scales(a, log_factor):
    assert torch.equal(a.times(log_factor).dense(), a.dense(log_factor))


@given(matrices(), matrices(), st.sampled_from([0.0, 0.5, 0.999]))
def test_averages_and_squares(a, b, beta):
    with mpmath.workdps(60):
        average, square, left, right = exact(a.average(b, beta)), exact(a.square()), exact(a), exact(b)
        for v in range(3):
            size = max([abs(beta * x) for x in left[v]] + [abs((1 - beta) * x) for x in right[v]])
            for i in range(2):
                expected = mpf(beta) * left[v][i] + (1 - mpf(beta)) * right[v][i]
                assert abs(average[v][i] - expected) <= 4 * EPS * size * (1 + 3e4)
                assert abs(square[v][i] - left[v][i] ** 2) <= 8 * EPS * left[v][i] ** 2 * (1 + 3e4)


@given(matrices(), matrices(), st.lists(scales, min_size=6, max_size=6))
def test_entries_may_have_scales_of_their_own(a, b, sizes):
    """Sums are then right relative to the larger of two entries, whatever else is in their rows."""
    own = torch.tensor(sizes, dtype=torch.float64).reshape(3, 2)
    a = Scaled(torch.where(own > -math.inf, a.rows, 0.0), own)
    with mpmath.workdps(60):
        found, left, right = exact(a + b), exact(a), exact(b)
        for v in range(3):
            for i in range(2):
                size = mpmath.exp(mpf(max(float(own[v, i]), float(b.log_scale[v, 0]))))
                assert abs(found[v][i] - left[v][i] - right[v][i]) <= 4 * EPS * size * (1 + 3e4)


def test_rows_of_a_matrix_have_their_largest_entries_as_scales():
    matrix = torch.tensor([[2.0, -4.0], [0.0, 0.0]], dtype=torch.float64)
    found = Scaled.of(matrix)
    assert found.rows.tolist() == [[0.5, -1.0], [0.0, 0.0]] and found.log_scale[1].item() == -math.inf
    assert torch.equal(found.dense(), matrix)
