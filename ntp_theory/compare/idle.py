"""What inactive constraints still do: their share of the off-support mass fades with their slack."""

from __future__ import annotations

from ..predict import Limit

__all__ = ["idle_mass"]


def idle_mass(limit: Limit, log_time: float) -> float:
    """Off-support mass of the inactive constraints at ``log_time`` W_mm + offset, relative to that of the active."""
    data, pattern = limit.svm.data, limit.svm.data.pattern
    logits = data.embeddings @ limit.svm.direction.T
    slack = pattern.min(pattern.inside(logits))[:, None] - logits - 1.0
    start = data.embeddings @ limit.offset.double().T
    mass = (start - pattern.logsumexp(pattern.inside(start))[:, None]).exp() * data.weights[:, None]
    inactive = ~data.support & (limit.duals == 0)
    fading = (
        mass[inactive] * (-log_time * slack[inactive].clamp(min=0.0)).exp() * (1.0 + slack[inactive].clamp(min=0.0))
    )
    return float(fading.sum()) / limit.loss_constant
