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
from ntp_theory.errors import NTPError
from ntp_theory.margin.certificate import certify, residuals
from ntp_theory.margin.digits import with_tail
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
    assert certify(data, moved, duals).distance >= distance(exact_direction(solution), moved)


@given(INDEPENDENT)
def test_refinement_gives_more_digits_than_a_double_has(data):
    assume(data.pattern.num_off_support)
    solution = solve_svm(data)
    found = with_tail(solution)
    assume(found is not None)
    direction, tail, bound = found.direction, found.tail, found.distance_bound()
    exact = exact_direction(solution)
    assert distance(exact, direction) <= bound
    if bound <= 1e-10 * solution.norm:  # the active constraints were those of W_mm
        assert distance(exact, direction, tail) <= 1e-20 * (1 + solution.norm)
    assert (tail.abs() <= 2.0**-52 * direction.abs()).all()


@given(INDEPENDENT)
def test_residuals_are_those_of_exact_logits(data):
    w = torch.randn(data.vocab_size, data.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    uneven, slack = residuals(data, w, torch.zeros_like(w))
    rows = [[Fraction(x) for x in row] for row in w.tolist()]
    for j, h in enumerate(data.embeddings.tolist()):
        logits = [sum(Fraction(x) * y for x, y in zip(h, row, strict=True)) for row in rows]
        inside = [x for x, token in zip(logits, data.support[j].tolist(), strict=True) if token]
        rounding = 4 * 2.0**-52 * float(1 + max(map(abs, logits)))
        assert abs(float(uneven[j]) - (max(inside) - min(inside))) <= rounding
        for v, x in enumerate(logits):
            expected = math.inf if data.support[j, v] else float(min(inside) - x - 1)
            assert math.isclose(float(slack[j, v]), expected, rel_tol=0.0, abs_tol=rounding)


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
        assert certify(data, solution.direction, solution.duals, inside).distance >= distance(exact, solution.direction)


def test_multipliers_of_the_wrong_sign_bound_nothing():
    data = NTPDataset([[2.0]], [[1.0, 0.0]])
    w = torch.tensor([[0.25], [-0.25]], dtype=torch.float64)
    for duals in ([[0.0, -0.125]], [[0.1, 0.125]]):
        assert certify(data, w, torch.tensor(duals, dtype=torch.float64)).distance == math.inf
    assert certify(data, -w, torch.tensor([[0.0, 0.125]], dtype=torch.float64)).distance == math.inf


def test_residuals_of_a_solution_have_digits_of_their_own():
    """Logits of size 1 whose differences are known far below 1e-16: W_mm with its tail, scaled by 1 + 1e-20."""
    data = random(12, 30, 20, (1, 3), rng=3)
    solution = solve_svm(data, refine=True)
    uneven, slack = residuals(data, solution.direction, solution.tail)
    assert float(uneven.max()) <= 1e-24
    longer = solution.tail + 1e-20 * solution.direction
    _, more = residuals(data, solution.direction, longer)
    active = solution.duals > 0
    assert (slack[active].abs() <= 1e-24).all()
    assert ((more - slack)[active] - 1e-20).abs().max() <= 1e-24


def test_what_the_direction_lacks_is_part_of_its_distance():
    solution = solve_svm(random(12, 30, 20, (1, 3), rng=3), refine=True)
    moved = torch.full_like(solution.direction, 1e-9)
    bound = certify(solution.data, solution.direction - moved, solution.duals, tail=solution.tail + moved).distance
    # the moved direction is rounded, which takes the bound to the square root of that
    assert float(moved.norm()) <= bound <= float(moved.norm()) + 1e-7 * solution.norm


def test_refinement_mends_constraints_that_are_not_those_of_w_mm():
    solution = solve_svm(random(12, 30, 20, (1, 3), rng=3))
    slack = residuals(solution.data, solution.direction, torch.zeros_like(solution.direction))[1]
    loose = (slack > 0.1) & slack.isfinite()
    for j, v, value in ((*loose.nonzero()[0].tolist(), 1.0), (*solution.duals.nonzero()[0].tolist(), 0.0)):
        wrong = solution.duals.clone()
        wrong[j, v] = value  # an inactive one too many, or an active one left out
        direction, c = refine(solution.data, wrong)
        assert (direction.high - solution.direction).norm() <= 1e-12 * solution.norm
        assert torch.equal((c.high < 0) & ~solution.data.support, solution.duals > 0)


def pair(*rows, supports):
    mask = np.array(supports, dtype=float)
    return NTPDataset(np.array(rows, dtype=float), mask / mask.sum(1, keepdims=True))


@pytest.mark.parametrize("apart", [1e-3, 1e-4])
def test_nearly_inseparable_contexts_are_solved_where_rounding_keeps_the_gap_open(apart):
    data = pair([1, 0.3, 0.7], [1 + 0.9 * apart, 0.3 + 0.1 * apart, 0.7], supports=[[1, 0], [0, 1]])
    solution = solve_svm(data)
    assert distance(exact_direction(solution), solution.direction) <= solution.distance_bound() <= 1e-7 * solution.norm


@pytest.mark.parametrize("apart", [1e-8, 1e-10, 1e-12])
def test_nearly_dependent_supports_without_a_direction_are_not_certified(apart):
    """Equal logits of two near contexts leave no direction in two dimensions."""
    rows, supports = ([1, 0], [1, apart], [0.3, 1]), [[1, 1, 0], [1, 1, 0], [1, 0, 0]]
    with pytest.raises(NTPError):
        solve_svm(pair(*rows, supports=supports))


@pytest.mark.parametrize("apart", [1e-8, 1e-10, 1e-12])
def test_nearly_dependent_supports_are_solved_for_the_numbers_as_they_are(apart):
    """Whether equal logits of two near contexts fix another direction too, double precision cannot tell; more can."""
    data = pair([1, 0, 0], [1, apart, 0], [0.3, 1, 1], supports=[[1, 1, 0], [1, 1, 0], [1, 0, 0]])
    solution = solve_svm(data)
    apart = distance(exact_direction(solution), solution.direction, solution.tail)
    assert apart <= solution.distance_bound() <= 1e-7 * solution.norm


@given(datasets("independent", max_contexts=4, max_vocab_size=4, max_dim=5))
def test_single_precision_is_judged_in_double(data):
    assume(data.pattern.num_off_support)
    single = data.to(dtype=torch.float32)
    try:
        solution = solve_svm(single, tol=1e-6)
    except NTPError:
        assume(False)
    exact = solve_svm(single.to(dtype=torch.float64), refine=True)
    apart = float((solution.direction.double() - exact.direction).norm())
    assert apart <= solution.distance_bound() + exact.distance_bound()
