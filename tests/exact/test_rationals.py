"""The linear algebra of exact proofs against sympy's and against Python's own fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import Matrix

from ntp_theory.errors import SolverError
from ntp_theory.exact import rationals
from ntp_theory.exact.rationals import (
    common_denominator,
    echelon,
    factors,
    log_sum,
    primitive_rows,
    rank,
    rational,
    snap,
)

small = st.integers(-3, 3)


@st.composite
def matrices(draw):
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return draw(st.lists(st.lists(small, min_size=columns, max_size=columns), min_size=rows, max_size=rows))


def sparse(matrix):
    return [{i: x for i, x in enumerate(row) if x} for row in matrix]


@given(matrices())
def test_rank_and_echelon(matrix):
    chosen, pivots = echelon(sparse(matrix), len(matrix[0]))
    assert len(chosen) == len(pivots) == rank(sparse(matrix), len(matrix[0])) == Matrix(matrix).rank()
    assert not chosen or Matrix(matrix).extract(chosen, pivots).det() != 0
    assert pivots == list(Matrix(matrix).rref()[1])


@given(matrices(), st.data())
def test_snap_solves_and_keeps_the_other_coordinates(matrix, data):
    n = len(matrix[0])
    point = data.draw(st.lists(st.floats(-4, 4), min_size=n, max_size=n))
    seed = data.draw(st.lists(small, min_size=n, max_size=n))
    right = [sum(a * x for a, x in zip(row, seed, strict=True)) for row in matrix]
    order = data.draw(st.permutations(range(n)))
    found = [Fraction(int(x.p), int(x.q)) for x in snap(sparse(matrix), [rational(b) for b in right], point, order)]
    assert [sum(a * x for a, x in zip(row, found, strict=True)) for row in matrix] == right
    changed = [i for i in range(n) if found[i] != Fraction(point[i])]
    assert Matrix(matrix).extract(range(len(matrix)), changed).rank() == len(changed)  # only pivots


@given(matrices(), st.data())
def test_snap_tells_a_contradiction(matrix, data):
    right = data.draw(st.lists(small, min_size=len(matrix), max_size=len(matrix)))
    left = Matrix(matrix)
    solvable = left.rank() == left.row_join(Matrix(right)).rank()
    n = len(matrix[0])
    found = snap(sparse(matrix), [rational(b) for b in right], [0.0] * n, range(n))
    assert (found is not None) == solvable


def test_snap_refuses_what_would_take_hours(monkeypatch):
    monkeypatch.setattr(rationals, "LARGEST", 2)
    identity = [{i: 1} for i in range(3)]
    with pytest.raises(SolverError, match="3 unknowns; at most 2"):
        snap(identity, [rational(0)] * 3, [0.0] * 3, range(3))


@given(st.lists(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3), min_size=1, max_size=4))
def test_primitive_rows_are_the_rows(matrix):
    rows, scale = primitive_rows(torch.tensor(matrix, dtype=torch.float64))
    for row, factor, given_row in zip(rows, scale, matrix, strict=True):
        assert factor > 0
        assert [Fraction(int(factor.p), int(factor.q)) * x for x in row] == [Fraction(x) for x in given_row]
        assert math.gcd(*row) in (0, 1)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 50)), min_size=1, max_size=5))
def test_common_denominator(pairs):
    values = [rational(p, q) for p, q in pairs]
    numerators, denominator = common_denominator(values)
    assert [x * rational(1) / denominator for x in numerators] == values


@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1))
def test_log_sum(terms):
    product = Fraction(1)
    for y, p, q in terms:
        product *= Fraction(p, q) ** y
    assume(product != 1)
    with mpmath.workdps(400):
        expected = mpmath.log(mpmath.mpf(product.numerator) / product.denominator) / sum(abs(y) for y, _, _ in terms)
    found = log_sum([(y, Fraction(p, q)) for y, p, q in terms])
    assert abs(found - float(expected)) <= 4e-16 * abs(expected)  # two roundings to double


@given(st.integers(1, 2**53))
def test_factors(number):
    product = 1
    for prime, exponent in factors(number).items():
        product *= prime**exponent
    assert product == number
