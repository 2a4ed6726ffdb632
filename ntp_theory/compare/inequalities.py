"""What must hold at every record of a run, whatever the method."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory, smoothness_bound
from ..paths import Path
from ..predict import Limit
from ..subspace import data_subspace

__all__ = ["cosine", "inequalities", "rounding"]


def inequalities(run: Trajectory | Path, limit: Limit) -> list[Check]:
    """The infimum is not undercut, small gradient steps descend, margins bound the angle to W_mm."""
    excess = min(loss.evaluate(w, limit.reference).gap for w in run.weights)
    checks = [
        Check.at_most(
            "bias/entropy-floor",
            bound=0.0,
            computed=-excess,
            evidence="certified",
            source="2402.18551 Sec. 2; derived (D3)",
            statement="inf CE - CE(W_k), largest over the records",
        )
    ]
    if isinstance(run, Trajectory) and run.method == "gd" and run.step_size <= 1.0 / smoothness_bound(run.data):
        gaps = torch.as_tensor(run.gap, dtype=torch.float64)
        rises = float((gaps[1:] - gaps[:-1]).max()) if len(gaps) > 1 else 0.0
        checks.append(
            Check.at_most(
                "bias/lemma-2",
                bound=0.0,
                computed=rises,
                slack=1e-14 * float(gaps[0]),
                evidence="certified",
                source="2402.18551 Lemma 2",
                statement="largest rise of the loss between records, eta <= 1/L",
            )
        )
    if limit.direction is not None:
        checks.append(_direction_certificate(run.weights, limit, limit.direction))
    return checks


def _direction_certificate(decoders: Tensor, limit: Limit, direction: Tensor) -> Check:
    subspace, pattern, h = data_subspace(limit.reference), limit.reference.pattern, limit.data.embeddings
    worst = -math.inf
    for w in decoders:
        part = subspace.project_complement(w)
        margin = float(pattern.margins(h @ part.T).min())
        if margin > 0:
            worst = max(worst, margin / float(part.norm()) / limit.margin - cosine(part, direction))
    return Check.at_most(
        "bias/direction-certificate",
        bound=0.0,
        computed=max(worst, -1.0),
        slack=2 * limit.svm.distance_bound() / limit.svm.norm,
        evidence="certified",
        source="derived (D5)",
        statement="normalised margin - cos(P_perp W_k, W_mm), largest over the records",
    )


def cosine(a: Tensor, b: Tensor) -> float:
    """<a, b> / (||a|| ||b||)."""
    return float((a * b).sum() / (a.norm() * b.norm()))


def rounding(weights: Tensor) -> float:
    """What the type of a decoder leaves undecided in its entries, all together."""
    return 4 * torch.finfo(weights.dtype).eps * float(weights.norm())
