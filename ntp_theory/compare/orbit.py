"""Laws of the plateau on F: the orbit of period two in which steps of one length end (`ntp_theory.plateau`).

A decoder and the step from it that is made here tell the share, which the start decides. What the orbit does not leave
open is the sum of the gradients at its two ends. It is read where the run has recorded both: the last record, and the
latest before it an odd number of steps away. Between the two the share moves:

- two steps move it by ``epsilon (1/a^2 - 1/(1-a)^2)``, epsilon of the gradient beside the jump, ``||W_mm|| / t`` off F
  and that of other modes on F;
- the middle of the jump follows ``v/t``, while the ends stay where they are.

Modes of rate ``r lambda_max`` keep of their start ``m = 1 - r (1 - r) / (a (1 - a))`` in two steps. What is left of one
after the second half of the run, x eta, is allowed for in every law: with u = r x / a its part of the gradient, and
``phi = (1 - r) u / (1 - a)`` the turn from one step to the next, the sum of two gradients is shorter by ``(1 - r) u^2 +
phi^2 / 2``. At r = 1 it is no other mode but a part of the jump.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory
from ..plateau import Plateau
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .curvature import finite_modes
from .gradient import TWICE, earlier, readable
from .transient import Transient

__all__ = ["NOWHERE", "plateau_laws"]

# A part this small, in steps, is none.
NOWHERE = 1e-6
# A jump is as long as a step up to this, relative.
FULL = 1e-2


def plateau_laws(run: Trajectory, limit: Limit, plateau: Plateau) -> Comparison:
    """Two successive records; otherwise the last one and the step from it, and a record of the other end."""
    k, eta, subspace = int(run.times[-1]), plateau.step_size, data_subspace(limit.svm.data)
    other = _other_end(run)
    pair = _Pair.of(run.weights[-1], limit, eta)
    if other is not None and int(run.times[other]) == k - 1:
        pair = _Pair(run.weights[-1], run.weights[other], (pair.sizes[0], _size(run.weights[other], limit)))
    share = pair.share
    near = min(share, 1.0 - share)
    if other is not None and _elsewhere(run, limit, other):
        return Comparison([], "plateau not read: the jump is not along the steepest direction on F, which is unstable")
    rest = _Rest.of(run, limit, plateau, share)
    # corrections: the curvature changes over a step, and the gradient has a part off F of ||W_mm|| lambda_max/(2k)
    bend = (eta * float(limit.data.embeddings.norm(dim=1).max())) ** 2
    # where the ends are not as far from W*, the bend of the gradient does not cancel in the mean
    uneven = 2.0 * plateau.parity * abs(2.0 * share - 1.0)
    off = (limit.svm.norm / (eta * k)) ** 2 / (4.0 * near**2) if limit.direction is not None else 0.0
    t = float(run.log_elapsed[-1])
    moment = Transient(limit, run.weights[0]).at([t])[0] if limit.direction is not None else None
    # what is left of the drift pulls with multipliers that are still on their way
    radius = plateau.radius(k, share)
    drifting = (1.0 - (plateau.radius(math.inf, share) / radius) ** 2) * (moment.finite if moment else 0.0)
    drifting *= TWICE
    parts = [loss.evaluate(w.double(), limit.svm.data) for w in (pair.first, pair.second)]
    radii = [float((subspace.project(w.double()) - limit.finite.double()).norm()) for w in (pair.first, pair.second)]
    excess = sum(part.in_support for part in parts) / 2
    checks = [
        _law(
            "CE_F - inf CE, nats",
            plateau.excess(k, share),
            excess,
            2 * (bend + plateau.parity + off + drifting) + rest.loss,
            k,
        ),
        _law("||P_F W_k - W*||", radius, sum(radii) / 2, bend + off + drifting + plateau.parity + rest.radius, k),
    ]
    if other is not None:
        size = (_size(run.weights[-1], limit) + _size(run.weights[other], limit)) / 2
        moved = _moved(run, limit, plateau, other, near, rest)
        tolerance = bend + off + uneven + moved + rest.gradient
        checks.insert(0, _law("||grad CE||", plateau.gradient_norm, size, tolerance, k))
    if moment is not None and (half := earlier(run, 2.0)) is not None:
        span = math.exp(t) - math.exp(float(run.log_elapsed[half]))
        step = span / (k - int(run.times[half]))
        before = _Pair.of(run.weights[half], limit, eta).share
        change = abs(before * (1.0 - before) / (share * (1.0 - share)) - 1.0)
        checks.append(
            _law(
                "mean eta / ||grad CE||", plateau.time_of(share), step, bend + 2 * off + change + uneven + rest.time, k
            )
        )
        # off F it is gradient descent in the time that has passed, whose steps are eta / ||grad CE||
        late = plateau.step_in_time * math.log(k) * math.exp(-t)
        late += Transient(limit, run.weights[0]).unmodelled(t)
        # of two steps, weighted with the time that each of them takes
        first, second = (1.0 / size for size in pair.sizes)
        tail = (first * math.exp(t + parts[0].log_tail) + second * math.exp(t + parts[1].log_tail)) / (first + second)
        checks.append(_law("time times tail", limit.loss_constant, tail, TWICE * (abs(moment.loss) + late) + bend, k))
    found = readable(checks)
    unread = (
        []
        if other is not None
        else ["||grad CE|| not read: only the mean of two successive steps is known; record the last two"]
    )
    note = "; ".join(unread + [found.note] * bool(found.note))
    return Comparison(found.checks, note, {"share of the jump on one side of W*": share})


def _other_end(run: Trajectory) -> int | None:
    """The latest record in the second half of the run an odd number of steps before the last."""
    steps = run.times[-1] - run.times
    found = ((steps % 2 == 1) & (2 * run.times >= run.times[-1])).nonzero()[:, 0]
    return int(found[-1]) if len(found) else None


def _elsewhere(run: Trajectory, limit: Limit, other: int) -> bool:
    """Whether the jump is one of its length in a direction without any part along the steepest ones.

    A start without such a part, or one whose rounding is symmetric, has no other way.
    """
    jump = data_subspace(limit.reference).project(run.weights[-1] - run.weights[other])
    full = abs(float(jump.norm()) / run.step_size - 1.0) < FULL
    return full and finite_modes(limit).steepest_part(jump) < NOWHERE * run.step_size


@dataclass(frozen=True)
class _Rest:
    """What modes beside the jump may still add to the laws, relative; and the square of their gradient, of the jump's.

    Gradient, time and square are those in the middle of the run, from which on records are read.
    """

    gradient: float
    time: float
    square: float
    radius: float
    loss: float

    @classmethod
    def of(cls, run: Trajectory, limit: Limit, plateau: Plateau, share: float) -> _Rest:
        """Of modes as far off as the start, and a step, at a quarter of the run: until then it may be on its way."""
        k, r = int(run.times[-1]), finite_modes(limit).below
        both, near = share * (1.0 - share), min(share, 1.0 - share)
        # the share is on its way to a half
        kept = np.log(np.maximum(np.abs([1.0 - r * (1.0 - r) / both, 1.0 - 4.0 * r * (1.0 - r)]).max(0), 1e-300))
        start = data_subspace(limit.svm.data).project(run.weights[0].double()) - limit.finite.double()
        off = float(start.norm()) / plateau.step_size + 1.0
        half, end = (off * np.exp(np.minimum(pairs * kept, 100.0)) for pairs in (k / 8, 3 * k / 8))
        middle = plateau.radius(k, share) / plateau.step_size
        turned = float((3.0 * r**2 * (1.0 - r) * half**2).sum()) / near**2
        beside = float(((1.0 - r) * (end**2 + 2.0 * middle * end)).sum())
        return cls(turned, 2.0 * turned, float(((r * half) ** 2).sum()), beside / (2.0 * both), 4.0 * beside)


def _moved(run: Trajectory, limit: Limit, plateau: Plateau, since: int, near: float, rest: _Rest) -> float:
    """What the share may have moved by from a record to the last one, at the pace of the earlier of them."""
    eta, steps = plateau.step_size, int(run.times[-1] - run.times[since])
    square, drift = rest.square, 0.0
    if limit.direction is not None:
        before, now = math.exp(float(run.log_elapsed[since])), math.exp(float(run.log_elapsed[-1]))
        square += (limit.svm.norm / (before * eta * plateau.curvature)) ** 2
        drift = float(plateau.drift.norm()) * (1.0 / before - 1.0 / now) / eta
    pace = square / 2.0 * (1.0 / near**2 - 1.0 / (1.0 - near) ** 2) / 2.0
    return TWICE * (steps * pace + drift)


@dataclass(frozen=True)
class _Pair:
    """Two successive decoders (V, d) and the sizes of their gradients."""

    first: Tensor
    second: Tensor
    sizes: tuple[float, float]

    @classmethod
    def of(cls, weights: Tensor, limit: Limit, eta: float) -> _Pair:
        """A decoder and where a step of length eta takes it."""
        gradient = loss.gradient(weights, limit.data)
        size = float(gradient.norm())
        after = weights - eta / size * gradient if size > 0.0 else weights
        return cls(weights, after, (size, _size(after, limit)))

    @property
    def share(self) -> float:
        """The part of the jump on the first one's side of W*; gradients are as long as their ends are far."""
        total = sum(self.sizes)
        return min(max(self.sizes[0] / total, NOWHERE), 1.0 - NOWHERE) if total > 0.0 else 0.5


def _size(weights: Tensor, limit: Limit) -> float:
    return float(loss.gradient(weights, limit.data).norm())


def _law(what: str, predicted: float, computed: float, tolerance: float, steps: int) -> Check:
    return Check.close(
        "bias/ngd-plateau",
        predicted,
        computed,
        tolerance=tolerance,
        evidence="measured",
        source="derived (D6)",
        statement=f"{what}, of two successive steps, at k = {steps}",
    )
