"""The reduced problem against the data that it was made of; its blocks and first steps against dense algebra."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory import NTPDataset
from ntp_theory.cone import Cone
from ntp_theory.construct import random
from ntp_theory.margin.blocks import ActiveBlocks
from ntp_theory.margin.problem import DualProblem
from ntp_theory.margin.splitting import Splitting
from ntp_theory.testing import datasets

SEEDS = st.integers(0, 2**32 - 1)
SMALL = datasets(max_contexts=5, max_vocab_size=5, max_dim=4)


def split(problem, steps, start=None):
    splitting = Splitting(problem, start)
    splitting.run(steps)
    return splitting.multipliers()


def noise(shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def repeated(data, rows, columns):
    """The data with some contexts and tokens several times over."""
    mask = data.support.numpy()[rows][:, columns]
    return NTPDataset(data.embeddings.numpy()[rows], mask / mask.sum(1, keepdims=True))


@given(SMALL, SEEDS)
def test_merged_problems_have_the_objective_of_the_data(data, seed):
    """1/2 ||C^T H||^2 - sum over the supports of C, for the multipliers that a reduced C stands for."""
    problem = DualProblem.of(data)
    c = noise(problem.support.shape, seed)
    full = problem.multipliers(c)[0]
    objective = 0.5 * (full.T @ data.embeddings).square().sum() - full[data.support].sum()
    reduced = 0.5 * problem.total(c * problem.logits(c)) - problem.total(c * problem.target)
    size = float(full.abs().sum() + (full.abs().T @ data.embeddings.abs()).square().sum())
    assert abs(float(objective) - float(reduced.sum())) <= 1e-14 * (1 + size)


@given(SMALL, SEEDS)
def test_multipliers_can_be_reduced_again(data, seed):
    problem = DualProblem.of(data)
    c = noise(problem.support.shape, seed)
    again = problem.reduce(problem.multipliers(c)[0])
    assert (again - c).abs().max() <= 1e-15 * float(c.abs().max()) * data.num_contexts * data.vocab_size


@given(datasets("independent", max_contexts=4, max_vocab_size=4, max_dim=5), SEEDS)
def test_copies_of_contexts_and_tokens_change_nothing_but_counts(data, seed):
    r = np.random.default_rng(seed)
    m, v = data.support.shape
    rows = np.r_[np.arange(m), r.integers(0, m, 3)]
    columns = np.r_[np.arange(v), r.integers(0, v, 4)]
    problem, copied = DualProblem.of(data), DualProblem.of(repeated(data, rows, columns))
    assert torch.equal(problem.support, copied.support) and torch.equal(problem.embeddings, copied.embeddings)
    assert float(copied.counts.sum()) == v + 4
    assert copied.tokens.tolist() == problem.tokens[torch.from_numpy(columns)].tolist()
    assert copied.contexts.tolist() == problem.contexts[torch.from_numpy(rows)].tolist()


@given(SMALL)
def test_embeddings_come_back_exactly_and_have_unit_size(data):
    problem = DualProblem.of(data)
    h = problem.embeddings[0] * problem.lengths[0, :, None]
    assert torch.equal(h[problem.contexts], data.embeddings)
    norms = problem.embeddings.norm(dim=2)
    assert ((norms == 0) | ((norms > 1 - 1e-15) & (norms < 2 + 1e-15))).all()


@given(SMALL)
def test_largest_eigenvalue_is_bounded_by_what_rank_allows(data):
    problem = DualProblem.of(data)
    exact = float(torch.linalg.eigvalsh(problem.gram[0])[-1])
    rank = min(problem.embeddings.shape[1:])
    assert exact * (1 - 1e-12) <= float(problem.largest) <= rank**0.5 * exact * (1 + 1e-12)


def dense_block(problem, rows, shift):
    return torch.linalg.inv(problem.gram[0][rows][:, rows] + shift * torch.eye(len(rows), dtype=torch.float64))


@given(SMALL, SEEDS, st.sampled_from([1e-2, 1.0]))
def test_blocks_are_inverses_after_any_sequence_of_active_sets(data, seed, shift):
    problem = DualProblem.of(data)
    blocks = ActiveBlocks(problem, torch.tensor([shift], dtype=torch.float64))
    r = np.random.default_rng(seed)
    for _ in range(3):
        active = problem.support | torch.from_numpy(r.random(problem.support.shape) < 0.5)
        blocks.update(active)
        values = noise(problem.support.shape, seed)
        expected, coupling = torch.zeros_like(values), torch.zeros_like(problem.gram[0])
        for u in range(active.shape[2]):
            rows = active[0, :, u].nonzero()[:, 0]
            inverse = dense_block(problem, rows, shift)
            expected[0, rows, u] = inverse @ values[0, rows, u]
            coupling[rows[:, None], rows] += problem.counts[u] * inverse
        size = 1e-13 / shift**2 * problem.support.numel() * float(1 + problem.counts.max())
        assert (blocks.solve(values) - expected).abs().max() <= size
        assert (blocks.coupling[0] - coupling).abs().max() <= size


@given(SMALL, st.integers(0, 40))
def test_first_steps_keep_signs(data, steps):
    problem = DualProblem.of(data)
    assume(float(problem.largest) > 0)
    c = split(problem, steps)
    assert c.isfinite().all()
    assert float(c.masked_fill(problem.support, 0.0).max()) <= 0


def test_first_steps_go_to_the_solution():
    """Where the problem is well conditioned, to single precision: a fixed point of projected gradient steps."""
    problem = DualProblem.of(random(12, 40, 10, (1, 3), rng=0))
    c = split(problem, 300)
    assert problem.total(c).abs().max() <= 1e-5 * c.abs().max()
    step = (problem.target - problem.logits(c)) / problem.largest
    after, _ = Cone(problem.support, problem.counts).project(c + step)
    assert (after - c).norm() <= 1e-5 * c.norm()
    assert (split(problem, 300, c) - c).norm() <= 1e-5 * c.norm()
    assert (split(problem, 10, c) - c).norm() <= 0.1 * (split(problem, 10) - c).norm()


def test_stacked_problems_are_those_of_each():
    several = [random(5, 4, 3, (1, 2), rng=k) for k in range(3)]
    stacked = DualProblem.stack(several)
    found = split(stacked, 20)
    for k, data in enumerate(several):
        alone = split(stacked.select(torch.tensor([k])), 20)
        assert (found[k] - alone[0]).norm() <= 1e-5 * alone.norm()
        weights = stacked.expand(stacked.pull(found).mT)[k]
        assert (weights - stacked.multipliers(found)[k].T @ data.embeddings).abs().max() <= 1e-13


@given(st.integers(2, 6), st.integers(2, 12), SEEDS)
def test_refined_steps_reach_the_tolerance_that_they_report(v, m, seed):
    """C on the cone minimises the objective when C = P(C - gradient), whatever the length of the step."""
    r = np.random.default_rng(seed)
    problem = DualProblem.of(NTPDataset(r.standard_normal((m, 2 * m)), np.identity(v)[r.integers(0, v, m)]))
    assume(problem.support.shape[2] > 1)
    steps = Splitting(problem)
    steps.run(30)
    for tol in (1e-6, 1e-13):  # the second time, what single precision has left of the first is found
        rough = steps.multipliers()
        made, _ = steps.refine(tol, 100)
        assume(bool(made))
        c = problem.feasible(steps.multipliers())
    length = 1.0 / float(problem.largest)

    def broken(c):
        moved, _ = Cone(problem.support, problem.counts).project(c + length * (problem.target - problem.logits(c)))
        return float((moved - c).norm() / c.norm())

    # a step lacks a part of what C lacks: no more of it than was asked for, 1e-13
    assert broken(c) <= max(1e-3 * broken(problem.feasible(rough)), tol)
