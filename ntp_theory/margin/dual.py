"""The structured dual of the NTP-SVM: accelerated gradient steps on the cone of multipliers, then second-order ones.

``min_C 1/2 ||C^T H||^2 - sum_{j, z in S_j} c_{jz}`` over matrices C (m, V) whose rows sum to 0 and are at
most 0 off the supports (`svm/dual`). Then ``W_mm = C^T H`` and the off-support entries are minus the
multipliers. A gradient step costs two products with the embeddings and one row-wise projection; constraints are never
listed. Well-conditioned data is solved by these alone; what is left after some hundred steps is left to
`ntp_theory.margin.newton`, which no condition slows down, and its last digits to `ntp_theory.margin.polish`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..conditions.standing import standing_direction
from ..cone import project_cone
from ..dataset import NTPDataset
from ..subspace import data_subspace
from .newton import Proximal
from .polish import polish

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
        Gradient and proximal steps.
    """

    direction: Tensor | None
    duals: Tensor
    gap: float
    iterations: int


# Gradient steps before second-order ones: on well-separated data they are cheaper and enough.
FIRST_ORDER = 100
# Proximal parameter to begin with, times ||H||^2; its growth after a step of so many rounds, and after a failed one.
START = 1e2
GROWTH = ((2, 10.0), (4, 4.0), (7, 2.0), (math.inf, 1.2))
SHRINKAGE = 1 / 8
# Below this gap the active constraints may be known, and polishing is worth a try.
CLOSE = 1e-2
# A gap that has not shrunk by a tenth in this many proximal steps has met rounding.
STALL = 8
# Beyond these, times ||H||^2, steps move nothing, or rounding decides what they do.
SHORTEST, LONGEST = 1e-3, 1e15


def solve_dual(data: NTPDataset, *, tol: float, max_iterations: int, when_stuck: Callable[[], None]) -> DualIterate:
    """Run the dual method until the relative duality gap is at most ``tol``; the caller judges what it gets.

    Parameters
    ----------
    data : NTPDataset
    tol : float
        Relative duality gap.
    max_iterations : int
    when_stuck : callable
        Called once if the gradient steps saw no feasible direction; it raises if there is none.

    Returns
    -------
    DualIterate

    Notes
    -----
    Source: ours (`svm/dual`).
    """
    h = data.embeddings
    lipschitz = float(torch.linalg.matrix_norm(h, 2)) ** 2
    best = DualIterate(None, torch.zeros_like(data.support, dtype=h.dtype), torch.inf, 0)
    if lipschitz == 0.0:
        when_stuck()
        return best
    for point, k in _gradient_steps(data, lipschitz, min(FIRST_ORDER, max_iterations)):
        best = _better(best, _judge(point, data, k))
        if best.gap <= tol:
            return best
    if best.direction is None:  # far from the solution, if there is one: worth settling first
        when_stuck()
    marked, stalled = best.gap, 0
    for after, i in _proximal_steps(data, point, lipschitz, max_iterations - k):
        best = _better(best, _judge(after, data, k + i))
        if tol < best.gap < CLOSE:
            best = _better(best, _judge(polish(after, data), data, k + i))
        if best.gap < 0.9 * marked:
            marked, stalled = best.gap, 0
        elif best.direction is not None:
            stalled += 1
        if best.gap <= tol or stalled > STALL:
            break
    return best


def _gradient_steps(data: NTPDataset, lipschitz: float, count: int) -> Iterator[tuple[Tensor, int]]:
    """Accelerated projected gradient with restarts; now and then the iterate, with the number of steps so far."""
    h, pattern, target = data.embeddings, data.pattern, data.support.to(data.embeddings.dtype)
    c = ahead = torch.zeros_like(target)
    momentum, thresholds = 1.0, None
    for k in range(1, count + 1):
        descent = target - h @ (ahead.T @ h).T
        after, thresholds = project_cone(ahead + descent / lipschitz, pattern, thresholds)
        moved = after - c
        if ((ahead - after) * moved).sum() > 0:  # the step turned against the momentum: restart
            momentum = 1.0
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = after + (momentum - 1) / following * moved
        c, momentum = after, following
        if k % 25 == 0 or k == count:
            yield c, k


def _proximal_steps(data: NTPDataset, c: Tensor, lipschitz: float, count: int) -> Iterator[tuple[Tensor, int]]:
    """Proximal steps of growing length from ``c``; a step that fails is tried again, shorter."""
    proximal, sigma = Proximal(data), START / lipschitz
    for i in range(1, count + 1):
        after, rounds = proximal.step(c, sigma)
        if after is None:
            sigma *= SHRINKAGE
        else:
            c = after
            sigma *= next(growth for limit, growth in GROWTH if rounds <= limit)
            yield c, i
        if not SHORTEST < sigma * lipschitz < LONGEST:
            return


def _judge(c: Tensor, data: NTPDataset, iterations: int) -> DualIterate:
    """Feasible primal and dual points made from one iterate, and their gap."""
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
    scale = total / curvature  # the best multiple of this dual point
    primal, dual = 0.5 * float(direction.square().sum()), 0.5 * total * scale
    return DualIterate(direction, off * scale, (primal - dual) / primal, iterations)


def _better(best: DualIterate, new: DualIterate) -> DualIterate:
    if new.gap < best.gap:
        return new
    return DualIterate(best.direction, best.duals, best.gap, new.iterations)
