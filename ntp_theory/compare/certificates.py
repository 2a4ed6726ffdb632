"""The prediction's own proofs, recomputed: a run can tell W_mm from its neighbours only to 1 / log k."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from ..checks import Check
from ..finite_part import InSupportLoss
from ..predict import Limit, in_double

__all__ = ["certificates"]

# How far the prediction may be from its own equations: solvers stop at 1e-12, of the gradient and of the squared
# distance to W_mm; ill-conditioned data costs some digits.
STATIONARY, CERTIFIED = 1e-8, 1e-4


def certificates(limit: Limit) -> list[Check]:
    """W* minimises CE_F, and the predicted direction is W_mm."""
    data, finite = in_double(limit.data), limit.finite.double()
    pattern = data.pattern if limit.reference is limit.data else limit.reference.pattern
    gradient = InSupportLoss(data, pattern).gradient(finite)
    scale = float((data.weights * data.embeddings.norm(dim=1)).sum())
    # W* is rounded to the type of the data: logits, and with them the softmax, move by as much
    largest = float((data.embeddings @ finite.T).abs().max())
    blur = 4 * torch.finfo(limit.finite.dtype).eps * (1.0 + largest) * math.sqrt(finite.numel())
    checks = [
        Check.at_most(
            "bias/any-data",
            bound=0.0,
            computed=float(gradient.norm()) / scale if scale else 0.0,
            slack=STATIONARY + blur,
            evidence="certified",
            source="2402.18551 Lemma 4; derived (D3)",
            statement="gradient of the in-support loss at W*, relative to sum_j pi_j ||h_j||",
        )
    ]
    if limit.direction is not None:
        solution = replace(limit.svm, direction=limit.direction, duals=limit.duals, support_duals=None)
        checks.append(
            Check.at_most(
                "bias/definition-3",
                bound=0.0,
                computed=solution.distance_bound() / solution.norm,
                # in single precision the direction is rounded: the bound is a square root of that
                slack=max(CERTIFIED, math.sqrt(8 * torch.finfo(limit.direction.dtype).eps)),
                evidence="certified",
                source="2402.18551 Definition 3",
                statement="distance of the predicted direction from W_mm, certified by the multipliers, relative",
            )
        )
    return checks
