"""Interior points and their equations, and the data that needs them: contexts that nearly coincide, thin margins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, solve_svm
from ntp_theory.construct import random
from ntp_theory.margin.interior import interior_point
from ntp_theory.margin.problem import DualProblem
from ntp_theory.margin.tokenwise import CholeskyEquations, OrthogonalEquations
from ntp_theory.testing import datasets

SEEDS = st.integers(0, 2**32 - 1)


def noise(shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("equations", [CholeskyEquations, OrthogonalEquations])
@given(data=datasets(max_contexts=5, max_vocab_size=5, max_dim=4), seed=SEEDS)
def test_equations_are_solved(equations, data, seed):
    problem = DualProblem.of(data)
    diagonal, values = 0.5 + noise(problem.support.shape, seed) ** 2, noise(problem.support.shape, seed + 1)
    sums = noise(problem.support.shape[:2], seed + 2)
    c, levels, weights = equations(problem, diagonal).solve(values, sums)
    size = 1e-13 * (1 + float(c.abs().sum())) * (1 + float(diagonal.max())) * problem.support.numel()
    assert (problem.logits(c) + diagonal * c + levels[:, :, None] - values).abs().max() <= size
    assert (problem.total(c) + sums).abs().max() <= size * float(problem.counts.max())
    assert (weights - problem.embeddings.mT @ c).abs().max() <= size


@given(data=datasets(max_contexts=5, max_vocab_size=5, max_dim=4), seed=SEEDS)
def test_equations_of_active_entries_are_solved_on_them(data, seed):
    problem = DualProblem.of(data)
    active = problem.support | (noise(problem.support.shape, seed) > 0)
    values, sums = noise(problem.support.shape, seed + 1), noise(problem.support.shape[:2], seed + 2)
    c, levels, _ = OrthogonalEquations(problem, torch.ones_like(values), active).solve(values, sums)
    size = 1e-13 * (1 + float(c.abs().sum())) * problem.support.numel() * float(problem.counts.max())
    assert not c[~active].any()
    assert (problem.logits(c) + c + levels[:, :, None] - values)[active].abs().max() <= size
    assert (problem.total(c) + sums).abs().max() <= size


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_interior_points_find_the_active_constraints(seed, orthogonal):
    data = random(8, 12, 10, (1, 3), rng=seed)
    solution, found = solve_svm(data), interior_point(DualProblem.of(data), orthogonal=orthogonal)
    problem = DualProblem.of(data)
    assert torch.equal(found.active, problem.support | (problem.reduce(solution.duals) > 0))
    weights = problem.expand(found.weights.mT)[0]
    assert (weights - solution.direction).norm() <= 1e-6 * solution.norm


def test_interior_points_of_several_problems_are_those_of_each():
    several = [random(5, 6, 4, (1, 2), rng=k) for k in range(3)]
    stacked = DualProblem.stack(several)
    found = interior_point(stacked)
    for k in range(3):
        alone = interior_point(stacked.select(torch.tensor([k])))
        assert (found.weights[k] - alone.weights[0]).norm() <= 1e-6 * alone.weights.norm()
        assert torch.equal(found.active[k], alone.active[0])


def twins(apart, seed, pairs=5):
    """Contexts in pairs that nearly share an embedding, not their next token."""
    r = np.random.default_rng(seed)
    h = np.repeat(r.standard_normal((pairs, 2 * pairs + 2)), 2, axis=0)
    h[1::2] += apart * r.standard_normal((pairs, 2 * pairs + 2))
    return NTPDataset(h, np.identity(2 * pairs)[r.permutation(2 * pairs)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("apart", [1e-2, 1e-3, 1e-5, 1e-7, 1e-9])
def test_twins_are_solved_to_the_accuracy_promised(apart, seed):
    """The norm of W_mm is 1 / apart in size: with the square of that as multipliers, C^T H has few digits left."""
    solution = solve_svm(twins(apart, seed))
    assert solution.distance_bound() <= 1e-7 * solution.norm
    assert solution.norm >= 0.1 / apart
    refined = solve_svm(twins(apart, seed), refine=True)
    assert refined.distance_bound() <= 1e-10 * refined.norm


@pytest.mark.parametrize("seed", range(4))
def test_nearly_inseparable_draws_are_solved(seed):
    """The smallest dimension at which the embeddings, one column more each time, are separable."""
    from ntp_theory import check_separability

    wide = random(10, 24, 30, 2, rng=seed)
    for dim in range(4, 25):
        data = NTPDataset(wide.embeddings[:, :dim].contiguous(), wide.probabilities)
        if check_separability(data).separable:
            break
    solution = solve_svm(data)
    assert solution.distance_bound() <= 1e-7 * solution.norm
