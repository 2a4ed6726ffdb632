"""Laws of gradient flow in log time, where they are sharp: corrections fade like powers of t, and t reaches e^10000."""

from __future__ import annotations

import math

import torch

from ..checks import Check
from ..descent import Trajectory
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .gradient import SETTLED, gradient_laws, readable
from .idle import idle_mass
from .inequalities import cosine, rounding

__all__ = ["flow_laws"]

# What the integrator and rounding leave, relative.
ACCURACY = 1e-9


def flow_laws(run: Trajectory, limit: Limit) -> Comparison:
    """dW/dlog t is W_mm, multipliers are met, the angle closes as 1/log^2 t, and P_F W is at W*."""
    if limit.direction is None or run.log_derivative is None:
        return gradient_laws(run, limit)
    s, after, slope = float(run.log_times[-1]), run.weights[-1], run.log_derivative[-1]
    if s < math.log(SETTLED * limit.burn_in):
        return Comparison([], f"laws not read: they set in at log t = {math.log(SETTLED * limit.burn_in):.3g}")
    # the slowest mode starts at the onset, with the spread of the offsets, and fades like t^-lambda
    slowest = max(float(limit.active.rates[0]), 0.0)
    onset = math.log(limit.burn_in) + limit.active.lag()  # of the last constraint
    memory = math.exp(-slowest * (s - onset)) * (1.0 + limit.active.lag())
    blur = rounding(after) / max(1.0, limit.svm.norm)
    memory += 2 * idle_mass(limit, s)
    tolerance = ACCURACY + memory + blur
    logits = limit.svm.data.embeddings @ after.double().T
    active = limit.duals > 0
    alive = logits - torch.logsumexp(logits, 1, keepdim=True) + limit.svm.data.weights.log()[:, None] + s
    worst = float((alive[active].exp() / limit.duals[active].double() - 1.0).abs().max())
    shifted = s + limit.mean_offset  # <W, W_mm> / ||W_mm||^2: squared with it, the next order drops out
    squared = shifted**2 * _one_minus_cosine(after, limit.direction)
    checks = [
        Check.close(
            "bias/log-time-flow",
            0.0,
            float((slope - limit.direction).norm()) / limit.svm.norm,
            relative=False,
            tolerance=tolerance,
            evidence="measured",
            source="derived",
            statement=f"||dW/dlog t - W_mm|| / ||W_mm|| at log t = {s:.6g}",
        ),
        Check.close(
            "bias/sharp-gd-duals",
            0.0,
            worst,
            relative=False,
            tolerance=tolerance,
            evidence="measured",
            source="derived (D4)",
            statement=f"t pi_j softmax_v over the multiplier, minus 1, largest, at log t = {s:.6g}",
        ),
        Check.at_most(
            "bias/sharp-gd-direction",
            bound=squared,
            computed=limit.angle_bound,
            slack=2 * limit.angle_bound * (memory + limit.angle_bound / shifted**2 + blur) + ACCURACY * s,
            evidence="measured",
            source="derived (D4.4)",
            statement=f"least limit of log^2(t) (1 - cos(W, W_mm)), against its value at log t = {s:.6g}",
        ),
    ]
    before = (run.log_times <= s / 10).nonzero()[:, 0]
    if len(before) and float(run.log_times[before[-1]]) > onset:
        early = float(run.log_times[before[-1]])
        behind = (early + limit.mean_offset) ** 2 * _one_minus_cosine(run.weights[before[-1]], limit.direction)
        left = math.exp(-slowest * (early - onset)) * (1.0 + limit.active.lag())
        left += 2 * idle_mass(limit, early)
        checks.append(
            Check.close(
                "bias/sharp-gd-direction",
                behind,
                squared,
                relative=False,
                tolerance=squared * (2 * left + 4 * squared / (early + limit.mean_offset) ** 2 + blur) + ACCURACY * s,
                evidence="measured",
                source="derived (D4.4)",
                statement=f"log^2(t) (1 - cos(W, W_mm)) at log t = {s:.6g} against {early:.6g}: a constant",
            )
        )
    subspace = data_subspace(limit.reference)
    if subspace.dim:
        drift = float(limit.finite_constant.norm()) * math.exp(-s)
        checks.append(
            Check.at_most(
                "bias/sharp-gd-finite",
                bound=2 * drift * (1.0 + memory),
                computed=float((subspace.project(after) - limit.finite).norm()),
                slack=ACCURACY * max(1.0, float(limit.finite.norm())) + rounding(after),
                evidence="measured",
                source="derived (D4.3)",
                statement=f"||P_F W - W*|| at log t = {s:.6g}",
            )
        )
    return readable(checks)


def _one_minus_cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    """Half the squared distance of the unit vectors, without cancellation."""
    return float((a / a.norm() - b / b.norm()).square().sum()) / 2 if cosine(a, b) > 0 else 1.0 - cosine(a, b)
