"""The structured dual of the NTP-SVM: an accelerated projected gradient method on the cone of multipliers.

``min_C 1/2 ||C^T H||^2 - sum_{j, z in S_j} c_{jz}`` over matrices C (m, V) whose rows sum to 0 and are at
most 0 off the supports (`svm/dual`). Then ``W_mm = C^T H`` and the off-support entries are minus the
multipliers. A step costs two products with the embeddings and one row-wise projection; constraints are never
listed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..conditions.standing import standing_direction
from ..cone import project_cone
from ..dataset import NTPDataset
from ..subspace import data_subspace

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
    """

    direction: Tensor | None
    duals: Tensor
    gap: float
    iterations: int


# The method sees a feasible direction within some ten steps on well-separated data; after this many without
# one, the question whether there is any is worth settling first.
PATIENCE = 200
# A gap that has not shrunk by a tenth in this many steps has met rounding.
STALL = 5000


def solve_dual(data: NTPDataset, *, tol: float, max_iterations: int, when_stuck: Callable[[], None]) -> DualIterate:
    """Run the dual method until the relative duality gap is at most ``tol``; the caller judges what it gets.

    Parameters
    ----------
    data : NTPDataset
    tol : float
        Relative duality gap.
    max_iterations : int
    when_stuck : callable
        Called once if no feasible direction is in sight; it raises if there is none.

    Returns
    -------
    DualIterate

    Notes
    -----
    Source: ours (`svm/dual`); acceleration with gradient restart.
    """
    h, pattern = data.embeddings, data.pattern
    target = data.support.to(h.dtype)
    lipschitz = float(torch.linalg.matrix_norm(h, 2)) ** 2
    c = torch.zeros_like(target)
    ahead, momentum, thresholds = c, 1.0, None
    best, marked, improved = DualIterate(None, c, torch.inf, 0), torch.inf, 0
    if lipschitz == 0.0:
        when_stuck()
        return best
    for k in range(1, max_iterations + 1):
        descent = target - h @ (ahead.T @ h).T
        after, thresholds = project_cone(ahead + descent / lipschitz, pattern, thresholds)
        moved = after - c
        if ((ahead - after) * moved).sum() > 0:  # the step turned against the momentum: restart
            momentum = 1.0
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = after + (momentum - 1) / following * moved
        c, momentum = after, following
        if k % 25 == 0 or k == max_iterations:
            best = _better(best, _judge(c, data, k))
            if best.gap < 0.9 * marked:
                marked, improved = best.gap, k
            if best.gap <= tol or k - improved > STALL:
                break
            if k == PATIENCE and best.direction is None:
                when_stuck()
    return best


def _judge(c: Tensor, data: NTPDataset, iterations: int) -> DualIterate:
    """Feasible primal and dual points made from one dual iterate, and their gap."""
    pattern = data.pattern
    subspace, weights = data_subspace(data), c.T @ data.embeddings
    off = -c
    off[pattern.contexts, pattern.tokens] = 0.0
    direction = standing_direction(weights, data.embeddings, pattern, subspace)
    if direction is None:
        return DualIterate(None, off, torch.inf, iterations)
    total, curvature = float(off.sum()), float(subspace.project_complement(weights).square().sum())
    scale = total / curvature  # the best multiple of this dual point
    primal, dual = 0.5 * float(direction.square().sum()), 0.5 * total * scale
    return DualIterate(direction, off * scale, (primal - dual) / primal, iterations)


def _better(best: DualIterate, new: DualIterate) -> DualIterate:
    if new.gap < best.gap:
        return new
    return DualIterate(best.direction, best.duals, best.gap, new.iterations)
