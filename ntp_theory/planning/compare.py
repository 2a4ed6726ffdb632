"""`compare`: a run of myopic descent against what was predicted for it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import Check
from ..errors import UsageError
from .descent import MyopicRun
from .losses import PositionLosses
from .prediction import Prediction
from .regression import UNIT, PositionRegression

__all__ = ["compare"]

CONVERGENCE, TOY = "planning/convergence", "planning/convex-toy"


def compare(run: MyopicRun, prediction: Prediction) -> list[Check]:
    """Hold a run of myopic descent against its prediction.

    Parameters
    ----------
    run : MyopicRun
    prediction : Prediction
        Of the same problem and step size.

    Returns
    -------
    list of Check
        The myopic gradient at the optimum. Where it contracts: the largest factor of a step, and the last distance
        (certified). In every case the last error whose bound is finite, against ``(I - eta X^T S)^n`` times the first.
        Where there is no optimum, the shortest gradient alone. Of `PositionLosses`: the factor and the last distance,
        measured, as nothing is known of the rounding of their gradients; no check where nothing is predicted.

    Raises
    ------
    UsageError
        If they are of different problems or step sizes.

    Notes
    -----
    Tolerances are what rounding can do to a step and to the optimum: bounds that hold for every order of sums.

    Source: `planning/convergence`, `planning/convex-toy`.

    Examples
    --------
    >>> from ntp_theory.planning import diverging, myopic_descent, predict
    >>> toy = diverging()
    >>> run = myopic_descent(toy, steps=40, step_size=0.25, start=[1.0])
    >>> for check in compare(run, predict(toy, 0.25)):
    ...     print(check.holds, check.computed, check.statement)
    True 0.0 myopic gradient at the predicted optimum
    True 22569.49 error after 40 steps, in the direction predicted for it
    """
    if not isinstance(run, MyopicRun) or not isinstance(prediction, Prediction):
        raise UsageError(f"run is {run!r} and prediction {prediction!r}; they must be a MyopicRun and a Prediction")
    if run.problem is not prediction.problem or run.step_size != prediction.step_size:
        raise UsageError(
            "prediction is of another problem or step size; it must be predict(run.problem, run.step_size)"
        )
    problem = run.problem
    if isinstance(problem, PositionLosses):
        return _as_measured(run, prediction)
    if prediction.optimum is None:
        return [_no_optimum(problem, run, prediction)]
    contraction = _contraction(problem, run, prediction) if prediction.factor is not None else []
    return [_optimality(problem, prediction), *contraction, _whole_run(problem, run, prediction)]


def _optimality(problem: PositionRegression, prediction: Prediction) -> Check:
    """Tolerances below grow with what this leaves open."""
    optimum = prediction.optimum
    assert optimum is not None
    size = float(problem.features.norm() * (problem.features.norm() * optimum.norm() + problem.targets.norm()))
    # solving by orthogonal factors is exact for data that is off by some units of rounding a term; gradients are means
    return Check.at_most(
        "planning/myopic-optimum",
        0.0,
        float(problem.diagonal_gradient(optimum).norm()),
        slack=10 * problem.positions * problem.width * UNIT * size,
        evidence="certified",
        source="2404.00859 (recalled)",
        statement="myopic gradient at the predicted optimum",
    )


def _contraction(problem: PositionRegression, run: MyopicRun, prediction: Prediction) -> list[Check]:
    assert prediction.optimum is not None and prediction.factor is not None
    base, slope = _rounding(problem, prediction)
    factor, distances = prediction.factor, prediction.distances(run.weights)
    apart = (run.weights - prediction.optimum).flatten(1).norm(dim=1)
    off = _optimum_error(prediction)
    # a sum over positions of norms is at most the square root of their number times the norm of all
    noise = problem.positions**0.5 * (base + slope * apart[:-1]) + (1 + factor) * off
    excess = (distances[1:] - noise).clamp(min=0)
    ratios = torch.where(excess > 0, excess / distances[:-1], 0.0)
    left = factor**run.steps * float(distances[0])
    floor = float(noise.max()) / problem.constants.room(run.step_size) if run.steps else off
    return [
        Check.at_most(
            CONVERGENCE,
            factor,
            float(ratios.max()) if run.steps else 0.0,
            evidence="certified",
            source="2404.00859 (secondary); constants derived",
            statement=f"factor of the distance to the optimum, largest of {run.steps} steps",
        ),
        Check.at_most(
            CONVERGENCE,
            left,
            float(distances[-1]),
            slack=floor,
            evidence="certified",
            source="2404.00859 (secondary); constants derived",
            statement=f"distance to the optimum after {run.steps} steps",
        ),
    ]


def _as_measured(run: MyopicRun, prediction: Prediction) -> list[Check]:
    """While distances are above the square root of rounding, gradients keep half of their digits or more."""
    if prediction.factor is None or prediction.optimum is None:
        return []
    distances, half = prediction.distances(run.weights), UNIT**0.5
    least = half * (float(distances[0]) + float(prediction.optimum.norm())) + _optimum_error(prediction)
    ratios = (distances[1:] / distances[:-1])[distances[:-1] > least]
    largest = float(ratios.max()) if len(ratios) else 0.0
    words = f"factor of the distance to the optimum, largest of {len(ratios)} steps"
    after = f"distance to the optimum after {run.steps} steps"
    left = prediction.factor**run.steps * float(distances[0])
    return [
        Check.at_most(CONVERGENCE, prediction.factor, largest, slack=half, evidence="measured", statement=words),
        Check.at_most(CONVERGENCE, left, float(distances[-1]), slack=least, evidence="measured", statement=after),
    ]


def _whole_run(problem: PositionRegression, run: MyopicRun, prediction: Prediction) -> Check:
    """All of an error, in length and direction: its difference from the predicted one is the check's error.

    It is the last one for which powers of the matrix and bounds on their rounding are finite.
    """
    assert prediction.optimum is not None
    base, slope = _rounding(problem, prediction)
    curvature = problem.curvature
    step = torch.eye(len(curvature), dtype=torch.float64) - run.step_size * curvature
    rounded = slope + problem.smallest_curvature[1] * run.step_size + UNIT * float(step.norm())
    off = _optimum_error(prediction)
    first = (run.weights[0] - prediction.optimum).flatten()
    steps, slack, predicted = run.steps + 1, math.inf, first
    while steps and not (math.isfinite(slack) and bool(torch.isfinite(predicted).all())):
        steps = steps - 1 if steps > run.steps else steps * 9 // 10
        power, sums, spread = _power(step, steps, rounded)
        slack = spread * float(first.norm()) + sums * base + (1 + float(power.norm())) * off
        predicted = power @ first
    last = (run.weights[steps] - prediction.optimum).flatten()
    # along the predicted direction, the check shows a signed length; its error is that of the whole vector
    length = float(predicted.norm())
    error = float((last - predicted).norm())
    along = float(predicted / length @ last) if length else error
    return Check(
        TOY,
        length,
        along,
        error,
        slack,
        error <= slack,
        "measured",
        "derived (proposal)",
        0.0,
        f"error after {steps} steps, in the direction predicted for it",
    )


def _no_optimum(problem: PositionRegression, run: MyopicRun, prediction: Prediction) -> Check:
    gradients = [problem.diagonal_gradient(theta) for theta in run.weights]
    shortest = min(float(gradient.norm()) for gradient in gradients)
    noise = max(float(problem.gradient_rounding(theta).norm()) for theta in run.weights)
    return Check.at_most(
        CONVERGENCE,
        shortest,
        prediction.smallest_gradient,
        slack=noise,
        evidence="certified",
        source="2404.00859 (secondary); constants derived",
        statement=f"what no myopic gradient is shorter than, against the shortest of {run.steps + 1}",
    )


def _rounding(problem: PositionRegression, prediction: Prediction) -> tuple[float, float]:
    """What rounding can add to a step at theta: at most base + slope |theta - theta~|."""
    eta = prediction.step_size
    assert prediction.optimum is not None
    at_optimum = float(problem.gradient_rounding(prediction.optimum).norm())
    # rounding of the gradient is a matrix of positive entries times |theta|, and a constant: |A v| <= |v| |A 1|
    growth = float(problem.gradient_rounding(torch.ones(problem.shape)).norm())
    size = float(prediction.optimum.norm())
    base = eta * at_optimum + 2 * UNIT * size
    return base, eta * growth + 2 * UNIT * (1 + eta * float(problem.curvature.norm()))


def _optimum_error(prediction: Prediction) -> float:
    """In the distance of the prediction."""
    assert prediction.optimum is not None
    bounds = prediction.problem.distance_bound(prediction.optimum)
    return float(bounds @ prediction.position_weights[: len(bounds)])


def _power(step: Tensor, count: int, rounded: float) -> tuple[Tensor, float, float]:
    """``B^n``; a bound on ``sum_{j<n} |B^j|``; how far the power can move if every factor does by ``rounded``."""
    size = len(step)
    power, sums, spread = torch.eye(size, dtype=torch.float64), 0.0, 0.0
    for bit in bin(count)[2:]:
        norm = float(power.norm())
        sums, spread, power = sums * (1 + norm), 2 * norm * spread + size * UNIT * norm**2, power @ power
        if bit == "1":
            norm = float(power.norm())
            sums, spread = sums + norm, float(step.norm()) * spread + norm * rounded
            power = power @ step
    return power, sums, spread
