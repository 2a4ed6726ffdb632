"""The factors X D Y^T: their product, to the last digit of the smallest entry."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from ntp_theory.descent.gradients.rank_revealing import factorise
from tests.descent.oracles import balanced, graded_residual

EPS = 2.0**-52
kinds = st.sampled_from(["tokens", "contexts", "pairs", "supports", "rings"])
sizes = st.tuples(st.integers(1, 7), st.integers(2, 6))
gradings = st.sampled_from([0.0, 5.0, 69.0, 690.0, 2000.0])


def factors(residual):
    sign, log = (x.numpy().T for x in (residual.rows.sign(), residual.log_scale))
    slack = EPS * (8 + 4 * np.abs(log).max() + sum(log.shape))
    return factorise(sign, log + np.log(np.abs(residual.rows.numpy().T)), slack), slack


@given(st.integers(0, 999), sizes, gradings, kinds)
def test_the_product_is_the_matrix(seed, size, grading, kind):
    """Entry by entry: to within slack times the largest of the terms that make it up, k of them, each made k times."""
    residual = graded_residual(seed, size, grading, kind)
    found, slack = factors(residual)
    k = len(found.log_diagonal)
    with mpmath.workdps(60 + 2000 * (grading > 0)):
        exact, diagonal = balanced(residual), [mpmath.exp(mpf(x)) for x in found.log_diagonal]
        for j, y in enumerate(found.right.tolist()):
            for v, x in enumerate(found.left.tolist()):
                terms = [a * d * b for a, d, b in zip(x, diagonal, y, strict=True)]
                # entries of X and Y are off by the smallest double, too
                tiny = 2 * mpmath.fsum(diagonal) * mpf(5e-324)
                bound = 4 * k * k * slack * max([abs(t) for t in terms] + [abs(exact[j][v])]) + tiny
                assert abs(mpmath.fsum(terms) - exact[j][v]) <= bound


@given(st.integers(0, 999), sizes, gradings, kinds)
def test_the_shape_of_the_factors(seed, size, grading, kind):
    found, slack = factors(graded_residual(seed, size, grading, kind))
    k = len(found.log_diagonal)
    assert found.left.shape == (size[1], k) and found.right.shape == (size[0], k) and k <= min(size[1] - 1, size[0])
    assert np.abs(found.left).max(initial=0) <= 1 and np.abs(found.right).max(initial=0) <= 1
    assert np.abs(found.left.sum(0)).max(initial=0) <= size[1] * slack
    # an entry grows at most to twice the largest in one elimination
    assert (np.diff(found.log_diagonal) <= np.log(2) + slack).all()


def test_a_row_that_repeats_adds_nothing():
    residual = graded_residual(0, (3, 5), 300.0, "tokens")
    residual.rows[1], residual.log_scale[1] = residual.rows[0], residual.log_scale[0] - 0.3
    assert len(factors(residual)[0].log_diagonal) == 2


@pytest.mark.parametrize("columns", [1, 3])
def test_nothing(columns):
    found = factorise(np.zeros((2, columns)), np.full((2, columns), -np.inf), 1e-15)
    assert found.left.shape == (2, 0) and found.right.shape == (columns, 0) and found.log_diagonal.shape == (0,)
