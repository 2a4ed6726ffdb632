"""Regularisation paths: ridge and balls, where they end and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...checks import Check
from ...margin import solve_svm
from ...margin.norms import as_norm
from ...paths import Path, regularization_path
from ...subspace import data_subspace
from ..registry import at_most, claim, close, shared
from . import definitions as define
from .shared import lemma5, read, tiny

NORMS = ("max", "spectral", "nuclear")


@shared
def _ridge() -> Path:
    """The ridge path of TINY from where it can be checked term by term to far beyond the smallest loss of a double."""
    return regularization_path(tiny().data, ridge=[1e-1, 1e-2, 1e-3, 1e-200])


@shared
def _balls() -> Path:
    """Minimisers of TINY in Frobenius balls."""
    return regularization_path(tiny().data, radii=[10.0, 100.0, 1e3, 1e4])


@claim("bias/ridge-path", source="derived (D8)", evidence="certified", verdict="holds, repaired")
def ridge_path() -> Iterator[Check]:
    """With ridge lambda W is W_mm log(1/lambda) long, CE - H is lambda <W, W_mm>; if alpha > 0 W_B/B errs by O(1/B).

    alpha > 0 means positive multipliers of all active constraints; the error is then Theta(1/B) if also W* != 0.
    Instance TINY: stationarity by definition for lambda to 1e-3, within the distance that is certified for the
    minimiser; at 1e-200 the laws of `compare`; B times the error of the direction at B = 1e4, and log(CE - H)/B there
    within the bounds of the genie and of the margin.
    """
    limit, path, balls = tiny(), _ridge(), _balls()
    data = limit.data
    assert limit.direction is not None
    worst = 0.0
    for i in range(3):
        ridge, weights = math.exp(float(path.log_ridge[i])), path.weights[i]
        slope = define.gradient(weights, data) + ridge * weights
        identity = abs(float((slope * limit.direction).sum())) / limit.svm.norm
        # the gradient is Lipschitz with max ||h||^2 / 2 + ridge
        allowed = (float(data.embeddings.square().sum(1).max()) / 2 + ridge) * float(path.distance_bound[i])
        worst = max(worst, identity - allowed - 10 * define.rounding(data, weights))
    yield at_most(
        0.0,
        worst,
        evidence="certified",
        statement="|ridge <W, W_mm> - <-grad CE, W_mm>| / ||W_mm|| beyond the certified error, ridge to 1e-3",
    )
    yield from read(path, limit, "bias/ridge-path")

    radius, weights = float(balls.radii[-1]), balls.weights[-1]
    across = math.sqrt(2 * limit.angle_bound) * limit.svm.norm
    reach = radius / limit.svm.norm
    yield close(
        across,
        radius * float((weights / radius - limit.direction / limit.svm.norm).norm()),
        # the slowest mode has come R lambda / (1 + R lambda) of its way; the angle's own square
        tolerance=2 / (reach * float(limit.active.rates[0])) + (across / radius) ** 2,
        evidence="measured",
        statement=f"B ||W_B/B - W_mm/||W_mm|| || at B = {radius:g}",
    )
    # above: V e^{M ||W*|| - R} of the genie. below: some margin is at most gamma B up to the spread of P_F W
    inside = float((data.embeddings @ data_subspace(data).project(weights).T).abs().max())
    genie = (
        math.log(data.vocab_size) + define.logit_scale(data) * float(limit.finite.norm()) + float(limit.finite.norm())
    )
    below = 2 * inside + math.log(2 * data.vocab_size / float(data.weights.min()))
    yield close(
        -limit.margin,
        float(balls.log_excess[-1]) / radius,
        tolerance=max(genie, below) / (radius * limit.margin),
        evidence="measured",
        statement=f"log(CE(W_B) - H) / B at B = {radius:g}",
    )


@claim("bias/theorem-1", source="2402.18551 Thm 1", evidence="measured")
def theorem_1() -> Iterator[Check]:
    """On compatible and separable data the minimiser in the ball of radius B turns to W_mm, and P_F W_B tends to W*.

    Instances TINY and LEMMA5, B up to 10^4: the predicted point, and 1 - cos and ||P_F W_B - W*|| falling with
    every B, the former as 1/B^2.
    """
    for limit, path in ((tiny(), _balls()), (lemma5(), regularization_path(lemma5().data, radii=_balls().radii))):
        assert limit.direction is not None
        yield from read(path, limit, "bias/theorem-1")
        unit = limit.direction / limit.svm.norm
        apart = [float((w / w.norm() - unit).square().sum()) / 2 for w in path.weights]
        radii = path.radii.tolist()
        # an offset across W_mm that tends to a constant from below
        bound = limit.angle_bound * limit.loss_constant
        yield at_most(
            0.0,
            max(value * radius**2 / bound for value, radius in zip(apart[1:], radii[1:], strict=True)) - 1,
            slack=10 * math.sqrt(bound) / radii[1],
            evidence="measured",
            statement=f"B^2 (1 - cos(W_B, W_mm)) over its limit, minus 1, largest from B = {radii[1]:g}",
        )
        space = data_subspace(limit.data)
        finite = [float((space.project(w) - limit.finite).norm()) for w in path.weights]
        rounding = 1e-14 * radii[-1]
        yield at_most(
            0.0, finite[-1], slack=rounding, evidence="measured", statement=f"||P_F W_B - W*|| at B = {radii[-1]:g}"
        )


@claim("bias/norm-ball-path", source="derived (D9)", evidence="certified")
def norm_ball_path() -> Iterator[Check]:
    """In balls of any norm the margin of W_B / B tends to the best margin in that norm, at a rate of 1/B.

    Instance TINY, entrywise maximum, spectral and nuclear norm, B = 10 and 100 times the norm of the best direction:
    never above the best (certified), and at most as far below as the genie allows.
    """
    data = tiny().data
    for name in NORMS:
        unit = solve_svm(data, norm=name).norm
        path = regularization_path(data, radii=[10 * unit, 100 * unit], norm=name)
        yield from read(path, tiny(), "bias/norm-ball-path")
        space, norm = data_subspace(data), as_norm(name)
        short = []
        for weights, radius in zip(path.weights, path.radii.tolist(), strict=True):
            margin = define.smallest_margin(space.project_complement(weights), data)
            short.append(1 - margin / radius * unit)
            assert norm.value(weights) <= radius * (1 + 1e-9)
        yield at_most(
            short[0],
            short[-1],
            evidence="measured",
            statement=f"{name}: shortfall at 100 ||W_mm||, against 10 ||W_mm||",
        )
        differences = _log_odds_error(path.weights[-1])
        yield at_most(
            _log_odds_error(path.weights[0]),
            differences,
            slack=1e-6,  # of the conic solver
            evidence="measured",
            statement=f"{name}: largest error of in-support log-odds, against the smaller ball",
        )


def _log_odds_error(weights: torch.Tensor) -> float:
    """Largest |log of in-support odds - log-odds of the data| on TINY, nats."""
    data = tiny().data
    inside = torch.where(data.support, data.embeddings @ (weights - tiny().finite).T, torch.nan)
    spread = torch.where(data.support, inside, -torch.inf).amax(1) - torch.where(data.support, inside, torch.inf).amin(
        1
    )
    return float(spread.max())
