"""Minimisers of ``CE(L) + ridge ||L||_*`` by Newton's method along the central path, and how far from optimal they are.

With the nuclear norm rounded off at epsilon (`smoothing`) the problem is smooth and strictly convex; epsilon is lowered
step by step. Nothing rests on that having worked: the value is held against a dual bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SolverError
from .smoothing import SmoothedNuclearNorm
from .split import LogitPoint, SplitLogits

__all__ = ["Optimum", "minimise"]

# First smoothing, relative to the largest singular value, and the factor from one to the next.
START, SHRINK = 1e-3, 0.03
LAST = 1e-13
# Newton decrement of the last step, over the smoothing: then the method converges quadratically (self-concordance).
CLOSE = 1e-3
MOST = 60


@dataclass(frozen=True, eq=False)
class Optimum:
    """Logits near the minimum, with bounds that are recomputed from them alone.

    Attributes
    ----------
    coordinates : Tensor (m (V - 1),)
    point : LogitPoint
    logits, slope : Tensor (m, V)
        L and dL / d log(1 / ridge), contexts in rows.
    nuclear_norm : float
    spectral_norm : float
        Of the gradient of CE, over the ridge: at most 1 at a minimum.
    gap : float
        At least what the objective is above its minimum, nats.
    """

    coordinates: Tensor
    point: LogitPoint
    logits: Tensor
    slope: Tensor
    nuclear_norm: float
    spectral_norm: float
    gap: float


def minimise(split: SplitLogits, ridge: float, start: Tensor, *, tol: float) -> Optimum:
    """The minimiser, to a gap of ``tol`` times ``CE - H + ridge ||L||_*``.

    Raises
    ------
    SolverError
        If the gap stays larger; the best `Optimum` is in ``.best``.
    """
    size = max(1.0, float(torch.linalg.matrix_norm(split.logits(split.at(start)), 2)))
    x, best, smoothing = start, None, START * size
    while smoothing > LAST * size:
        x = _centred(split, ridge, x, smoothing)
        if not bool(torch.isfinite(x).all()):
            raise SolverError(
                f"Newton's method left the finite numbers at ridge {ridge:g}", status="diverged", best=best
            )
        found = _judged(split, ridge, x, smoothing)
        best = found if best is None or found.gap < best.gap else best
        if best.gap <= tol * (best.point.in_support + best.point.tail + ridge * best.nuclear_norm):
            return best
        smoothing *= SHRINK
    assert best is not None
    raise SolverError(f"the gap stayed at {best.gap:.2e} nats at ridge {ridge:g}", status="stalled", best=best)


def _centred(split: SplitLogits, ridge: float, x: Tensor, smoothing: float) -> Tensor:
    """The minimiser at one smoothing, by Newton's method; at least one step."""
    for _ in range(MOST):
        hessian, gradient, _ = _system(split, ridge, x, smoothing)
        move = -_solved(hessian, gradient)
        decrement, length = -float(gradient @ move), 1.0
        # along a line the objective is convex: it falls as far as the slope at the end is negative, or nearly so
        while length > 1e-8:
            after = _system(split, ridge, x + length * move, smoothing, bend=False)[1]
            if float(move @ after) <= 0.5 * decrement:
                break
            length /= 2
        x = x + length * move
        if not decrement > CLOSE * smoothing:
            break
    return x


def _system(
    split: SplitLogits, ridge: float, x: Tensor, smoothing: float, *, bend: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Hessian (0 if not ``bend``) and gradient of the objective over the ridge, and the gradient of CE over it."""
    point = split.at(x)
    near = SmoothedNuclearNorm(split.logits(point), smoothing)
    loss = split.basis @ (point.gradient / ridge).flatten()
    hessian = (
        split.hessian(point) / ridge + split.basis @ near.hessian() @ split.basis.mT if bend else loss.new_zeros(())
    )
    return hessian, loss + split.basis @ near.gradient.flatten(), loss


def _solved(matrix: Tensor, target: Tensor) -> Tensor:
    """Solution of a positive definite system whose rows are of very different sizes."""
    if not len(matrix):
        return target
    scale = matrix.diagonal().rsqrt()
    even = matrix * scale[:, None] * scale
    factor, failed = torch.linalg.cholesky_ex(even)
    ridge = 1e-16
    while bool(failed):
        ridge *= 10
        factor, failed = torch.linalg.cholesky_ex(even + ridge * torch.eye(len(even), dtype=even.dtype))
    return scale * torch.cholesky_solve((scale * target)[:, None], factor)[:, 0]


def _judged(split: SplitLogits, ridge: float, x: Tensor, smoothing: float) -> Optimum:
    """Gap to the dual bound: the entropy of ``q_s = p + s (softmax - p)``, s such that its gradient is feasible.

    By Fenchel and Young it is ``sum_j pi_j KL(q_s || softmax)`` plus ``s <G, L> + ridge ||L||_*``, neither of them
    negative.
    """
    point = split.at(x)
    logits, g = split.logits(point), point.gradient
    nuclear, spectral = (float(torch.linalg.matrix_norm(*pair)) for pair in ((logits, "nuc"), (g / ridge, 2)))
    share = min(1.0, 1.0 / spectral) if spectral else 1.0
    # KL(q || r) is at most the chi-square distance, and q_s = softmax (1 + moved)
    moved = (share - 1.0) * split.relative_gradient(point)
    divergence = float((split.masses(point) * moved.square()).sum())
    pairing = share * float((g * logits).sum()) + ridge * nuclear
    # at the minimum the gradient of the objective over the ridge moves with log(1 / ridge) as that of CE over it
    hessian, _, loss = _system(split, ridge, x, smoothing)
    slope = (-_solved(hessian, loss) @ split.basis).reshape(logits.shape)
    return Optimum(x, point, logits, slope, nuclear, spectral, divergence + max(pairing, 0.0))
