"""Proximal steps against the equation that defines them, and on data whose condition stalls gradient steps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory.cone import Cone
from ntp_theory.construct import random
from ntp_theory.margin import SVMSolution, solve_svm
from ntp_theory.margin.dual import _judge_projected
from ntp_theory.margin.newton import proximal_step
from ntp_theory.margin.polish import polish
from ntp_theory.margin.problem import DualProblem
from ntp_theory.testing import datasets

EPS = 2.0**-52


def cone_of(problem):
    return Cone(problem.support, problem.counts)


def draw_multipliers(problem, seed):
    noise = torch.randn(problem.support.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return cone_of(problem).project(noise)[0]


@given(datasets(max_contexts=5, max_vocab_size=5, max_dim=4), st.sampled_from([1e-2, 1.0, 1e2]), st.integers(0, 99))
def test_a_step_is_the_fixed_point_of_a_projected_gradient_step(data, length, seed):
    """C = P(C_k - sigma gradient(C)) holds at the minimiser, whoever finds it."""
    problem = DualProblem.of(data)
    sigma = torch.tensor([length], dtype=torch.float64)
    start = draw_multipliers(problem, seed)
    step = proximal_step(problem, start, sigma, start < 0)
    assume(bool(step.settled))
    found = step.multipliers
    expected, _ = cone_of(problem).project(start + length * (problem.target - problem.logits(found)))
    # the linear systems have condition up to 1 + sigma ||K||
    size = 1.0 + float(start.norm() + found.norm()) + length * float(problem.target.max())
    assert float((found - expected).norm()) <= 1e3 * EPS * size * (1.0 + length * float(problem.gram.norm()))


@given(datasets(max_contexts=5, max_vocab_size=5, max_dim=4))
def test_short_steps_do_not_fail(data):
    """Next to the identity a step changes few signs, so Newton's method ends."""
    problem = DualProblem.of(data)
    zero = torch.zeros_like(problem.target)
    sigma = torch.full((1,), 1e-2 / (1.0 + float(problem.gram.norm())), dtype=torch.float64)
    assert bool(proximal_step(problem, zero, sigma, problem.support).settled)


@given(datasets(max_contexts=5, max_vocab_size=5, max_dim=4), st.integers(0, 99))
def test_any_guess_of_the_active_set_leads_to_the_same_step(data, seed):
    problem = DualProblem.of(data)
    start, sigma = draw_multipliers(problem, seed), torch.ones(1, dtype=torch.float64)
    guess = torch.rand(problem.support.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    one, other = (proximal_step(problem, start, sigma, active) for active in (start < 0, guess))
    assume(bool(one.settled) and bool(other.settled))
    size = 1.0 + float(start.norm() + problem.target.norm())
    assert float((one.multipliers - other.multipliers).norm()) <= 1e3 * EPS * size * (1 + float(problem.gram.norm()))


@pytest.mark.parametrize(("seed", "steps"), [(2, 150), (4, 150)])
def test_ill_conditioned_data_is_solved(seed, steps):
    """||W_mm|| of 23 and 17, where thousands of gradient steps leave a gap of 1e-6."""
    solution = solve_svm(random(7, 51, 65, 4, rng=seed), tol=1e-12)
    assert solution.norm > 15 and solution.iterations <= steps


@given(datasets("independent", max_contexts=5, max_vocab_size=5, max_dim=6))
def test_the_gap_that_was_reached_is_that_of_the_answer(data):
    """What the method calls its gap is the gap of direction and multipliers, recomputed."""
    solution = solve_svm(data, tol=1e-10)
    # 1e-13: sums of at most 25 products, relative to the objective
    assert solution.duality_gap() <= (1e-10 + 1e-13) * 0.5 * solution.norm**2
    assert solution.dual_residual() <= 1e-4 and solution.primal_residual() <= 1e-12 * max(1.0, solution.norm)


@given(datasets("independent", max_contexts=5, max_vocab_size=5, max_dim=6), st.integers(0, 99))
def test_polishing_on_a_wrong_active_set_is_judged_as_it_is(data, seed):
    """It leaves multipliers of both signs; those dropped take the balance with them, which the gap must show."""
    assume(data.pattern.num_off_support)
    noise = torch.randn(data.support.shape, generator=torch.Generator().manual_seed(seed)).double()
    judged = _judge_projected(polish(torch.where(data.support, 0.0, noise), data), data, 0)
    assume(judged.direction is not None and judged.gap < float("inf"))
    answer = SVMSolution(data, judged.direction, judged.duals, "polish", 0)
    assert judged.gap * 0.5 * answer.norm**2 >= answer.duality_gap() - 1e-9 * answer.norm**2
