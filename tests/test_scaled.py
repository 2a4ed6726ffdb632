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
    scale = [mpmath.exp(mpf(x)) for x in matrix.log_scale[:, 0].tolist()]
    return [[mpf(x) * s for x in row] for row, s in zip(matrix.rows.tolist(), scale, strict=True)]


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


def test_rows_of_a_matrix_have_their_largest_entries_as_scales():
    matrix = torch.tensor([[2.0, -4.0], [0.0, 0.0]], dtype=torch.float64)
    found = Scaled.of(matrix)
    assert found.rows.tolist() == [[0.5, -1.0], [0.0, 0.0]] and found.log_scale[1].item() == -math.inf
    assert torch.equal(found.dense(), matrix)
