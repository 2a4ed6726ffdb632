"""Minimisers of the nuclear-norm form: their certificate, their tangent, and what two symmetries ask of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ntp_theory.errors import CheckpointError, DatasetError, SolverError, UsageError
from ntp_theory.geometry import LogitPath, UnconstrainedFeatures, newton
from ntp_theory.testing import datasets, probability_rows

MASK = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)


def dual_value(path: LogitPath, index: int) -> float:
    """The dual objective minus H, formed naively from the definition: entropies of feasible conditionals."""
    data, ridge = path.data, float(path.ridge[index])
    p = data.probabilities.to_dense()
    q = torch.softmax(path.logits[index].T, 1)
    move = data.weights[:, None] * (q - p)
    share = min(1.0, ridge / max(float(torch.linalg.matrix_norm(move, 2)), 1e-300))
    q = p + share * (q - p)
    return -float((data.weights[:, None] * torch.special.xlogy(q, q)).sum()) - data.entropy


@settings(max_examples=12)
@given(datasets(max_contexts=4, max_vocab_size=4), st.sampled_from([1.0, 1e-2, 1e-4, 1e-9]))
def test_every_answer_is_certified(data, ridge):
    path = UnconstrainedFeatures.of(data).solve(ridge)
    assert path.relative_gap[0] <= 1e-8
    assert path.spectral_norm[0] <= 1 + 1e-4
    # the bound as it is defined, from differences of numbers of size 1
    difference = float(path.objective[0]) - dual_value(path, 0)
    assert -1e-13 <= difference <= float(path.duality_gap[0]) + 1e-13
    if path.spectral_norm[0] <= 1:
        assert difference == pytest.approx(float(path.duality_gap[0]), abs=1e-13)


@given(st.data())
@settings(max_examples=10)
def test_bound_holds_against_other_logits(draw):
    rows = draw.draw(probability_rows(MASK))
    problem, ridge = UnconstrainedFeatures(rows), draw.draw(st.sampled_from([0.3, 1e-2, 1e-3]))
    path = problem.solve(ridge)
    least = float(path.objective[0] - path.duality_gap[0])
    w, h = path.factors()
    noise = draw.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(noise)
    for size in (1e-3, 1e-1, 1.0):
        other = [x + size * torch.from_numpy(rng.standard_normal(x.shape)) for x in (w, h)]
        assert problem.objective(*other, ridge) >= least
    assert problem.objective(w, h, ridge) == pytest.approx(float(path.objective[0]), rel=1e-9)


def test_descent_on_both_factors_ends_there():
    problem = UnconstrainedFeatures([[0.7, 0.3, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]])
    path, shapes = problem.solve(0.03), ((4, 3), (3, 3))

    def cost(flat):
        x = torch.tensor(flat, requires_grad=True)
        w, h = x[:12].reshape(shapes[0]), x[12:].reshape(shapes[1])
        data = problem.data
        ce = -(data.weights * data.probabilities.to_dense().T * torch.log_softmax(w @ h, 0)).sum()
        total = ce - data.entropy + 0.015 * x.square().sum()
        total.backward()
        return total.item(), x.grad.numpy()

    start = np.random.default_rng(0).standard_normal(21)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5000})
    assert found.fun == pytest.approx(float(path.objective[0]), rel=1e-8)


def test_closed_form_of_two_tokens():
    for ridge in (0.1, 1e-6, 1e-12):
        path = UnconstrainedFeatures([[1.0, 0.0]]).solve(ridge)
        x = math.log(math.sqrt(2) / ridge - 1) / 2
        np.testing.assert_allclose(path.logits[0].flatten(), [x, -x], rtol=1e-7)
        slope = 1 / (2 - math.sqrt(2) * ridge)
        np.testing.assert_allclose(path.slopes[0].flatten(), [slope, -slope], rtol=1e-6)


def test_large_ridge_gives_zero():
    problem = UnconstrainedFeatures([[0.7, 0.3, 0.0], [0.1, 0.1, 0.8]])
    p = problem.data.probabilities.to_dense()
    threshold = float(torch.linalg.matrix_norm((p - 1 / 3) / 2, 2))
    path = problem.solve([threshold * 1.01, threshold * 0.99])
    assert path.nuclear_norm[0] < 1e-6 and path.nuclear_norm[1] > 1e-2


def test_slopes_are_derivatives():
    problem = UnconstrainedFeatures([[0.7, 0.3, 0.0, 0.0], [0.0, 0.4, 0.6, 0.0], [0.2, 0.0, 0.0, 0.8]], [0.5, 0.3, 0.2])
    ridge, step = 1e-5, 1e-3
    path = problem.solve([ridge * math.exp(step), ridge, ridge * math.exp(-step)], tol=1e-10)
    difference = (path.logits[2] - path.logits[0]) / (2 * step)
    # central differences: an error of the order of step^2, and that of the logits over the step
    assert (difference - path.slopes[1]).norm() <= 1e-4 * difference.norm()


@given(st.randoms(use_true_random=False))
@settings(max_examples=3)
def test_relabelling_is_followed(random):
    rows = np.array([[0.7, 0.3, 0.0, 0.0], [0.0, 0.4, 0.6, 0.0], [0.2, 0.0, 0.0, 0.8]])
    weights = np.array([0.5, 0.3, 0.2])
    tokens, contexts = (random.sample(range(n), n) for n in (4, 3))
    path = UnconstrainedFeatures(rows, weights).solve(1e-4)
    other = UnconstrainedFeatures(rows[contexts][:, tokens], weights[contexts]).solve(1e-4)
    torch.testing.assert_close(other.logits[0], path.logits[0][tokens][:, contexts], rtol=1e-5, atol=1e-5)


def test_points_come_in_the_order_asked_for():
    problem = UnconstrainedFeatures([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]])
    path = problem.solve([1e-6, 1e-2, 1e-4, 1e-2])
    assert path.ridge.tolist() == [1e-6, 1e-2, 1e-4, 1e-2]
    assert path.nuclear_norm.argsort(descending=True).tolist()[:2] == [0, 2]
    assert "certified" in path.summary()


def test_unfinished_answers_are_errors(monkeypatch):
    monkeypatch.setattr(newton, "LAST", 1e-4)
    with pytest.raises(SolverError, match="gap stayed") as caught:
        UnconstrainedFeatures([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]]).solve(1e-3)
    assert caught.value.best.gap > 0


def test_path_survives_a_file(tmp_path):
    path = UnconstrainedFeatures([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]], token_names=["a", "b", "c"]).solve([1e-2, 1e-3])
    loaded = LogitPath.load(path.save(tmp_path / "path.npz"))
    assert loaded.summary() == path.summary() and loaded.data.token_names == ("a", "b", "c")
    assert all(torch.equal(getattr(loaded, name), getattr(path, name)) for name in ("logits", "slopes", "duality_gap"))
    problem_file = path.data.save(tmp_path / "data.npz")
    with pytest.raises(CheckpointError):
        LogitPath.load(problem_file)


@pytest.mark.parametrize("ridge", [0.0, -1.0, math.nan, math.inf, 1e-13, "a", [[1.0]], [], None])
def test_refused_ridges(ridge):
    with pytest.raises(UsageError, match="ridge"):
        UnconstrainedFeatures([[1.0, 0.0]]).solve(ridge)


def test_other_refusals():
    with pytest.raises(DatasetError, match="probabilities"):
        UnconstrainedFeatures(3)
    with pytest.raises(DatasetError, match="probabilities"):
        UnconstrainedFeatures([[0.5, 0.4]])
    with pytest.raises(UsageError, match="1600"):
        UnconstrainedFeatures(np.eye(41))
    problem = UnconstrainedFeatures([[1.0, 0.0]])
    with pytest.raises(UsageError, match="tol"):
        problem.solve(0.1, tol=0.0)
    with pytest.raises(UsageError, match="features"):
        problem.objective([[0.0], [0.0]], [[0.0, 1.0]], 0.1)
    with pytest.raises(UsageError, match="index"):
        problem.solve(0.1).factors(1)


def test_probabilities_that_are_no_matrix_or_too_many_are_refused():
    with pytest.raises(DatasetError, match="must be a matrix"):
        UnconstrainedFeatures([[0.5, 0.5], [1.0]])
    one = (np.ones(200_000), (np.arange(200_000), np.zeros(200_000, dtype=int)))
    with pytest.raises(UsageError, match="at most 1600"):
        UnconstrainedFeatures(scipy.sparse.csr_array(one, shape=(200_000, 3)))
    with pytest.raises(UsageError, match="decoder"):
        UnconstrainedFeatures([[1.0, 0.0]]).objective([[1, 2], [3]], [[0.0]], 0.1)


def test_probabilities_out_of_range_of_the_method_are_no_answer():
    with pytest.raises(SolverError):
        UnconstrainedFeatures([[1.0 - 1e-300, 1e-300, 0.0], [0.0, 0.0, 1.0]]).solve([1e-2, 1e-8])
