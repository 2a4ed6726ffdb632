"""Laws of methods that maximise the margin in a norm of their own: sign and spectral descent, Adam, and kin.

On one-hot data steepest descent in a norm, with momentum or without, ends at the largest margin in that norm, and the
relative margin gap is ``O((log k + n) / sum of the step sizes)``. On soft labels no theorem says where it ends.
Nesterov's method on the dual of the NTP-SVM closes the Euclidean gap as ``log k / k^2``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..checks import Check
from ..descent import Trajectory
from ..margin import margin_share, solve_svm
from ..predict import Limit
from ..subspace import data_subspace
from .comparison import Comparison
from .inequalities import cosine

__all__ = ["margin_laws"]

# Norm whose margin a method maximises on one-hot data (dual momentum: on any separable data), and the statement.
MARGINS = {
    "sign": ("max", "steepest/theorem-1"),
    "spectral": ("spectral", "steepest/theorem-1"),
    "signum": ("max", "steepest/theorem-2"),
    "muon": ("spectral", "steepest/theorem-2"),
    "adam": ("max", ""),  # its theorem (`steepest/adam`) is for eps = 0, which a run does not tell
    "dual-momentum": ("frobenius", "classical/dual-momentum"),
}
# Of a relative margin; and what solutions of the conic solver are known to.
ROUNDING, KNOWN = 1e-13, 1e-7
# Rates of decay down to this are none.
CONSTANT = 1e-3
# Rates are read where the number of steps is this many times the logarithms in them.
LOGARITHMS = 3.0


def margin_laws(run: Trajectory, limit: Limit) -> Comparison:
    """On one-hot data the method's own theorem; otherwise what is seen, held against nothing."""
    norm, label = MARGINS.get(run.method, ("frobenius", ""))
    if limit.direction is None:
        return Comparison([], observed=_on_f(run.weights[-1], limit))
    if not int(run.times[-1]):
        return Comparison([], "no law read: the run has made no step", _on_f(run.weights[-1], limit))
    best = limit.svm if norm == "frobenius" else solve_svm(limit.svm.data, norm=norm)
    gap = 1.0 - margin_share(run.weights[-1], best)
    part = data_subspace(limit.reference).project_complement(run.weights[-1])
    observed = {
        f"relative margin gap in the {norm} norm": gap,
        "cos(P_perp W_k, W_mm)": cosine(part, limit.direction.to(part.dtype)),
    }
    if label and limit.case == "partially-separable":
        note = f"no theorem read: that on {run.method!r} is for separable data, and this is partially separable"
        return Comparison([], note, observed | _on_f(run.weights[-1], limit))
    if not label or (run.method != "dual-momentum" and int(limit.data.pattern.sizes.max()) > 1):
        note = f"no theorem read: none says where {run.method!r} goes " + ("on soft labels" if label else "here")
        return Comparison([], note, observed | _on_f(run.weights[-1], limit))
    if label.startswith("steepest") and not _decays(run):
        note = f"no theorem read: that on {run.method!r} is for steps that get shorter, (k + 1)^-1/2, and these do not"
        return Comparison([], note, observed)
    certified = Check.at_most(
        "steepest/setting",
        bound=0.0,
        computed=-gap,
        slack=KNOWN + _blur(run, -1),
        evidence="certified",
        source="2502.04664",
        statement=f"margin over the best in the {norm} norm, minus 1",
    )
    # the conic solver bounds the best margin from above up to this; that in the Frobenius norm is polished
    known = ROUNDING + limit.svm.distance_bound() / limit.svm.norm if norm == "frobenius" else KNOWN
    early = (run.times <= int(run.times[-1]) / 4).nonzero()[:, 0]
    if not len(early) or int(run.times[early[-1]]) < max(1.0, LOGARITHMS * _logarithm(run, -1)):
        return Comparison([certified], "rate not read: the run is too short, or has no record at its quarter", observed)
    before, now = (max(1.0 - margin_share(run.weights[i], best), 0.0) * _scale(run, i) for i in (int(early[-1]), -1))
    rate = Check.at_most(
        label,
        bound=before,
        computed=now,
        # the next order of the logarithm; and what the best margin is known to, and this one is rounded to
        slack=before / math.log(int(run.times[-1])) + (known + _blur(run, -1)) * _scale(run, -1),
        evidence="measured",
        source="2502.04664" if norm != "frobenius" else "2107.00595",
        statement=f"margin gap over its rate is bounded: k = {int(run.times[-1])} against {int(run.times[early[-1]])}",
    )
    return Comparison([certified, rate], observed=observed)


def _decays(run: Trajectory) -> bool:
    """Whether step sizes get shorter: their sum is more than that of as many of the last."""
    return float(run.log_elapsed[-1]) > math.log(run.step_size * int(run.times[-1])) + CONSTANT


def _blur(run: Trajectory, record: int) -> float:
    """Rounding of a relative margin in the type of the decoder."""
    weights = run.weights[record]
    return 8 * torch.finfo(weights.dtype).eps * math.sqrt(weights.numel())


def _scale(run: Trajectory, record: int) -> float:
    """One over the rate that the theorem gives to the margin gap, up to its constant."""
    k = int(run.times[record])
    if run.method == "dual-momentum":
        return k**2 / _logarithm(run, record)
    return math.exp(float(run.log_elapsed[record])) / (math.log(k) + run.data.num_contexts)


def _logarithm(run: Trajectory, record: int) -> float:
    return math.log(int(run.times[record])) - math.log(float(run.data.weights.min()))


def _on_f(weights: Tensor, limit: Limit) -> dict[str, float]:
    if not data_subspace(limit.reference).dim:
        return {}
    return {"||P_F W_k - W*||": float((data_subspace(limit.reference).project(weights) - limit.finite).norm())}
