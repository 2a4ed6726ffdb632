"""What must hold at every record of a run, whatever the method."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import loss
from ..checks import Check
from ..descent import Trajectory, smoothness_bound
from ..paths import Path
from ..predict import Limit, in_double
from ..subspace import data_subspace

__all__ = ["cosine", "inequalities", "rounding"]

# Below this an entry is zero.
TINY = 1e-300


def inequalities(run: Trajectory | Path, limit: Limit) -> list[Check]:
    """The infimum is not undercut, small gradient steps descend, margins bound the angle to W_mm."""
    data = in_double(limit.data)
    values = [loss.evaluate(w.double(), data).value for w in run.weights]
    largest = max(float((data.embeddings @ w.double().T).abs().max()) for w in run.weights)
    # sums of n terms, each a logarithm of a softmax, lose eps (log2 n + 4) of the largest logit (as `infimum_bounds`)
    blur = (
        torch.finfo(torch.float64).eps * (math.log2(data.embeddings.shape[0] * data.vocab_size) + 4) * (1.0 + largest)
    )
    checks = [
        Check.at_most(
            "bias/entropy-floor",
            bound=0.0,
            computed=limit.infimum_bounds[0] - min(values),
            slack=blur,
            evidence="certified",
            source="2402.18551 Sec. 2; derived (D3)",
            statement="certified lower bound on inf CE, minus CE(W_k), largest over the records",
        )
    ]
    smooth = smoothness_bound(run.data)
    if isinstance(run, Trajectory) and run.method == "gd" and smooth > 0.0 and run.step_size <= 1.0 / smooth:
        checks.append(_descent(run))
    if limit.direction is not None:
        checks.append(_direction_certificate(run.weights, limit))
    return checks


def _descent(run: Trajectory) -> Check:
    """The loss never rises, but for rounding of logits by u, twice over.

    Of a divergence D that is ``2 u sqrt(2 D) + u^2`` (its slope in the logits is q - p, by Pinsker at most sqrt(2 D) in
    sum), of a tail T it is ``u T``.
    """
    largest = max(float((run.data.embeddings @ w.T).abs().max()) for w in run.weights)
    rarest = float(run.data.log_conditionals.abs().max())
    u = 8 * torch.finfo(run.weights.dtype).eps * (1.0 + largest + rarest)
    blur = u * (2 * (2 * run.in_support).sqrt() + run.tail + u)
    rises = (run.gap[1:] - run.gap[:-1]).tolist()
    allowed = (blur[1:] + blur[:-1]).tolist()
    worst = max(range(len(rises)), key=lambda i: rises[i] - allowed[i]) if rises else None
    return Check.at_most(
        "bias/lemma-2",
        bound=0.0,
        computed=0.0 if worst is None else rises[worst],
        slack=0.0 if worst is None else allowed[worst],
        evidence="certified",
        source="2402.18551 Lemma 2",
        statement="largest rise of the loss between records, eta <= 1/L",
    )


def _direction_certificate(decoders: Tensor, limit: Limit) -> Check:
    assert limit.direction is not None
    reference, direction = limit.svm.data, limit.direction.double()
    subspace, h = data_subspace(reference), reference.embeddings
    # a margin is a difference of two logits; over gamma it is that of a matrix of norm 1
    lever = 2.0 * float(h.norm(dim=1).max()) / limit.margin + 2.0
    worst, blur = -1.0, 0.0
    for w in decoders.double():
        part = subspace.project_complement(w)
        size, margin = float(part.norm()), float(reference.pattern.margins(h @ part.T).min())
        if not (margin > 0.0 and size > 0.0 and rounding(w) < size):
            continue  # no margin, or what is left off F is rounding
        found, lost = margin / size / limit.margin - cosine(part, direction), lever * rounding(w) / size
        if found - lost > worst - blur:
            worst, blur = found, lost
    return Check.at_most(
        "bias/direction-certificate",
        bound=0.0,
        computed=worst,
        # W_mm is known to this, and rounded to the type of the data
        slack=(2 * limit.svm.distance_bound() + rounding(limit.direction)) / limit.svm.norm + blur,
        evidence="certified",
        source="derived (D5)",
        statement="normalised margin - cos(P_perp W_k, W_mm), largest over the records",
    )


def cosine(a: Tensor, b: Tensor) -> float:
    """<a, b> / (||a|| ||b||); 0 if one of them is zero."""
    a, b = a / a.abs().max().clamp(min=TINY), b / b.abs().max().clamp(min=TINY)  # squares may underflow
    sizes = float(a.norm()) * float(b.norm())
    return float((a * b).sum()) / sizes if sizes > 0.0 else 0.0


def rounding(weights: Tensor) -> float:
    """What the type of a decoder leaves undecided in its entries, all together."""
    return 4 * torch.finfo(weights.dtype).eps * float(weights.norm())
