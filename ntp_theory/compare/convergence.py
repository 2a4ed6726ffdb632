"""Data whose minimiser is finite: methods that follow the gradient come to it."""

from __future__ import annotations

import math

import torch

from ..checks import Check
from ..descent import Trajectory
from ..finite_part import InSupportLoss
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .curvature import finite_modes
from .inequalities import rounding

__all__ = ["convergence"]

# Time in units of one over the least curvature, from which on the slowest mode has decayed by e^-5.
FORGOTTEN = 5.0


def convergence(run: Trajectory, limit: Limit) -> Comparison:
    """The distance to W* at the last record is no larger than at the first."""
    subspace, modes = data_subspace(limit.reference), finite_modes(limit)
    if not len(modes.rates):
        return Comparison([], "no law read: every decoder has the same loss")
    least = float(modes.rates[0])
    if len(run.weights) < 2 or float(run.log_elapsed[-1]) < math.log(FORGOTTEN / least):
        return Comparison(
            [],
            f"convergence not read: the slowest mode at W* decays over a time of {1 / least:.3g}; the run must be "
            f"{FORGOTTEN:g} times as long, with a record of its start",
        )
    first, last = (float((subspace.project(run.weights[i]) - limit.finite).norm()) for i in (0, -1))
    # W* and the end of the run are where gradients vanish up to rounding: so far off they may be, in the flattest mode
    inside, data = InSupportLoss(limit.svm.data), limit.svm.data
    scale = float((data.weights * data.embeddings.norm(dim=1)).sum())
    left = float(inside.gradient(limit.finite.double()).norm())
    logits = float((data.embeddings @ limit.finite.double().T).abs().max())
    blur = 8 * torch.finfo(limit.finite.dtype).eps * scale * (1.0 + logits)
    check = Check.at_most(
        "bias/any-data",
        bound=first,
        computed=last,
        slack=2 * (left + blur) / least + rounding(run.weights[-1]),
        evidence="measured",
        source="derived (D3 d)",
        statement="||P_F W_k - W*|| at the last record against the first",
    )
    return Comparison([check])
