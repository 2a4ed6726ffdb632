"""Whether a run is one of its method: its losses, its clock and its steps, as far as the records tell."""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq

from .. import loss
from ..checks import Check
from ..dataset import NTPDataset
from ..descent import Trajectory
from ..descent.gradients.direction import unit_gradient
from ..predict import Limit
from ..subspace import data_subspace
from .inequalities import rounding

__all__ = ["equation", "heavy_ball_memory"]

# Every step is the time it takes times the gradient before it; with inertia, the first one is.
GRADIENTS = {"gd", "line-search", "growing", "ngd"}
INERTIA = {"momentum", "nesterov"}
# All of these move by combinations of gradients.
SPANNED = GRADIENTS | INERTIA | {"split", "sgd", "sgd-pairs", "flow", "dual-momentum"}
# Of a logarithm of time, and of the other numbers of a record, on any machine.
CLOCK, RECORDED = 1e-8, 1e-6
# Steps of the integrator of a flow, at most.
FLOW_STEPS = 1e5
# Momentum is below this; lengths of steps are as they should be up to this, relative.
MOST, LENGTHS = 1.0 - 1e-6, 1e-3


def equation(run: Trajectory, limit: Limit) -> list[Check]:
    """Recorded losses are those of the decoders; times and steps are those of the method."""
    checks = [_losses(run)]
    if run.method in SPANNED:
        checks.append(_unseen(run, limit))
    if (expected := _clock(run)) is not None:
        late = run.log_elapsed > -math.inf
        checks.append(
            Check.close(
                "steepest/setting",
                0.0,
                float((run.log_elapsed - expected)[late].abs().max()) if bool(late.any()) else 0.0,
                relative=False,
                tolerance=CLOCK,
                evidence="certified",
                source="derived",
                statement=f"logarithm of the elapsed time against that of {run.method!r}, largest difference",
            )
        )
    if run.method in GRADIENTS | INERTIA:
        checks += _steps(run, limit)
    if run.method == "ngd":
        checks.append(_lengths(run))
    return checks


def heavy_ball_memory(run: Trajectory) -> float:
    """``1 / (1 - beta)`` of a heavy ball, from how long its last record says that the run took."""
    # the elapsed time is eta g (k - (g - 1)), up to beta^k, with g = 1/(1 - beta)
    k, time = float(run.times[-1]), math.exp(float(run.log_elapsed[-1])) / run.step_size
    return ((k + 1.0) - math.sqrt(max((k + 1.0) ** 2 - 4.0 * time, 0.0))) / 2.0


def _losses(run: Trajectory) -> Check:
    """The recorded gap against that of the recorded decoder, which rounding of logits may change."""
    parts = [loss.evaluate(w, run.data) for w in run.weights]
    found = torch.tensor([part.in_support + part.tail for part in parts], dtype=torch.float64)
    largest = max(float((run.data.embeddings @ w.T).abs().max()) for w in run.weights)
    u = 64 * torch.finfo(run.weights.dtype).eps * (1.0 + largest + float(run.data.log_conditionals.abs().max()))
    allowed = u * (found.clamp(min=0.0).sqrt() + found + u) + RECORDED * found
    excess = (run.gap - found).abs() - allowed
    worst = int(excess.argmax())
    return Check.at_most(
        "bias/split",
        bound=0.0,
        computed=float((run.gap - found)[worst].abs()),
        slack=float(allowed[worst]),
        evidence="certified",
        source="derived (D1)",
        statement="recorded CE(W_k) - H against that of the recorded decoder, largest over the records",
    )


def _unseen(run: Trajectory, limit: Limit) -> Check:
    """Gradients have columns that sum to 0 and rows in the span of the embeddings: the rest stays at the start.

    Up to rounding of the decoders, once a step, and of the gradients, whose summands may be much larger than they are.
    """
    moved = (run.weights - run.weights[0]).double()
    shift = moved.mean(1, keepdim=True)
    embeddings = run.data.embeddings.double()
    _, sizes, rows = torch.linalg.svd(embeddings / embeddings.norm(dim=1, keepdim=True).clamp(min=1e-300), False)
    # directions that embeddings hardly have are left to them
    rows = rows[sizes > 1e-12 * float(sizes.max())]
    beside = moved - shift - (moved - shift) @ rows.T @ rows
    found = (shift.expand_as(moved).square() + beside.square()).sum((1, 2)).sqrt()
    eps = torch.finfo(run.weights.dtype).eps
    allowed = eps * (8.0 * math.sqrt(moved[0].numel()) + _roundings(run)) * float(run.norm.max())
    allowed += 16.0 * eps * _summed(run, limit)
    return Check.at_most(
        "bias/erratum-E1",
        bound=0.0,
        computed=float(found.max()),
        slack=allowed,
        evidence="certified",
        source="derived",
        statement="what W_k - W_0 has in directions that the loss does not see, largest over the records",
    )


def _roundings(run: Trajectory) -> float:
    """How often rounding of a decoder enters the last one: once a step, and with inertia as long as it lasts."""
    if run.method == "flow":
        return FLOW_STEPS
    steps = float(run.times[-1])
    if run.method in ("nesterov", "dual-momentum"):
        return steps * (1.0 + steps)
    return steps * (heavy_ball_memory(run) if run.method == "momentum" and steps else 1.0)


def _summed(run: Trajectory, limit: Limit) -> float:
    """Size of all that was added up in gradients on the way: step times summands."""
    if run.method == "flow":
        return 0.0
    if _summands_stay(run.data, limit):
        return math.exp(min(float(run.log_elapsed[-1]), 700.0)) * _scale(run.data)
    return float(run.norm.max()) * _lever(run.data, limit, 0.0)


def _clock(run: Trajectory) -> torch.Tensor | None:
    k, start = run.times.double(), math.log(run.step_size)
    if run.method == "gd":
        return start + k.log()
    if run.method == "nesterov":
        return start + k.log() + (k + 3.0).log() - math.log(4.0)
    return _heavy_ball_clock(run) if run.method == "momentum" else None


def _heavy_ball_clock(run: Trajectory) -> torch.Tensor | None:
    """With the momentum that the first record after step 1 tells; infinite if none has that clock."""
    later = (run.times >= 2).nonzero()[:, 0]
    if not len(later):
        return None
    k, taken = int(run.times[later[0]]), float(run.log_elapsed[later[0]]) - math.log(run.step_size)

    def log_times(beta: float, k: int) -> torch.Tensor:
        """After 0, 1, ..., k steps, in steps: the i-th last gradient has entered with ``1 + beta + ... + beta^i``."""
        weights = (1.0 - beta ** torch.arange(k + 1, dtype=torch.float64)) / (1.0 - beta)
        return weights.cumsum(0).log()

    def excess(beta: float) -> float:
        return float(log_times(beta, k)[-1]) - taken

    if abs(excess(0.0)) < CLOCK:
        beta = 0.0
    elif excess(0.0) * excess(MOST) > 0.0:
        return torch.full_like(run.log_elapsed, math.inf)
    else:
        beta = float(brentq(excess, 0.0, MOST, xtol=1e-15))
    return math.log(run.step_size) + log_times(beta, int(run.times[-1]))[run.times]


def _lengths(run: Trajectory) -> Check:
    """Steps of ``eta (k + 1)^-decay``, whatever the decay: it is taken from the first of them."""
    k, decay, worst = int(run.times[-1]), None, 0.0
    for i in (run.times[1:] - run.times[:-1] == 1).nonzero()[:, 0].tolist():
        length, ago = float((run.weights[i + 1] - run.weights[i]).norm()), math.log(k / (int(run.times[i]) + 1))
        if not length and unit_gradient(run.weights[i], run.data)[1] == -math.inf:
            continue
        blur = (rounding(run.weights[i]) + rounding(run.weights[i + 1])) / run.step_size
        longer = math.log(max(length, 1e-300) / run.step_size)
        if decay is None and ago:
            decay = longer / ago
        worst = max(worst, abs(longer - (decay or 0.0) * ago) - blur * 4.0)
        if decay is not None and not -LENGTHS <= decay <= 1.0 + LENGTHS:
            worst = math.inf
    return Check.at_most(
        "steepest/setting",
        bound=0.0,
        computed=worst,
        slack=LENGTHS,
        evidence="certified",
        source="derived",
        statement="logarithm of the length of a step against eta (k + 1)^-decay, largest over successive records",
    )


def _steps(run: Trajectory, limit: Limit) -> list[Check]:
    """Pairs of successive records; rounding of logits moves gradients, and of the clock the length of a step."""
    successive = (run.times[1:] - run.times[:-1] == 1).nonzero()[:, 0].tolist()
    if run.method in INERTIA:
        successive = [i for i in successive if not int(run.times[i])]
    steps = [_step(run, limit, i) for i in successive]
    if not steps:
        return []
    worst, allowed = max(steps, key=lambda step: step[0] / step[1] if step[1] else math.inf)
    check = Check.at_most(
        "steepest/setting",
        bound=0.0,
        computed=worst,
        slack=allowed,
        evidence="certified",
        source="derived",
        statement=f"a step of {run.method!r} against its time times the gradient, worst of successive records",
    )
    return [check]


def _step(run: Trajectory, limit: Limit, i: int) -> tuple[float, float]:
    before, after = float(run.log_elapsed[i]), float(run.log_elapsed[i + 1])
    move = run.weights[i + 1] - run.weights[i]
    unit, log_norm = unit_gradient(run.weights[i], run.data)
    share = -math.expm1(before - after) if after > -math.inf else 0.0
    clock = torch.finfo(torch.float64).eps * (abs(after) + 8.0)
    if share <= 10.0 * clock:  # a step that the clock does not see
        length, lost = (0.0, 0.0) if log_norm == -math.inf else (float(move.norm()), 0.0)
    else:
        length = math.exp(min(after + math.log(share) + log_norm, 700.0))
        lost = length * clock / share
    eps, largest = torch.finfo(run.weights.dtype).eps, float((run.data.embeddings @ run.weights[i].T).abs().max())
    error = length * 16 * eps * (1.0 + largest) * _lever(run.data, limit, log_norm)
    return float((move + length * unit).norm()), lost + error + rounding(run.weights[i]) + rounding(run.weights[i + 1])


def _lever(data: NTPDataset, limit: Limit, log_norm: float) -> float:
    """Size of what sums up to a gradient, relative to it."""
    if _summands_stay(data, limit):
        return 1.0 + _scale(data) * math.exp(min(-log_norm, 700.0))
    return 1.0 + 2.0 * float(data.embeddings.norm(dim=1).max()) / limit.margin


def _summands_stay(data: NTPDataset, limit: Limit) -> bool:
    """Whether gradients get small because their summands cancel, and not because these get small themselves."""
    return bool(data_subspace(limit.reference).dim) or limit.direction is None


def _scale(data: NTPDataset) -> float:
    return float((data.weights * data.embeddings.norm(dim=1)).sum())
