"""Contexts that nearly share an embedding, or nearly its opposite: W_mm to all digits promised, against rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory import NTPDataset, SVMSolution, solve_svm
from ntp_theory.errors import UsageError

SEEDS, POWERS = st.integers(0, 2**32 - 1), st.integers(2, 9)
SCALES = st.sampled_from([1e-3, 1.0, 1e3])


def pair(power, seed, factor, scale, dim=3, others=0):
    """``h`` and ``factor h + eps g`` with next tokens of their own, before other contexts of any."""
    r = np.random.default_rng(seed)
    h = r.standard_normal((2 + others, dim))
    h[1] = factor * h[0] + 10.0**-power * h[1]
    mask = np.zeros((2 + others, 2 + bool(others)))
    # opposite contexts are close where they want opposite things: the same token
    mask[range(2), [0, int(factor > 0)]] = 1
    mask[range(2, 2 + others), r.integers(0, mask.shape[1], others)] = 1
    return NTPDataset(scale * h, mask)


def error(solution):
    """Distance of the direction, with its tail, from W_mm in rationals, relative."""
    proof = solution.verify(exact=True)
    assert proof.status == "proved"
    tail = torch.zeros_like(solution.direction) if solution.tail is None else solution.tail
    square = Fraction(0)
    for row, *parts in zip(
        proof.document["proof"]["direction"], solution.direction.tolist(), tail.tolist(), strict=True
    ):
        exact = [Fraction(x) for x in row or ["0"] * solution.data.dim]
        square += sum((x - Fraction(high) - Fraction(low)) ** 2 for x, high, low in zip(exact, *parts, strict=True))
    return float(square) ** 0.5 / solution.norm


def check(data):
    solution = solve_svm(data)
    assert error(solution) <= solution.distance_bound() / solution.norm <= 1e-7
    # rounding of two doubles in the margins, 2^-104 of logits d ||W|| ||h|| / 2 times, costs the root of it
    loud = float(solution.direction.norm(dim=1).max() * data.embeddings.norm(dim=1).max())
    if data.dim * loud * 2.0**-102 > 1e-20 / 2:
        return
    refined = solve_svm(data, refine=True)
    assert error(refined) <= refined.distance_bound() / refined.norm <= 1e-10


@settings(max_examples=25)
@given(POWERS, SEEDS, st.sampled_from([1.0, 2.5, -1.0, -0.7]), SCALES)
def test_a_pair_alone_is_solved(power, seed, factor, scale):
    check(pair(power, seed, factor, scale))


@settings(max_examples=25)
@given(POWERS, SEEDS, st.sampled_from([1.0, -1.0]), SCALES)
def test_a_pair_among_other_contexts_is_solved(power, seed, factor, scale):
    check(pair(power, seed, factor, scale, dim=6, others=3))


@pytest.mark.parametrize("power", range(2, 10))
def test_a_pair_alone_has_the_solution_in_closed_form(power):
    """Both margins are tight: ``w_0 - w_1 = 2 w`` with ``h w = 1/2`` and ``h' w = -1/2``, w in the span of both."""
    data = pair(power, 0, 1.0, 1.0)
    h, other = ([Fraction(x) for x in row] for row in data.embeddings.tolist())
    a, b, c = (sum(x * y for x, y in zip(*both, strict=True)) for both in ((h, h), (h, other), (other, other)))
    determinant = a * c - b * b
    first, second = (c + b) / (2 * determinant), -(a + b) / (2 * determinant)
    exact = [first * x + second * y for x, y in zip(h, other, strict=True)]
    solution = solve_svm(data, refine=True)
    for x, high, low in zip(exact, solution.direction[0].tolist(), solution.tail[0].tolist(), strict=True):
        assert abs(x - Fraction(high) - Fraction(low)) <= Fraction(1, 10**12) * Fraction(solution.norm)


def test_measures_of_close_contexts_have_digits_of_their_own(tmp_path):
    solution = solve_svm(pair(9, 0, 1.0, 1.0))
    size = 0.5 * solution.norm**2
    # a difference of the two values could not tell less than 1e-16 of them
    assert 0 <= solution.duality_gap() <= 1e-20 * size
    assert max(solution.primal_residual(), solution.dual_residual()) <= 1e-12 and solution.verify(1e-10)
    assert "relative, ||W - W_mm|| <= " in solution.summary()
    loaded = SVMSolution.load(solution.save(tmp_path / "solution.npz"))
    assert torch.equal(loaded.duals_tail, solution.duals_tail)
    assert loaded.distance_bound() == solution.distance_bound()


@pytest.mark.parametrize("tol", [0.0, -1e-6, float("nan"), "small", True])
def test_verification_to_no_tolerance_is_refused(tol):
    with pytest.raises(UsageError, match="tol is "):
        solve_svm(pair(2, 0, 1.0, 1.0)).verify(tol)


def test_active_constraints_are_found_where_exchanging_them_all_at_once_goes_in_circles():
    """Three pairs 1e-8 apart; of 24 active constraints two are missed at first, and the circle is 13 exchanges long."""
    r = np.random.default_rng(17)
    m, v = int(r.integers(4, 13)), int(r.integers(3, 9))
    d = int(r.integers(m, m + 6)) if r.random() < 0.7 else m
    h = r.standard_normal((m, d))
    pairs, power = int(r.integers(1, m // 2 + 1)), r.choice([6, 7, 8, 8, 8, 9])
    for i in range(pairs):
        h[2 * i + 1] = h[2 * i] + 10.0**-power * r.standard_normal(d)
    r.random()
    mask = np.zeros((m, v))
    for j in range(m):
        mask[j, r.choice(v, int(r.integers(1, min(v, 4))), replace=False)] = 1
    assert (m, v, d, pairs, power) == (10, 8, 12, 3, 8)
    solution = solve_svm(NTPDataset(h, mask / mask.sum(1, keepdims=True)))
    assert solution.distance_bound() <= 1e-7 * solution.norm
