"""Laws of methods that move by steps of a given length: normalised descent, and its split form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .curvature import finite_modes
from .gradient import SETTLED, TWICE, VAGUE, following
from .orbit import NOWHERE, plateau_laws
from .transient import Transient

__all__ = ["margin_gap", "normalised_laws", "split_laws"]

# Rounding of the decoder, relative to its size; P_F W - W* cannot be known better.
ROUNDING = 1e-14
# Powers of k down to this by which steps get shorter are none.
CONSTANT = 1e-2
# A distance that falls by less than this share over half a run does not fall.
FALLING = 1e-3
# Points of the path of gradient flow whose lengths are summed up.
POINTS = 100
# What the most unstable mode may still keep of its start.
FORGOTTEN = 1e-9


def normalised_laws(run: Trajectory, limit: Limit) -> Comparison:
    """The plateau on F where a context has a choice of next tokens; the fast rate where none has."""
    if limit.case == "partially-separable":
        return Comparison([], "no law read: none is known for normalised steps on data that is partially separable")
    lengths = _lengths(run)
    if lengths is None:
        return Comparison([], "no law read: no two records of successive steps tell how long the first steps were")
    subspace = data_subspace(limit.reference)
    if subspace.dim == 0:
        return following(
            lambda run, limit: _constant_length(
                run, limit, lengths, "classical/nacson", "1803.01905; constant derived"
            ),
            run,
            limit,
        )
    if lengths.largest > run.step_size:
        return Comparison([], "plateau not read: its law is for steps of one length, and these get shorter")
    return following(_plateau, run, limit)


def _plateau(run: Trajectory, limit: Limit) -> Comparison:
    k, eta, plateau = int(run.times[-1]), run.step_size, limit.plateau(run.step_size)
    start = data_subspace(limit.reference).project(run.weights[0]) - limit.finite
    if finite_modes(limit).steepest_part(start) < NOWHERE * eta:
        return Comparison(
            [],
            "plateau not read: in the steepest direction on F the run starts at W*, which it need not leave",
        )
    # F is reached in distance/eta steps; off it t = 2k/lambda_max must be far beyond the burn-in of gradient descent
    burn_in = limit.burn_in if limit.direction is not None else 0.0
    needed = max(10 * float(start.norm()) / eta, SETTLED * burn_in / plateau.step_in_time)
    if k < needed:
        return Comparison(
            [], f"plateau not read: run at least {math.ceil(needed)} steps (this run has {k} with steps of {eta:.3g})"
        )
    return plateau_laws(run, limit, plateau)


def split_laws(run: Trajectory, limit: Limit) -> Comparison:
    """P_F W_k is at W*, and the margin has caught up as 1/k."""
    if limit.case == "partially-separable":
        return Comparison([], "no law read: on data that is partially separable steps off F do not get shorter")
    if limit.direction is None:
        return Comparison([], "nothing diverges: a method with steps of constant length does not settle off F")
    if not int(run.times[-1]):
        return Comparison([], "no law read: the run has made no step")
    label, source = "bias/split-normalised", "derived (D7); constant derived"
    lengths = _Lengths(run.step_size * int(run.times[-1]), run.step_size)
    subspace = data_subspace(limit.reference)
    # time off F runs ahead of that on F: what logits had left to move there in the second half, as the run shows it
    late = run.weights[2 * run.times >= run.times[-1]]
    away = max(float((limit.data.embeddings @ (subspace.project(w) - limit.finite).T).abs().max()) for w in late)
    found = following(lambda run, limit: _constant_length(run, limit, lengths, label, source, 2 * away), run, limit)
    if subspace.dim == 0 or found.note:
        return found
    earlier_half = (run.times <= int(run.times[-1]) / 2).nonzero()[:, 0]
    if not len(earlier_half):
        return Comparison(found.checks, "distance on F not read: no record in the first half of the run")
    after = run.weights[-1]
    now, before = (float((subspace.project(w) - limit.finite).norm()) for w in (after, run.weights[earlier_half[-1]]))
    unit = max(ROUNDING, 45 * torch.finfo(after.dtype).eps)
    slack = _left_on_f(run, limit) + unit * float(after.norm()) * math.sqrt(after.numel())
    # at rest it is the same up to rounding of either
    if slack < now < (1.0 - FALLING) * before:
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


@dataclass(frozen=True)
class _Lengths:
    """Sum of the lengths of all steps, and the longest of them."""

    total: float
    largest: float


def _lengths(run: Trajectory) -> _Lengths | None:
    """From two successive records, and the law ``eta (k + 1)^-decay`` with the last length known."""
    k = int(run.times[-1])
    successive = (run.times[1:] - run.times[:-1] == 1).nonzero()[:, 0]
    if not k or not len(successive):
        return None
    i = int(successive[0])
    number = int(run.times[i]) + 1
    first = float((run.weights[i + 1] - run.weights[i]).norm())
    # (k + 1)^-decay between the two; from records late in the run it cannot be told
    if number > k / 2:
        return None
    decay = math.log(max(first, 0.1 * run.step_size) / run.step_size) / math.log(k / number)
    if decay < CONSTANT:
        return _Lengths(run.step_size * k, run.step_size)
    lengths = first * (np.arange(1, k + 1) / number) ** -decay
    return _Lengths(float(lengths.sum()), float(lengths[0]))


def _constant_length(
    run: Trajectory, limit: Limit, lengths: _Lengths, label: str, source: str, moving: float = 0.0
) -> Comparison:
    """``eta k gap -> Limit.margin_gap_constant`` for steps of length eta off F, eta k being the distance gone.

    Differences of logits have moved by ``moving`` nats on F meanwhile, and with them the offsets of the constraints.
    """
    if limit.direction is None:
        return Comparison([], "nothing diverges: a method with steps of constant length does not settle off F")
    k, gone = int(run.times[-1]), lengths.total
    # a step multiplies the mode of rate lambda by 1 - eta gamma lambda
    swing = lengths.largest * limit.margin * float(limit.active.rates[-1])
    if swing >= 2.0 or (swing > 1.0 and (swing - 1.0) ** k > FORGOTTEN):
        return Comparison(
            [], f"not read: a step overshoots, eta gamma times the largest rate is {swing:.3g}, not below 2: {label}"
        )
    if gone < limit.svm.norm:
        return Comparison([], f"not read, for the run is shorter than W_mm is long: {label}")
    # log t of gradient descent at the same distance along W_mm; slow modes have decayed as far as they would have there
    log_time = gone / limit.svm.norm - limit.mean_offset
    lag = limit.active.lag(run.weights[0].double(), log_time) * limit.svm.norm
    expected = _on_the_path(Transient(limit, run.weights[0]), limit, gone)
    # that the path of the flow is short of its limit; and steps that are not infinitely short
    tolerance = TWICE * abs(expected - lag) + lag * (1.0 + swing) * math.log(k + 1.0) / k
    tolerance += abs(lag - limit.margin_gap_constant) + moving * limit.svm.norm
    # the constraints may be in step already: then the constant is 0, and what is read is rounding
    if not tolerance < VAGUE * max(limit.margin_gap_constant, NOWHERE):
        return Comparison([], f"not read, for the predicted corrections are still too large: {label}")
    unit = max(ROUNDING, 45 * torch.finfo(run.weights.dtype).eps)
    law = Check.close(
        label,
        lag,
        gone * margin_gap(run.weights[-1], limit),
        relative=False,
        tolerance=tolerance + gone * unit * 10,
        evidence="measured",
        source=source,
        statement=f"eta k (1 - relative margin of P_perp W_k) at k = {k}",
    )
    return Comparison([law])


def _on_the_path(transient: Transient, limit: Limit, length: float) -> float:
    """The predicted length times margin gap where the path of gradient flow is that long."""
    last = 1.5 * length / limit.svm.norm + abs(limit.mean_offset) + max(0.0, transient.onset)
    early, half = transient.onset + 20.0, POINTS // 2
    times = [*np.linspace(transient.onset, early, half), *np.linspace(early, early + last, half)[1:]]
    moments = transient.at([float(s) for s in times])
    gone, before, lengths, gaps = 0.0, transient.start, [], []
    for moment in moments:
        gone += float((moment.decoder - before).norm())
        before = moment.decoder
        lengths.append(gone)
        gaps.append(gone * margin_gap(moment.decoder, limit))
    return float(np.interp(length, lengths, gaps))


def margin_gap(weights: Tensor, limit: Limit) -> float:
    """``1 - margin(P_perp W) / (gamma ||P_perp W||)``."""
    reference = limit.svm.data
    part = data_subspace(reference).project_complement(weights.double())
    margin = float(reference.pattern.margins(reference.embeddings @ part.T).min())
    size = float(part.norm())
    return 1.0 - margin / (limit.margin * size) if size > 0.0 else 1.0


def _left_on_f(run: Trajectory, limit: Limit) -> float:
    """The tail still pulls on F: its share of the gradient over the curvature, ``||v|| times tail / ||W_mm||^2``."""
    tail = math.exp(loss.evaluate(run.weights[-1], limit.reference).log_tail)
    return 2 * float(limit.finite_constant.norm()) * tail / limit.loss_constant
