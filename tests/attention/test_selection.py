"""Attention-SVM and the training of attention that selects tokens; two stages."""

from __future__ import annotations

import math
import warnings

import cvxpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.attention import TokenSelection, TokenSequences, collocation_data, select, solve_selection, two_stages
from ntp_theory.attention.multipliers import exponential_offset
from ntp_theory.attention.selection_runs import worth_gradient
from ntp_theory.errors import DatasetError, NotSeparableError, SolverError, UsageError
from ntp_theory.testing import token_selections


def loss_of(data, w):
    attention = data.logits(w).softmax(1)
    return torch.nn.functional.softplus(-(attention * data.scores).sum(1)).mean()


@settings(max_examples=15)
@given(token_selections(), st.sampled_from(["frobenius", "nuclear", "spectral"]))
def test_solutions_are_certified_feasible_and_the_least(data, norm):
    svm = solve_selection(data, norm=norm)
    assert float(svm.margins().min()) == pytest.approx(1.0, abs=1e-9)
    assert -1e-12 <= svm.gap < 1e-6 and float(svm.multipliers.min()) >= 0


def test_frobenius_is_what_cvxpy_finds():
    data = TokenSelection.random(3, 3, 6, rng=2)
    svm = solve_selection(data)
    w = cvxpy.Variable((6, 6))
    normals, *_ = data.normals(data.best)
    cvxpy.Problem(
        cvxpy.Minimize(cvxpy.norm(w, "fro")), [cvxpy.sum(cvxpy.multiply(n.numpy(), w)) >= 1 for n in normals]
    ).solve(solver="CLARABEL")
    assert torch.allclose(svm.direction, torch.from_numpy(w.value), atol=1e-5)


def test_what_cannot_be_selected_is_refused():
    data = TokenSelection([[[1.0], [0.0], [2.0]]], [[1.0]], [[1.0, 0.0, 0.0]])
    with pytest.raises(NotSeparableError):
        solve_selection(data)
    assert solve_selection(data, [2]).norm == pytest.approx(1.0)


def test_local_optimality_is_about_neighbours():
    tokens, queries = [[[2.0], [1.0], [0.0]]], [[1.0]]
    assert solve_selection(TokenSelection(tokens, queries, [[0.0, -1.0, 1.0]]), [0]).locally_optimal
    worse = solve_selection(TokenSelection(tokens, queries, [[0.0, 1.0, -1.0]]), [0])
    assert not worse.locally_optimal
    with pytest.raises(UsageError, match="locally optimal"):
        worse.late()


@given(token_selections(), st.integers(0, 99), st.floats(0.1, 2.0))
def test_a_plain_step_follows_the_gradient(data, seed, eta):
    d = data.tokens.shape[2]
    start = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_(True)
    loss_of(data, start).backward()
    run = select(data, "gd", steps=1, step_size=eta, start=start.detach())
    assert torch.allclose(run.weights[-1], start.detach() - eta * start.grad, atol=1e-14)


@given(token_selections(), st.integers(0, 99))
def test_normalised_and_polyak_steps_have_their_lengths(data, seed):
    d = data.tokens.shape[2]
    start = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_(True)
    value = loss_of(data, start)
    value.backward()
    size = float(start.grad.norm())
    moved = select(data, "ngd", steps=1, step_size=0.3, start=start.detach()).weights[-1] - start.detach()
    assert float(moved.norm()) == pytest.approx(0.3, rel=1e-9)
    gap = float(value.detach()) - float(torch.nn.functional.softplus(-data.scores.max(1).values).mean())
    moved = select(data, "polyak", steps=1, start=start.detach()).weights[-1] - start.detach()
    assert float(moved.norm()) == pytest.approx(gap / size, rel=1e-6)


def test_keys_and_queries_follow_their_gradients():
    data = TokenSelection.random(2, 3, 5)
    random = torch.Generator().manual_seed(0)
    k, q = (0.1 * torch.randn(5, 2, generator=random, dtype=torch.float64) for _ in range(2))
    k, q = k.requires_grad_(True), q.requires_grad_(True)
    loss_of(data, k @ q.T).backward()
    run = select(data, "gd", steps=1, step_size=0.5, rank=2)
    assert torch.allclose(run.weights[-1], (k - 0.5 * k.grad).detach() @ (q - 0.5 * q.grad).detach().T, atol=1e-15)


@given(st.integers(2, 5), st.integers(0, 99))
def test_gradients_of_weighed_scores(size, seed):
    random = torch.Generator().manual_seed(seed)
    logits, worth = (torch.randn(3, size, generator=random, dtype=torch.float64) for _ in range(2))
    logits.requires_grad_(True)
    (logits.softmax(1) * worth).sum().backward()
    pull, score = worth_gradient(logits.detach().softmax(1), worth)
    assert torch.allclose(pull, logits.grad, atol=1e-14)
    assert torch.allclose(score, (logits.detach().softmax(1) * worth).sum(1))


@settings(max_examples=8)
@given(token_selections())
def test_no_run_has_more_margin_than_the_svm(data):
    run = select(data, "ngd", steps=100, step_size=0.3)
    svm = solve_selection(data, run.selected)
    sizes = run.weights.flatten(1).norm(dim=1)
    reach = torch.einsum("kde,rde->rk", data.normals(run.selected)[0], run.weights).min(1).values
    assert bool((reach <= sizes / svm.norm * (1 + 1e-9)).all())
    assert bool((sizes <= 0.3 * run.steps.double() * (1 + 1e-12)).all())


def test_descent_is_where_offset_and_direction_put_it():
    data = TokenSelection.random(3, 3, 12, rng=3)
    run = select(data, "gd", steps=2000, step_size=20.0)
    svm = solve_selection(data, run.selected)
    late, log_time = svm.late(), math.log(20.0 * 2000)
    ahead = float(late.offset @ svm.direction.flatten()) / svm.norm**2
    # off by slow modes squared, as the sum cancels what is linear in them; never by more than that share of one unit
    slow = math.exp(-2 * min(1.0, late.rate, late.distance) * (log_time + ahead))
    assert slow < 0.05
    assert float(run.reach(svm.direction)[-1]) == pytest.approx(log_time + ahead, abs=slow)
    assert float(late.values.sum()) == pytest.approx(svm.norm**2, rel=1e-8)


@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=5))
def test_offsets_of_independent_constraints_are_known(masses):
    """Orthonormal normals: the direction is their sum, all multipliers 1, and the offset log of the masses."""
    a = torch.tensor(masses, dtype=torch.float64)
    normals = torch.eye(len(a), dtype=torch.float64)
    u, alpha, positive = exponential_offset(normals, a, torch.ones_like(a))
    assert positive and torch.allclose(alpha, torch.ones_like(a)) and torch.allclose(u, a.log(), atol=1e-9)


def test_a_constraint_that_only_touches_has_multiplier_0():
    """Edges a -> b, c -> d, a -> d: half of the flow through the first two leaves nothing for the third."""
    normals = torch.tensor([[1.0, -1.0, 0, 0], [0, 0, 1.0, -1.0], [1.0, 0, 0, -1.0]], dtype=torch.float64)
    w = torch.tensor([0.5, -0.5, 0.5, -0.5], dtype=torch.float64)
    _, alpha, positive = exponential_offset(normals, torch.ones(3, dtype=torch.float64), w)
    assert not positive and alpha.tolist() == pytest.approx([0.5, 0.5, 0.0])


def test_two_stages_by_autograd_and_as_predicted():
    data = TokenSequences.random(4, 12, 3, num_queries=2, ranked=True, rng=1)
    follows = [1, 2, 3, 0]
    run = two_stages(data, follows, steps=(40, 3), step_size=(0.1, 0.2), points=3)
    value_weights = run.values.weights[-1].double()
    w = torch.zeros(4, 4, dtype=torch.float64)
    for k in range(3):
        w = w.detach().requires_grad_(True)
        total = torch.zeros((), dtype=torch.float64)
        for row, label in zip(data.inputs, data.labels, strict=True):
            attention = w[list(row), row[-1]].softmax(0)
            mixed = torch.zeros(4, dtype=torch.float64).index_add(0, torch.tensor(row), attention)
            total = total - (value_weights @ mixed).log_softmax(0)[follows[label]] / data.num_inputs
        total.backward()
        if k:
            assert float(run.losses()[k - 1]) == pytest.approx(float(total.detach()), rel=1e-10)
        w = (w - 0.2 * w.grad / w.grad.norm()).detach()
        assert torch.allclose(run.weights[k], w, atol=1e-10)


def test_stage_2_falls_at_the_rate_of_its_margin():
    data = TokenSequences.random(5, 15, 3, num_queries=1, ranked=True, rng=2)
    run = two_stages(data, [1, 2, 3, 4, 0], steps=(100, 800))
    logs, steps = run.misplaced(), run.steps
    fall = -float((logs[-1] - logs[30]) / (steps[-1] - steps[30]))
    assert fall == pytest.approx(0.1 / run.attention_limit.norm, rel=0.01)


def test_bad_arguments_are_refused():
    data = TokenSelection.random(2, 3, 5)
    for call, words in (
        (lambda: select(data, "adam", steps=3), "method is 'adam'"),
        (lambda: select(data, steps=0), "steps is 0"),
        (lambda: select(data, steps=2, start=torch.zeros(2, 2)), "start has shape"),
        (lambda: select(data, steps=2, rank=2, start=torch.zeros(5, 5)), "start is W"),
        (lambda: select(data, "polyak", steps=2, rank=2), "'gd' or 'ngd'"),
        (lambda: select(data, steps=2, scale=0.3), "scale is 0.3"),
        (lambda: solve_selection(data, [0]), "selected has 1 entries"),
        (lambda: solve_selection(data, [0, 3]), r"selected\[1\] is 3"),
        (lambda: TokenSelection(data.tokens, data.queries, data.scores[:1]), "tokens has shape"),
        (lambda: collocation_data([0, 0]), "permutation"),
        (lambda: two_stages(TokenSequences([[0, 1]], [0]), [1, 2, 0], steps=(5, 5)), "3 tokens and sentences 2"),
        (lambda: two_stages(TokenSequences([[0, 1, 2], [1, 0, 2]], [0, 1]), [1, 2, 0], steps=(5, 5)), "in turn"),
    ):
        with pytest.raises((UsageError, DatasetError), match=words):
            call()


@pytest.mark.parametrize("wrong", [1, "ab", [0.7, 1.2], [True, False], [0], [0, 2], [[0], [1]]])
def test_selections_that_are_no_choice_are_refused(wrong):
    with pytest.raises(UsageError, match="selected"):
        solve_selection(TokenSelection.random(2, 2, 4), wrong)


def test_data_of_another_kind_or_without_a_choice_is_refused():
    for ask in (solve_selection, lambda data: select(data, steps=1)):
        with pytest.raises(UsageError, match="data is None"):
            ask(None)
    with pytest.raises(UsageError, match="1 token"):
        solve_selection(TokenSelection([[[1.0]]], [[1.0]], [[1.0]]))


def test_training_that_overflows_is_no_answer():
    data = TokenSelection.random(2, 3, 4)
    with pytest.raises(SolverError, match="diverged"):
        select(TokenSelection(1e160 * data.tokens, 1e160 * data.queries, data.scores), steps=2)
    with pytest.raises(UsageError, match="start"):
        select(data, steps=2, start=torch.full((4, 4), math.nan))
    with pytest.raises(UsageError, match="direction has shape"):
        select(data, steps=2).correlations(torch.ones(3, 3))


@pytest.mark.parametrize(
    ("inputs", "next_tokens", "options", "words"),
    [
        ([[0], [1, 1]], [1, 0], {"steps": (3, 3)}, "nothing to choose"),
        ([[0, 1]], [1, 0], {"steps": 5}, "steps is 5"),
        ([[0, 1]], [1, 0], {"steps": (5, 5, 5)}, "steps is"),
        ([[0, 1]], [1, 0], {"steps": (5, 5), "step_size": 0.1}, "step_size is 0.1"),
        ([[0, 1]], 1, {"steps": (5, 5)}, "next_tokens is 1"),
    ],
)
def test_two_stages_refuse(inputs, next_tokens, options, words):
    with pytest.raises((UsageError, DatasetError), match=words):
        two_stages(TokenSequences(inputs, [row[0] for row in inputs]), next_tokens, **options)


def test_an_inaccurate_solver_is_judged_by_its_gap_alone(monkeypatch):
    data, real = TokenSelection.random(2, 2, 4), cvxpy.Problem.solve

    def inaccurate(self, *arguments, **options):
        warnings.warn("Solution may be inaccurate. Try another solver.", UserWarning, stacklevel=1)
        return real(self, *arguments, **options)

    monkeypatch.setattr(cvxpy.Problem, "solve", inaccurate)
    assert solve_selection(data, norm="spectral").gap < 1e-6
    monkeypatch.setattr("ntp_theory.attention.selection.LARGEST_GAP", -1.0)
    with pytest.raises(SolverError, match="known to a share"):
        solve_selection(data, norm="spectral")
