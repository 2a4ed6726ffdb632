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


def test_a_run_that_ends_in_the_largest_numbers_is_still_judged():
    """At the last step whose bound is finite, not by an infinite one that anything would satisfy."""
    eta = 1.5 * predict(PROBLEM).stability_limit
    run, forecast = myopic_descent(PROBLEM, steps=10_000, step_size=eta, start=[3.0, -4.0]), predict(PROBLEM, eta)
    (check,) = [one for one in compare(run, forecast) if one.label == "planning/convex-toy"]
    assert check.holds and math.isfinite(check.tolerance) and check.computed == pytest.approx(check.predicted)
    wrong = replace(run, weights=run.weights * torch.linspace(1, 2, run.steps + 1, dtype=torch.float64)[:, None])
    assert not all(one.holds for one in compare(wrong, forecast))


def turning(real, coupling):
    """X^T S with a pair of eigenvalues, ``real`` and a turn, twice in one block: they are known to half their digits.

    Two positions with the features of a unit matrix, of which the second sees what is missing of it.
    """
    turn = np.array([[real, 1.0], [-1.0, real]])
    curvature = np.block([[turn, coupling * np.eye(2)], [np.zeros((2, 2)), turn]])
    x = np.zeros((4, 2, 2, 4))
    x[:, 0, 0] = x[:, 1, 1] = np.eye(4)
    x[:, 1, 0] = 4 * curvature - 2 * np.eye(4)
    return PositionRegression(x, np.ones((4, 2)), tied=True)


@given(st.integers(-12, -1), st.sampled_from([1, -1]), st.sampled_from([1.0, 30.0]), st.floats(0.3, 3))
def test_what_rounding_decides_is_not_predicted(exponent, sign, coupling, share):
    """Eigenvalues of I - eta X^T S are 1 - eta (real +- i): stable for eta < 2 real / (1 + real^2)."""
    real = sign * 10.0**exponent
    limit = 2 * real / (1 + real**2)
    eta = share * abs(limit)
    forecast = predict(turning(real, coupling), eta)
    sure = ["converges", "contracts"] if eta < limit else ["diverges"]
    assert forecast.case in [*sure, "unknown"]
    if exponent >= -1 and abs(share - 1) > 0.1:
        assert forecast.case in sure


def test_the_border_of_stability():
    """Weights go to and fro, whether or not they are shared."""
    for tied in (True, False):
        problem = PositionRegression([[[[1.0]]]], [[1.0]], tied=tied)
        forecast = predict(problem, 2.0)
        assert forecast.case == "unknown" and forecast.rate == 1
        run = myopic_descent(problem, steps=9, step_size=2.0)
        assert run.weights.flatten().tolist() == [0.0, 2.0] * 5
        assert all(check.holds for check in compare(run, forecast))
        assert [predict(problem, eta).case for eta in (1.999, 2.001)] == ["contracts", "diverges"]


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"smoothness": 0.0}, "smoothness is 0"),
        ({"smoothness": math.nan}, "smoothness is nan"),
        ({"convexity": 2.1}, "convexity is 2.1; it must be from 0 to smoothness"),
        ({"convexity": -0.1}, "convexity is -0.1"),
        ({"coupling": -1.0}, "coupling is -1"),
        ({"lipschitz": -1.0}, "lipschitz is -1"),
        ({"monotone": 4.0}, "monotone is 4.0; it must be at most lipschitz"),
    ],
)
def test_constants_that_nothing_has(change, words):
    with pytest.raises(UsageError, match=words):
        Constants(**{"tied": True, "convexity": 1.0, "smoothness": 2.0, "coupling": 1.0} | change)


def test_doors():
    run = myopic_descent(PROBLEM, steps=2)
    for call in (lambda: predict("toy"), lambda: myopic_descent("toy", steps=1, step_size=1.0)):
        with pytest.raises(UsageError, match="problem is 'toy'; it must be a PositionRegression or"):
            call()
    with pytest.raises(UsageError, match="must be a MyopicRun and a Prediction"):
        compare(predict(PROBLEM), run)
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
