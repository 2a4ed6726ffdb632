"""Distance bounds and refinement against exact rational solutions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, solve_svm
from ntp_theory.construct import random
from ntp_theory.margin.certificate import distance_bound, residuals
from ntp_theory.margin.refine import refine
from ntp_theory.testing import datasets

INDEPENDENT = datasets("independent", max_contexts=4, max_vocab_size=4, max_dim=5)


def exact_direction(solution):
    """W_mm in rationals, from the proof."""
    proof = solution.verify(exact=True)
    assert proof.status == "proved"
    rows = proof.document["proof"]["direction"]
    return [[Fraction(x) for x in row or ["0"] * solution.data.dim] for row in rows]


def distance(exact, high, low=None):
    low = torch.zeros_like(high) if low is None else low
    square = Fraction(0)
    for row, hs, ls in zip(exact, high.tolist(), low.tolist(), strict=True):
        square += sum((x - Fraction(h) - Fraction(rest)) ** 2 for x, h, rest in zip(row, hs, ls, strict=True))
    return float(square) ** 0.5


@given(INDEPENDENT, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-14, 1e-9, 1e-4, 0.1]))
def test_the_bound_holds_wherever_the_direction_is(data, seed, noise):
    assume(data.pattern.num_off_support)
    solution, r = solve_svm(data), np.random.default_rng(seed)
    moved = solution.direction + noise * solution.norm * torch.from_numpy(r.standard_normal(solution.direction.shape))
    duals = solution.duals * torch.from_numpy(1 + noise * r.uniform(-1, 1, solution.duals.shape))
    assert distance_bound(data, moved, None, duals) >= distance(exact_direction(solution), moved)


@given(INDEPENDENT)
def test_refinement_gives_more_digits_than_a_double_has(data):
    assume(data.pattern.num_off_support)
    solution = solve_svm(data)
    found = refine(data, solution.duals)
    assume(found is not None)
    direction, tail, duals, inside = found
    exact = exact_direction(solution)
    bound = distance_bound(data, direction, tail, duals, inside)
    assert distance(exact, direction) <= bound
    if bound <= 1e-10 * solution.norm:  # the active constraints were those of W_mm
        assert distance(exact, direction, tail) <= 1e-20 * (1 + solution.norm)
    assert (tail.abs() <= 2.0**-52 * direction.abs()).all()


@given(INDEPENDENT)
def test_residuals_are_those_of_exact_logits(data):
    w = torch.randn(data.vocab_size, data.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    uneven, slack = residuals(data, w, None)
    rows = [[Fraction(x) for x in row] for row in w.tolist()]
    for j, h in enumerate(data.embeddings.tolist()):
        logits = [sum(Fraction(x) * y for x, y in zip(h, row, strict=True)) for row in rows]
        inside = [x for x, token in zip(logits, data.support[j].tolist(), strict=True) if token]
        assert math.isclose(float(uneven[j]), max(inside) - min(inside), rel_tol=1e-14, abs_tol=1e-25)
        for v, x in enumerate(logits):
            expected = math.inf if data.support[j, v] else float(min(inside) - x - 1)
            assert math.isclose(float(slack[j, v]), expected, rel_tol=1e-14, abs_tol=1e-25)


@pytest.mark.parametrize(("dim", "contexts"), [(8, 16), (30, 20), (12, 14)])
def test_solutions_reach_the_bounds_that_are_promised(dim, contexts):
    solution = solve_svm(random(12, dim, contexts, (1, 3), rng=3))
    assert solution.distance_bound() <= 1e-7 * solution.norm
    assert solution.refined().distance_bound() <= 1e-10 * solution.norm


@given(INDEPENDENT)
def test_both_ways_to_balance_the_supports_give_a_bound(data):
    assume(data.pattern.num_off_support)
    solution = solve_svm(data)
    exact = exact_direction(solution)
    for inside in (solution.support_duals, None):
        assert distance_bound(data, solution.direction, None, solution.duals, inside) >= distance(
            exact, solution.direction
        )


def test_multipliers_of_the_wrong_sign_bound_nothing():
    data = NTPDataset([[2.0]], [[1.0, 0.0]])
    w = torch.tensor([[0.25], [-0.25]], dtype=torch.float64)
    for duals in ([[0.0, -0.125]], [[0.1, 0.125]]):
        assert distance_bound(data, w, None, torch.tensor(duals, dtype=torch.float64)) == math.inf
    assert distance_bound(data, -w, None, torch.tensor([[0.0, 0.125]], dtype=torch.float64)) == math.inf
