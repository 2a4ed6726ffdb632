"""Laws of the plateau on F: the orbit of period two in which steps of one length end (`ntp_theory.plateau`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory
from ..plateau import Plateau
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .gradient import TWICE, earlier, readable
from .transient import Transient

__all__ = ["plateau_laws"]


def plateau_laws(run: Trajectory, limit: Limit, plateau: Plateau) -> Comparison:
    """Two successive records; or, where a tail has made both ends of the jump as far from W*, the last one alone."""
    k, eta, subspace = int(run.times[-1]), plateau.step_size, data_subspace(limit.svm.data)
    recorded = len(run.times) > 1 and int(run.times[-1] - run.times[-2]) == 1
    if not recorded and limit.direction is None:
        return Comparison([], "plateau not read: only the mean of two successive steps is known; record the last two")
    pair = _Pair.of(run.weights[-1], limit, eta)
    if recorded:
        sizes = [float(loss.gradient(w, limit.data).norm()) for w in run.weights[-2:]]
        pair = _Pair(run.weights[-1], run.weights[-2], (sizes[1], sizes[0]))
    # a step made here would be as long as it is said to be: of one record the gradient itself is read
    size = sum(pair.sizes) / 2 if recorded else pair.sizes[0]
    share = pair.share
    near = min(share, 1.0 - share)
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
        _law("||grad CE||", plateau.gradient_norm, size, bend + off + uneven, k),
        _law(
            "CE_F - inf CE, nats",
            plateau.excess(k, share),
            excess,
            2 * (bend + plateau.parity + off + drifting),
            k,
        ),
        _law("||P_F W_k - W*||", radius, sum(radii) / 2, bend + off + drifting + plateau.parity, k),
    ]
    if moment is not None and (half := earlier(run, 2.0)) is not None:
        span = math.exp(t) - math.exp(float(run.log_elapsed[half]))
        step = span / (k - int(run.times[half]))
        before = _Pair.of(run.weights[half], limit, eta).share
        change = abs(before * (1.0 - before) / (share * (1.0 - share)) - 1.0)
        checks.append(_law("mean eta / ||grad CE||", plateau.time_of(share), step, bend + 2 * off + change + uneven, k))
        # off F it is gradient descent in the time that has passed, whose steps are eta / ||grad CE||
        late = plateau.step_in_time * math.log(k) * math.exp(-t)
        late += Transient(limit, run.weights[0]).unmodelled(t)
        # of two steps, weighted with the time that each of them takes
        first, second = (1.0 / size for size in pair.sizes)
        tail = (first * math.exp(t + parts[0].log_tail) + second * math.exp(t + parts[1].log_tail)) / (first + second)
        checks.append(_law("time times tail", limit.loss_constant, tail, TWICE * (abs(moment.loss) + late) + bend, k))
    found = readable(checks)
    return Comparison(found.checks, found.note, {"share of the jump on one side of W*": share})


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
        return cls(weights, after, (size, float(loss.gradient(after, limit.data).norm())))

    @property
    def share(self) -> float:
        """The part of the jump on the first one's side of W*; gradients are as long as their ends are far."""
        total = sum(self.sizes)
        return self.sizes[0] / total if total > 0.0 else 0.5


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
