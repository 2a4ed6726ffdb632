"""Convex losses as functions: against regressions, and logistic ones, where nothing is linear."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, SolverError, UsageError
from ntp_theory.planning import (
    Constants,
    PositionLosses,
    PositionRegression,
    compare,
    diverging,
    logistic,
    myopic_descent,
    predict,
)
from tests.planning.strategies import regressions, weights_for


def as_losses(problem):
    """A regression, written as functions."""

    def loss(k):
        x, y = problem.features[:, k, : k + 1], problem.targets[:, k]
        return lambda copies: (torch.einsum("sia,ia->s", x, copies) - y).square().mean() / 2

    return PositionLosses([loss(k) for k in range(problem.positions)], problem.width, problem.constants)


def classes(tied, coupling, *, ridge=0.5, seed=0):
    """Logistic regression on the signs of a regression's targets."""
    drawn = PositionRegression.random(3, 2, 40, coupling=coupling, rng=seed)
    return logistic(drawn.features, drawn.targets.sign(), ridge=ridge, tied=tied)


@settings(max_examples=6)
@given(regressions(max_positions=3, max_width=2), st.data())
def test_a_regression_written_as_functions(problem, data):
    """The same losses, gradients, optima, gap, bonus, bounds and runs."""
    assume(float(torch.linalg.cond(problem.curvature)) < 1e3 and float(torch.linalg.cond(problem._all_rows)) < 1e3)
    other, theta = as_losses(problem), data.draw(weights_for(problem))
    scale = 1 + problem.loss(theta) + float(problem.gradient(theta).norm())
    assert torch.allclose(other.losses(theta), problem.losses(theta), rtol=1e-12, atol=1e-12 * scale)
    for part in ("gradient", "diagonal_gradient", "off_diagonal_gradient"):
        assert torch.allclose(getattr(other, part)(theta), getattr(problem, part)(theta), rtol=0, atol=1e-11 * scale)
    assert torch.allclose(other.myopic_optimum, problem.myopic_optimum, rtol=1e-6, atol=1e-7)
    assert torch.allclose(other.best, problem.best, rtol=1e-6, atol=1e-7)
    size = 1 + problem.loss(problem.myopic_optimum)
    assert other.myopia_gap() == pytest.approx(problem.myopia_gap(), abs=1e-9 * size)
    assert other.local_bonus() == pytest.approx(problem.local_bonus(), abs=1e-9 * size)
    assert other.local_bonus(theta) == pytest.approx(problem.local_bonus(theta), abs=1e-9 * scale)
    step = predict(problem).step_size
    runs = [myopic_descent(each, steps=5, step_size=step, start=theta).weights for each in (problem, other)]
    assert torch.allclose(*runs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_logistic_losses_contract_by_the_factor(tied, seed):
    """The theorem where Hessians change from place to place."""
    problem = classes(tied, 0.3, seed=seed)
    forecast = predict(problem)
    assert forecast.case == "contracts"
    run = myopic_descent(problem, steps=60, start=np.full(problem.shape, 3.0))
    assert [check.line() for check in compare(run, forecast) if not check.holds] == []
    assert len(compare(run, forecast)) == 2
    assert float(problem.distance_bound(problem.myopic_optimum).max()) < 1e-6
    assert problem.myopia_gap() > 1e-6 and 0 < problem.local_bonus() <= problem.loss(problem.best)


def test_a_faulty_run_or_factor_is_noticed(monkeypatch):
    problem = classes(True, 0.3)
    forecast = predict(problem)
    monkeypatch.setattr(problem, "diagonal_gradient", problem.gradient)
    run = myopic_descent(problem, steps=40)
    monkeypatch.undo()
    assert not all(check.holds for check in compare(run, forecast))


def test_constants_of_the_logistic_losses():
    """What the tests above believe: strong monotonicity and the coupling, between drawn weights."""
    for tied in (True, False):
        problem, drawn = classes(tied, 0.3), torch.Generator().manual_seed(0)
        c = problem.constants
        for _ in range(10):
            one, other, past, moved = (
                3 * torch.randn(problem.shape, generator=drawn, dtype=torch.float64) for _ in range(4)
            )

            def own_gradient(own, past, problem=problem):
                return problem._gradient(own, past, problem._total)

            g = own_gradient(one, past) - own_gradient(other, past)
            e = one - other
            assert float((g * e).sum()) >= c.convexity * float((e * e).sum())
            assert float(g.norm()) <= c.smoothness * float(e.norm())
            change = (own_gradient(one, past) - own_gradient(one, moved)).reshape(-1, problem.width).norm(dim=1)
            reach = (past - moved).reshape(-1, problem.width).norm(dim=1)
            most = (
                [c.coupling * float(reach[:k].sum()) for k in range(len(reach))] if not tied else [c.coupling * reach]
            )
            assert all(float(a) <= float(b) + 1e-12 for a, b in zip(change, most, strict=True))


def test_what_the_constants_do_not_say():
    """Too strong a coupling, too large a step: no promise, and the reason; no optimum where there is none."""
    free = classes(True, 5.0)
    forecast = predict(free)
    assert (forecast.case, forecast.factor, forecast.optimum) == ("unknown", None, None)
    assert "no forward bias: the coupling" in forecast.summary() and "diverging" in forecast.reason
    assert compare(myopic_descent(free, steps=3), forecast) == []
    bold = predict(classes(False, 0.3), 1e3)
    assert bold.case == "unknown" and "every step is sure to contract" in bold.reason and bold.optimum is not None
    assert predict(as_losses(diverging())).case == "unknown"
    line = PositionLosses([lambda t: t.sum()], 1, Constants(tied=True, convexity=1.0, smoothness=1.0, coupling=0.0))
    with pytest.raises(SolverError, match="left a gradient of 1"):
        _ = line.myopic_optimum


def test_doors():
    constants = PositionRegression.random(2, 1, 5).constants
    with pytest.raises(UsageError, match="losses is empty"):
        PositionLosses([], 1, constants)
    with pytest.raises(UsageError, match="losses\\[0\\] is 3"):
        PositionLosses([3], 1, constants)
    for loss in (lambda t: 3.0, lambda t: t[-1], lambda t: t.float().sum()):
        with pytest.raises(UsageError, match="losses\\[1\\] returned .* it must return one number, a float64"):
            PositionLosses([lambda t: t.sum(), loss], 1, constants).loss([[1.0], [1.0]])
    assert PositionLosses(iter([lambda t: t.sum()] * 2), 1, constants).positions == 2
    with pytest.raises(DatasetError, match="labels\\[1, 0\\] is 0.5; it must be 1 or -1"):
        logistic([[[[1.0]]], [[[2.0]]]], [[1.0], [0.5]], ridge=1.0)
    with pytest.raises(DatasetError, match="features has shape .* and labels"):
        logistic([[[[1.0]]]], [[1.0, 1.0]], ridge=1.0)
    with pytest.raises(UsageError, match="ridge is 0"):
        logistic([[[[1.0]]]], [[1.0]], ridge=0)
    with pytest.raises(UsageError, match="theta has shape"):
        classes(True, 0.1).loss([1.0])
    assert repr(classes(True, 0.1)) == "PositionLosses(positions=3, width=2, tied=True)"
