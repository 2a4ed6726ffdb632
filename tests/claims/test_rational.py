"""Rational arithmetic, against the library where that is exact and against known cases."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_compatibility, check_separability, construct
from ntp_theory.claims import rational

MATRICES = st.integers(1, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(-3, 3), min_size=k, max_size=k), min_size=1, max_size=4)
)


def fractions(rows):
    return [[Fraction(x) for x in row] for row in rows]


@given(MATRICES)
def test_rank(rows):
    assert rational.rank(fractions(rows)) == np.linalg.matrix_rank(np.array(rows))
    assert rational.is_full_rank(fractions(rows)) == (np.linalg.matrix_rank(np.array(rows)) == len(rows))


@given(MATRICES, st.data())
def test_snapped_points_solve_and_stay(rows, data):
    width = len(rows[0])
    point = data.draw(st.lists(st.integers(-4, 4), min_size=width, max_size=width))
    snapped = rational.snap(fractions(rows), point)
    assert all(sum(a * x for a, x in zip(row, snapped, strict=True)) == 0 for row in rows)
    if all(np.array(rows) @ np.array(point) == 0):
        assert snapped == point


@given(MATRICES, st.data())
def test_projection(rows, data):
    width = len(rows[0])
    vector = fractions([data.draw(st.lists(st.integers(-4, 4), min_size=width, max_size=width))])[0]
    projected = rational.project(fractions(rows), vector)
    rest = [v - p for v, p in zip(vector, projected, strict=True)]
    assert all(sum(a * x for a, x in zip(row, rest, strict=True)) == 0 for row in rows)
    assert rational.project(fractions(rows), projected) == projected


@pytest.mark.parametrize("case", construct.DESIGNED)
def test_designed_cases(case):
    known = construct.designed(case)
    assert rational.is_compatible(known.data) == known.compatible
    answer = check_separability(known.data)
    if known.separable:
        assert rational.separates(known.data, answer.direction)
    else:
        assert rational.is_farkas(known.data, answer.certificate)


def test_wrong_proofs_are_refused():
    separable = construct.designed("separable-compatible")
    assert not rational.separates(separable.data, -separable.direction)
    assert not rational.separates(separable.data, torch.zeros_like(separable.direction))
    overlap = construct.designed("overlap").data
    certificate = check_separability(overlap).certificate
    swapped = type(certificate)(**{**vars(certificate), "coefficients": -certificate.coefficients})
    assert not rational.is_farkas(overlap, swapped)


def test_compatibility_is_decided_where_floats_cannot():
    # log-odds log 2 at h = 1 ask for log 4 at h = 2, not for log(4 + 2^-48)
    data = NTPDataset.from_counts([[1], [2]], [[2**48, 2**49], [2**48, 2**50 + 1]])
    assert not rational.is_compatible(data)
    assert check_compatibility(data).compatible
