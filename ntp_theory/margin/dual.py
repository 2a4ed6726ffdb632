"""The structured dual of the NTP-SVM: a few gradient steps on the cone of multipliers, then second-order ones.

``min_C 1/2 ||C^T H||^2 - sum_{j, z in S_j} c_{jz}`` over matrices C (m, V) whose rows sum to 0 and are at
most 0 off the supports (`svm/dual`). Then ``W_mm = C^T H`` and the off-support entries are minus the
multipliers. Gradient steps find most of the active constraints (`ntp_theory.margin.gradient`); where the data allows,
one proximal step of nearly infinite length finds the rest (`ntp_theory.margin.newton`). Where it does not, steps begin
short and grow: a path along which few active constraints change at a time. If no direction separates, the
multipliers run off along a ray, which is a Farkas certificate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..conditions.certificates import FarkasCertificate
from ..conditions.standing import standing_certificate, standing_direction, stationary, whiten
from ..dataset import NTPDataset
from ..subspace import data_subspace
from .gradient import accelerate
from .newton import proximal_step
from .polish import polish
from .problem import DualProblem

__all__ = ["DualIterate", "solve_dual"]


@dataclass(frozen=True, eq=False)
class DualIterate:
    """What the dual method has after some steps: the best primal and dual points seen.

    Attributes
    ----------
    direction : Tensor (V, d) or None
        A feasible W, or None if none was seen.
    duals : Tensor (m, V)
        Multipliers off the supports, scaled to the best point of their ray.
    gap : float
        Relative duality gap of the two; infinite without a feasible W.
    iterations : int
        Gradient steps and rounds of Newton's method.
    certificate : FarkasCertificate or None
        Why there is no feasible W, if the multipliers ran off.
    """

    direction: Tensor | None
    duals: Tensor
    gap: float
    iterations: int
    certificate: FarkasCertificate | None = None


# Gradient steps before second-order ones.
GRADIENT_STEPS = 20
# Length of the first proximal step, times the largest eigenvalue of K; where to begin if that is too far; and beyond
# which steps move nothing, or rounding decides what they do.
FAR, NEAR, SHORTEST, LONGEST = 1e12, 1e2, 1e-3, 1e15
# Growth of the length after a step of so many rounds, and after a failed one.
GROWTH = ((1, 1e3), (3, 30.0), (5, 10.0), (8, 4.0), (math.inf, 2.0))
SHRINKAGE = 1 / 8
# Steps of the same length after each, which cost little and take what the length leaves.
FURTHER = 2
# Steps without a tenth less of a gap after which it has met rounding.
STALL = 3
# Below this gap the active constraints may be known, and polishing is worth a try.
CLOSE = 1e-2
# In-support logits that differ by so much, in units of the objective, are no longer a small error.
UNEVEN = 1e-3
# A step along which the logits move so little, relative to the multipliers, may be a ray.
STILL = 1e-3


def solve_dual(data: NTPDataset, *, tol: float, max_iterations: int, certify: bool = True) -> DualIterate:
    """Run the dual method until the relative duality gap is at most ``tol``; the caller judges what it gets.

    Parameters
    ----------
    data : NTPDataset
    tol : float
        Relative duality gap.
    max_iterations : int
    certify : bool
        Stop when the multipliers run off along a Farkas certificate.

    Returns
    -------
    DualIterate

    Notes
    -----
    Source: ours (`svm/dual`).
    """
    problem = DualProblem.of(data)
    steps = min(GRADIENT_STEPS, max_iterations)
    best = DualIterate(None, torch.zeros_like(data.support, dtype=torch.float64), torch.inf, steps)
    if float(problem.largest) == 0.0:
        return best
    c = begin = accelerate(problem, steps)
    marked, stalled = best.gap, 0
    for before, c, k in _approach(problem, begin, steps, max_iterations):
        best = _better(best, _judge(problem, c, k))
        if best.gap <= tol:
            return best
        if best.direction is None and certify:
            certificate = _ray(problem, before, c, data)
            if certificate is not None:
                return replace(best, certificate=certificate)
        if best.gap < 0.9 * marked:
            marked, stalled = best.gap, 0
        elif best.direction is not None:
            stalled += 1
        if stalled > STALL:
            break
    last = problem.multipliers(c)[0]
    for candidate in (last, polish(last, data)):
        best = _better(best, _judge_projected(candidate, data, best.iterations))
    return best


def _approach(problem: DualProblem, c: Tensor, k: int, max_iterations: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Multipliers before and after every proximal step, and the iterations so far."""
    active, sigma, first = c < 0, FAR / problem.largest, True
    while k < max_iterations and SHORTEST < float(sigma * problem.largest) < LONGEST:
        step = proximal_step(problem, c, sigma, active, further=FURTHER)
        k += step.rounds
        if bool(step.settled):
            before, c, active = c, step.multipliers, step.active
            sigma = sigma * next(growth for limit, growth in GROWTH if step.rounds <= limit)
            yield before, c, k
        else:
            sigma = NEAR / problem.largest if first else sigma * SHRINKAGE
        first = False


def _judge(problem: DualProblem, c: Tensor, iterations: int) -> DualIterate:
    """Feasible primal and dual points made from one iterate, and their gap."""
    support, lengths = problem.support, problem.lengths[..., None]
    c = torch.where(support, c, c.clamp(max=0.0))
    share = problem.total(c) / problem.total(support.to(c.dtype))
    c = c - torch.where(support, share[..., None], 0.0)
    w = c.mT @ problem.embeddings
    logits = problem.embeddings @ w.mT
    low = logits.masked_fill(~support, torch.inf).amin(2, keepdim=True)
    high = logits.masked_fill(~support, -torch.inf).amax(2, keepdim=True)
    margin = float(((low - logits.masked_fill(support, -torch.inf).amax(2, keepdim=True)) * lengths).min())
    square = float(w.square().sum(2) @ problem.counts)
    off = problem.multipliers(-torch.where(support, 0.0, c))[0]
    if margin <= 0 or square == 0:
        return DualIterate(None, off, torch.inf, iterations)
    # in-support logits that differ cost what their multipliers say
    uneven = float(((high - low) * c.masked_fill(~support, 0.0).abs()).sum(1).mul_(problem.counts).sum())
    if uneven > UNEVEN * square:
        return DualIterate(None, off, torch.inf, iterations)
    total = float((-torch.where(support, 0.0, c) / lengths).sum(1) @ problem.counts)
    scale = total / square  # the best multiple of this dual point
    gap = max(1.0 - total * scale * margin**2 / square, 0.0) + 2.0 * uneven / square
    return DualIterate(problem.weights(c)[0] / margin, off * scale, gap, iterations)


def _judge_projected(c: Tensor, data: NTPDataset, iterations: int) -> DualIterate:
    """The same where in-support logits are not equal yet: W is projected on F_perp first."""
    pattern, subspace, weights = data.pattern, data_subspace(data), c.T @ data.embeddings
    off = (-c).clamp_(min=0.0)
    off[pattern.contexts, pattern.tokens] = 0.0
    direction = standing_direction(weights, data.embeddings, pattern, subspace)
    if direction is None:
        return DualIterate(None, off, torch.inf, iterations)
    balanced = -off  # which token of a support makes up for it does not matter on F_perp
    balanced[torch.arange(len(off), device=off.device), pattern.anchors] = off.sum(1)
    pull = subspace.project_complement(balanced.T @ data.embeddings)
    total, curvature = float(off.sum()), float(pull.square().sum())
    if curvature == 0.0:
        return DualIterate(direction, off, torch.inf, iterations)
    scale = total / curvature
    primal, dual = 0.5 * float(direction.square().sum()), 0.5 * total * scale
    return DualIterate(direction, off * scale, (primal - dual) / primal, iterations)


def _ray(problem: DualProblem, before: Tensor, after: Tensor, data: NTPDataset) -> FarkasCertificate | None:
    """The Farkas certificate along which the multipliers run off, if they do."""
    moved = after - before
    if float(problem.logits(moved).norm()) > STILL * float(moved.norm()):
        return None
    whitened, _, lengths = whiten(data.embeddings)
    v = stationary(problem.multipliers(moved)[0] * lengths[:, None], whitened, data.pattern)
    return standing_certificate(v / lengths[:, None], torch.arange(len(v), device=v.device), data)


def _better(best: DualIterate, new: DualIterate) -> DualIterate:
    if new.gap < best.gap:
        return new
    return DualIterate(best.direction, best.duals, best.gap, new.iterations)
