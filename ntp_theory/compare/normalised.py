"""Laws of methods that move by steps of a given length: normalised descent, and its split form."""

from __future__ import annotations

import math

from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .gradient import SETTLED, VAGUE, earlier, readable

__all__ = ["margin_gap", "normalised_laws", "split_laws"]

# Rounding of the decoder, relative to its size; P_F W - W* cannot be known better.
ROUNDING = 1e-14
# A start this close to W*, in steps, is at W*.
NOWHERE = 1e-6


def normalised_laws(run: Trajectory, limit: Limit) -> Comparison:
    """The plateau on F where a context has a choice of next tokens; the fast rate where none has."""
    subspace = data_subspace(limit.reference)
    if subspace.dim == 0:
        return _constant_length(run, limit, "classical/nacson", "1803.01905; constant derived")
    k, eta, start = int(run.times[-1]), run.step_size, run.weights[0]
    plateau = limit.plateau(eta)
    distance = float((subspace.project(start) - limit.finite).norm())
    if distance < NOWHERE * eta:
        return Comparison([], "plateau not read: the run starts at W*, which steps along the gradient need not leave")
    # F is reached in distance/eta steps; off it t = 2k/lambda_max must be far beyond the burn-in of gradient descent
    needed = max(10 * distance / eta, SETTLED * limit.burn_in / plateau.step_in_time)
    if k < needed:
        return Comparison(
            [], f"plateau not read: run at least {math.ceil(needed)} steps (this run has {k} with steps of {eta:.3g})"
        )
    parts = loss.evaluate(run.weights[-1], limit.reference)
    size = float(loss.gradient(run.weights[-1], limit.data).norm())
    radius = float((subspace.project(run.weights[-1]) - limit.finite).norm())
    # corrections: the curvature changes over a step, and the gradient has a part off F of ||W_mm|| lambda_max/(2k)
    bend = (eta * float(limit.data.embeddings.norm(dim=1).max())) ** 2
    off = (limit.svm.norm / (eta * k)) ** 2
    t = float(run.log_elapsed[-1])
    spread = limit.active.spread(start, math.exp(t) / k, k) if limit.direction is not None else 0.0
    # what is left of the drift pulls with multipliers that are still on their way
    drifting = (1.0 - (eta / 2 / plateau.radius(k)) ** 2) * math.sqrt(spread)
    checks = [
        _plateau("||grad CE||", plateau.gradient_norm, size, bend + off, k),
        _plateau("CE_F - inf CE, nats", plateau.excess(k), parts.in_support, 2 * (bend + plateau.parity) + off, k),
        _plateau("||P_F W_k - W*||", plateau.radius(k), radius, bend + off + drifting + plateau.parity, k),
    ]
    if limit.direction is not None and (half := earlier(run, 2.0)) is not None:
        span = math.exp(float(run.log_elapsed[-1])) - math.exp(float(run.log_elapsed[half]))
        step = span / (k - int(run.times[half]))
        checks.append(_plateau("mean eta / ||grad CE||", plateau.step_in_time, step, bend + off, k))
        # off F it is gradient descent in the time that has passed
        late = limit.burn_in * math.exp(-t) * math.log(k)
        scaled = math.exp(t + parts.log_tail)
        checks.append(_plateau("time times tail", limit.loss_constant, scaled, spread + 2 * late + bend, k))
    return readable(checks)


def split_laws(run: Trajectory, limit: Limit) -> Comparison:
    """P_F W_k is at W*, and the margin has caught up as 1/k."""
    found = _constant_length(run, limit, "bias/split-normalised", "derived (D7); constant derived")
    subspace = data_subspace(limit.reference)
    if subspace.dim == 0 or found.note:
        return found
    after, half = run.weights[-1], (run.times <= int(run.times[-1]) / 2).nonzero()[-1, 0]
    now, before = (float((subspace.project(w) - limit.finite).norm()) for w in (after, run.weights[half]))
    slack = _left_on_f(run, limit) + ROUNDING * float(after.norm()) * math.sqrt(after.numel())
    if slack < now < 0.5 * before:
        return Comparison(
            found.checks, f"distance on F not read: it still falls, from {before:.3g} to {now:.3g} lately"
        )
    return Comparison(
        [
            *found.checks,
            Check.at_most(
                "bias/split-normalised",
                bound=0.0,
                computed=now,
                slack=slack,
                evidence="measured",
                source="derived (D7)",
                statement=f"||P_F W_k - W*|| at k = {int(run.times[-1])}",
            ),
        ],
        found.note,
    )


def _constant_length(run: Trajectory, limit: Limit, label: str, source: str) -> Comparison:
    """``eta k gap -> Limit.margin_gap_constant`` for steps of length eta off F."""
    if limit.direction is None:
        return Comparison([], "nothing diverges: a method with steps of constant length does not settle off F")
    k, eta = int(run.times[-1]), run.step_size
    # the norm is eta k less what the turning and the start cost: the offset, over the distance gone
    across = limit.svm.norm * (math.sqrt(2 * limit.angle_bound) + abs(limit.mean_offset))
    correction = (across + float(run.weights[0].norm())) / (eta * k)
    # log t of gradient descent at the same distance along W_mm; slow modes have decayed as far as they would have there
    log_time = eta * k / limit.svm.norm - limit.mean_offset
    lag = limit.active.lag(run.weights[0], log_time) * limit.svm.norm
    # the constraints may be in step already: then the constant is 0, and what is read is rounding
    tolerance = 2 * correction * max(lag, limit.margin_gap_constant) + abs(lag - limit.margin_gap_constant)
    if tolerance >= VAGUE * limit.margin_gap_constant > NOWHERE:
        return Comparison([], f"not read, for the predicted corrections are still too large: {label}")
    law = Check.close(
        label,
        lag,
        eta * k * margin_gap(run.weights[-1], limit),
        relative=False,
        tolerance=tolerance + eta * k * ROUNDING * 10,
        evidence="measured",
        source=source,
        statement=f"eta k (1 - relative margin of P_perp W_k) at k = {k}",
    )
    return Comparison([law])


def margin_gap(weights: Tensor, limit: Limit) -> float:
    """``1 - margin(P_perp W) / (gamma ||P_perp W||)``."""
    reference = limit.reference
    part = data_subspace(reference).project_complement(weights)
    margin = float(reference.pattern.margins(reference.embeddings @ part.T).min())
    return 1.0 - margin / (limit.margin * float(part.norm()))


def _left_on_f(run: Trajectory, limit: Limit) -> float:
    """The tail still pulls on F: its share of the gradient over the curvature, ``||v|| times tail / ||W_mm||^2``."""
    tail = math.exp(loss.evaluate(run.weights[-1], limit.reference).log_tail)
    return 2 * float(limit.finite_constant.norm()) * tail / limit.loss_constant


def _plateau(what: str, predicted: float, computed: float, tolerance: float, steps: int) -> Check:
    return Check.close(
        "bias/ngd-plateau",
        predicted,
        computed,
        tolerance=tolerance,
        evidence="measured",
        source="derived (D6)",
        statement=f"{what} at k = {steps}",
    )
