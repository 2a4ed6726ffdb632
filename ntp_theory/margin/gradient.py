"""The first steps of the NTP-SVM dual: accelerated projected gradient, in single precision.

They only have to find out, nearly, which multipliers are not zero; `ntp_theory.margin.newton` finishes in double. One
product with K and one projection a step; constraints are never listed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..cone import Cone
from .problem import DualProblem

__all__ = ["accelerate"]


def accelerate(problem: DualProblem, steps: int, start: Tensor | None = None) -> Tensor:
    """Multipliers after some accelerated gradient steps with restarts.

    Parameters
    ----------
    problem : DualProblem
    steps : int
    start : Tensor (B, m, U), optional
        Where to start; 0 if not given.

    Returns
    -------
    Tensor (B, m, U)
        In the cone of multipliers, but for rounding to single precision.

    Notes
    -----
    Source: ours (`svm/dual`); acceleration after Beck and Teboulle (2009), restarts after O'Donoghue and Candes (2015).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> problem = DualProblem.of(NTPDataset([[2.0]], [[1.0, 0.0]]))
    >>> accelerate(problem, 10).round(decimals=4)
    tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64)
    """
    # C in units of max T / largest(K): no entry leaves the range of single precision
    unit = problem.target.amax((1, 2), keepdim=True) / problem.largest[:, None, None]
    step = (problem.target / (unit * problem.largest[:, None, None])).float()
    gram = (problem.gram / -problem.largest[:, None, None]).float()
    cone, counts = Cone(problem.support, problem.counts, dtype=torch.float32), problem.counts.float()
    c = ahead = torch.zeros_like(step) if start is None else (start / unit).float()
    momentum, thresholds = torch.ones_like(unit, dtype=torch.float32), None
    for _ in range(steps):
        after = torch.baddbmm(step, gram, ahead).add_(ahead)
        after, thresholds = cone.project(after, thresholds)
        moved = after - c
        # a step that turned against the momentum restarts it
        turned = ((ahead.sub_(after) * moved) @ counts).sum(1)[:, None, None] > 0
        momentum = torch.where(turned, 1.0, momentum)
        following = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        ahead = moved.mul_((momentum - 1) / following).add_(after)
        c, momentum = after, following
    return c.double() * unit
