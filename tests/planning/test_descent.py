"""Myopic descent: predictions from the data, held against runs, and faults that must be noticed."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.planning import (
    Constants,
    PositionRegression,
    border,
    breadcrumbs,
    compare,
    diverging,
    myopic_descent,
    pre_caching,
    predict,
    transient,
)
from tests.planning.strategies import exact, regressions, weights_for


@given(regressions(), st.data())
def test_every_run_does_what_was_predicted(problem, data):
    """Whatever the case; the certified factor at every step where it contracts."""
    start, share = data.draw(weights_for(problem)), data.draw(st.floats(0.05, 0.95))
    safe = predict(problem).largest_step
    forecast = predict(problem, share * safe if safe > 0 else None)
    assume(problem.smallest_curvature[0] == 0 or problem.smallest_curvature[0] > 1e-6)
    run = myopic_descent(problem, steps=30, step_size=forecast.step_size, start=start)
    checks = compare(run, forecast)
    assert [check.line() for check in checks if not check.holds] == []
    assert (len(checks) == 4) == (forecast.case == "contracts")


@given(regressions(tied=False))
def test_untied_it_converges_for_every_coupling(problem):
    assert predict(problem).case == "contracts" and problem.constants.forward_bias


@given(regressions(), st.data())
def test_a_step_in_rational_arithmetic(problem, data):
    """One step of the run is one step of the proofs, and contracts by the factor exactly."""
    forecast = predict(problem)
    assume(forecast.case == "contracts" and forecast.factor < 1)
    oracle = exact(problem)
    optimum = [float(a) for a in oracle.myopic]
    start = data.draw(weights_for(problem))
    theta = [Fraction(a) for a in start.flatten().tolist()]
    eta = Fraction(forecast.step_size)
    moved = [a - eta * g / problem.samples for a, g in zip(theta, oracle.gradient(theta, myopic=True), strict=True)]
    run = myopic_descent(problem, steps=1, step_size=forecast.step_size, start=start)
    assert np.allclose(run.weights[1].flatten(), [float(a) for a in moved], rtol=1e-10, atol=1e-10)

    def distance(point):
        apart = torch.tensor([float(a - Fraction(b)) for a, b in zip(point, oracle.myopic, strict=True)])
        weights = forecast.position_weights if not problem.tied else torch.ones(1, dtype=torch.float64)
        return float(apart.double().reshape(-1, problem.width).norm(dim=1) @ weights)

    assert distance(moved) <= forecast.factor * distance(theta) * (1 + 1e-6) + 1e-12 * (1 + max(map(abs, optimum)))


@pytest.mark.parametrize("tied", [True, False])
def test_to_machine_precision(tied):
    """The certified factor alone says how many steps it takes."""
    problem = PositionRegression.random(4, 3, 200, coupling=0.2, tied=tied, rng=1)
    forecast = predict(problem)
    steps = math.ceil(math.log(1e-17) / math.log(forecast.factor))
    run = myopic_descent(problem, steps=min(steps, 3000))
    distances = forecast.distances(run.weights)
    assert distances[-1] < 1e-14 * distances[0]
    assert all(check.holds for check in compare(run, forecast))


def test_the_cases():
    assert [predict(toy).case for toy in (pre_caching(), breadcrumbs(), diverging(), diverging(tied=False))] == [
        "contracts",
        "contracts",
        "diverges",
        "contracts",
    ]
    assert predict(border()).case == "no optimum" and predict(border()).smallest_gradient == pytest.approx(2)
    assert predict(transient()).case == "converges" and predict(transient()).stability_limit == pytest.approx(2)
    assert predict(transient(), 2.5).case == "diverges"
    assert "no forward bias: the coupling 3 with the past is against a convexity of 2" in predict(diverging()).summary()


def test_more_than_one_optimum():
    """The border with targets that fit: X^T Y = 0, every weight is an optimum, and the prediction says so."""
    problem = PositionRegression([[[[1.0], [0.0]], [[-2.0], [1.0]]]], [[1.0, -1.0]], tied=True)
    forecast = predict(problem)
    assert forecast.smallest_gradient == 0 and "more than one" in forecast.reason
    assert all(check.holds for check in compare(myopic_descent(problem, steps=5), forecast))


@pytest.mark.parametrize("step", [0.01, 0.5, 3.0])
def test_diverging_by_the_factor_of_the_proof(step):
    """e' = (1 + eta) e."""
    run = myopic_descent(diverging(), steps=20, step_size=step, start=[0.0])
    errors = run.weights[:, 0] + 2
    assert errors[-1].item() == pytest.approx(2 * (1 + step) ** 20, rel=1e-12)
    assert predict(diverging(), step).rate == pytest.approx(1 + step)


def test_it_ends_when_numbers_do():
    run = myopic_descent(diverging(), steps=10_000, step_size=3.0)
    assert run.steps < 600 and bool(torch.isfinite(run.weights).all())


def test_distances_can_grow_before_they_shrink():
    run = myopic_descent(transient(), steps=60, step_size=0.5, start=[0.0, 30.0])
    distances = predict(transient(), 0.5).distances(run.weights)
    assert distances.max() > 1.5 * distances[0] and distances[-1] < 1e-12 * distances[0]


@given(regressions(tied=True))
def test_the_limit_of_stability_is_sharp(problem):
    """Below it the spectral radius is below 1, above it above."""
    forecast = predict(problem)
    assume(forecast.stability_limit > 0)
    assert (
        predict(problem, 0.99 * forecast.stability_limit).rate
        < 1
        < predict(problem, 1.01 * forecast.stability_limit).rate
    )
    assert forecast.largest_step <= forecast.stability_limit * (1 + 1e-9)


PROBLEM = PositionRegression.random(3, 2, 50, tied=True, rng=2)


@pytest.mark.parametrize(
    "fault",
    ["full gradient", "a position more", "wrong optimum", "promises more", "a step too many", "double step"],
)
def test_faults_are_noticed(fault, monkeypatch):
    """Runs and predictions that are wrong do not pass."""
    forecast = predict(PROBLEM)
    if fault == "full gradient":
        monkeypatch.setattr(PROBLEM, "diagonal_gradient", PROBLEM.gradient)
    run = myopic_descent(PROBLEM, steps=20, start=[3.0, -4.0])
    monkeypatch.undo()
    if fault == "a position more":
        run = replace(run, weights=run.weights + 1e-9)
    if fault == "wrong optimum":
        forecast = replace(forecast, optimum=PROBLEM.best)
    if fault == "promises more":
        forecast = replace(forecast, factor=forecast.factor / 10)
    if fault == "a step too many":
        run = replace(run, weights=run.weights[[*range(5), *range(6, 8)]])
    if fault == "double step":
        run = replace(run, weights=run.weights[::2])
    assert not all(check.holds for check in compare(run, forecast))


def test_constants_of_the_statement():
    """2 mu / L^2 untied; 2 (mu - beta) / (L + beta)^2 tied; t and the factor as proved."""
    untied = Constants(tied=False, convexity=1.0, smoothness=2.0, coupling=3.0)
    assert untied.largest_step == 0.5
    rho = math.sqrt(1 - 2 * 0.25 + 0.25)
    assert untied.factor(0.25) == pytest.approx((1 + rho) / 2)
    assert untied.discount(0.25) == pytest.approx((1 - rho) / (1 - rho + 2 * 0.25 * 3))
    tied = Constants(tied=True, convexity=2.0, smoothness=3.0, coupling=1.0)
    assert tied.largest_step == 2 / 16 and tied.factor(1 / 16) == pytest.approx(math.sqrt(1 - 1 / 16))
    assert Constants(tied=True, convexity=1.0, smoothness=3.0, coupling=2.0).largest_step == 0.0
    for step, words in ((0.5, "must be below 0.5"), (0.0, "a positive finite number")):
        with pytest.raises(UsageError, match=words):
            untied.factor(step)


def test_doors():
    run = myopic_descent(PROBLEM, steps=2)
    for other in (predict(PROBLEM, 0.01), predict(pre_caching())):
        with pytest.raises(UsageError, match="another problem or step size"):
            compare(run, other)
    with pytest.raises(UsageError, match="steps is -1"):
        myopic_descent(PROBLEM, steps=-1)
    with pytest.raises(UsageError, match="step_size is 0"):
        myopic_descent(PROBLEM, steps=1, step_size=0)
    with pytest.raises(UsageError, match="start has shape"):
        myopic_descent(PROBLEM, steps=1, start=[1.0])
    assert "2 steps of myopic descent" in run.summary() and run.losses.shape == (3, 3)
    assert all(check.holds for check in compare(myopic_descent(PROBLEM, steps=0), predict(PROBLEM)))
