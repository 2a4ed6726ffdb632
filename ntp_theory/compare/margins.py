"""Laws of methods that maximise the margin in a norm of their own: sign and spectral descent, Adam, and kin.

On one-hot data steepest descent in a norm, with momentum or without, ends at the largest margin in that norm, and the
relative margin gap is ``O((log k + n) / sum of the step sizes)``. On soft labels no theorem says where it ends.
Nesterov's method on the dual of the NTP-SVM closes the Euclidean gap as ``log k / k^2``.
"""

from __future__ import annotations

import math

from torch import Tensor

from ..checks import Check
from ..descent import Trajectory
from ..margin import solve_svm
from ..margin.norms import as_norm
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
# Of a relative margin.
ROUNDING = 1e-13
# Rates are read where the number of steps is this many times the logarithms in them.
LOGARITHMS = 3.0


def margin_laws(run: Trajectory, limit: Limit) -> Comparison:
    """On one-hot data the method's own theorem; otherwise what is seen, held against nothing."""
    norm, label = MARGINS.get(run.method, ("frobenius", ""))
    if limit.direction is None:
        return Comparison([], observed=_on_f(run.weights[-1], limit))
    best = limit.margin if norm == "frobenius" else 1.0 / solve_svm(limit.svm.data, norm=norm).dual_value()
    gap = _relative_gap(run.weights[-1], limit, norm, best)
    part = data_subspace(limit.reference).project_complement(run.weights[-1])
    observed = {f"relative margin gap in the {norm} norm": gap, "cos(P_perp W_k, W_mm)": cosine(part, limit.direction)}
    if not label or (run.method != "dual-momentum" and int(limit.data.pattern.sizes.max()) > 1):
        note = f"no theorem read: none says where {run.method!r} goes " + ("on soft labels" if label else "here")
        return Comparison([], note, observed | _on_f(run.weights[-1], limit))
    certified = Check.at_most(
        "steepest/setting",
        bound=0.0,
        computed=-gap,
        slack=1e-7,  # of the conic solver, which bounds the best margin from above up to this
        evidence="certified",
        source="2502.04664",
        statement=f"margin over the best in the {norm} norm, minus 1",
    )
    early = (run.times <= int(run.times[-1]) / 4).nonzero()[:, 0]
    if not len(early) or int(run.times[early[-1]]) < LOGARITHMS * _logarithm(run, -1):
        return Comparison([certified], "rate not read: the run is too short, or has no record at its quarter", observed)
    before, now = (_relative_gap(run.weights[i], limit, norm, best) * _scale(run, i) for i in (int(early[-1]), -1))
    rate = Check.at_most(
        label,
        bound=before,
        computed=now,
        # the next order of the logarithm, and what a margin is rounded to
        slack=before / math.log(int(run.times[-1])) + ROUNDING * _scale(run, -1),
        evidence="measured",
        source="2502.04664" if norm != "frobenius" else "2107.00595",
        statement=f"margin gap over its rate is bounded: k = {int(run.times[-1])} against {int(run.times[early[-1]])}",
    )
    return Comparison([certified, rate], observed=observed)


def _scale(run: Trajectory, record: int) -> float:
    """One over the rate that the theorem gives to the margin gap, up to its constant."""
    k = int(run.times[record])
    if run.method == "dual-momentum":
        return k**2 / _logarithm(run, record)
    return math.exp(float(run.log_elapsed[record])) / (math.log(k) + run.data.num_contexts)


def _logarithm(run: Trajectory, record: int) -> float:
    return math.log(int(run.times[record])) - math.log(float(run.data.weights.min()))


def _relative_gap(weights: Tensor, limit: Limit, norm: str, best: float) -> float:
    reference = limit.svm.data
    part = data_subspace(reference).project_complement(weights.double())
    margin = float(reference.pattern.margins(reference.embeddings @ part.T).min())
    return 1.0 - margin / (best * as_norm(norm).value(part))


def _on_f(weights: Tensor, limit: Limit) -> dict[str, float]:
    if not data_subspace(limit.reference).dim:
        return {}
    return {"||P_F W_k - W*||": float((data_subspace(limit.reference).project(weights) - limit.finite).norm())}
