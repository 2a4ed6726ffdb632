"""The first steps of the NTP-SVM dual: accelerated projected gradient, in single precision.

They only have to find out, nearly, which multipliers are not zero; `ntp_theory.margin.newton` finishes in double. One
product with K and one projection a step; constraints are never listed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..cone import Cone
from .problem import DualProblem

__all__ = ["Acceleration"]


class Acceleration:
    """Accelerated gradient steps with restarts.

    Parameters
    ----------
    problem : DualProblem
    start : Tensor (B, m, U), optional
        Where to start; 0 if not given.

    Notes
    -----
    Source: ours (`svm/dual`); acceleration after Beck and Teboulle (2009), restarts after O'Donoghue and Candes (2015).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> steps = Acceleration(DualProblem.of(NTPDataset([[2.0]], [[1.0, 0.0]])))
    >>> steps.run(10)
    >>> steps.multipliers().round(decimals=4)
    tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64)
    """

    def __init__(self, problem: DualProblem, start: Tensor | None = None) -> None:
        largest = problem.largest[:, None, None]
        # C in units of max T / largest(K): no entry leaves the range of single precision
        self._unit = problem.target.amax((1, 2), keepdim=True) / largest
        self._step = (problem.target / (self._unit * largest)).float()
        self._gram = (problem.gram / -largest).float()
        self._cone = Cone(problem.support, problem.counts, dtype=torch.float32)
        self._counts = problem.counts.float()
        self._c = torch.zeros_like(self._step) if start is None else (start / self._unit).float()
        self._ahead = self._c
        self._thresholds: Tensor | None = None
        self._momentum = torch.ones_like(self._unit, dtype=torch.float32)

    def run(self, steps: int) -> None:
        """Make some steps."""
        for _ in range(steps):
            after = torch.baddbmm(self._step, self._gram, self._ahead).add_(self._ahead)
            after, self._thresholds = self._cone.project(after, self._thresholds)
            moved = after - self._c
            # a step that turned against the momentum restarts it
            turned = (((self._ahead - after) * moved) @ self._counts).sum(1)[:, None, None] > 0
            momentum = torch.where(turned, 1.0, self._momentum)
            self._momentum = (1 + (1 + 4 * momentum**2).sqrt()) / 2
            self._ahead = moved.mul_((momentum - 1) / self._momentum).add_(after)
            self._c = after

    def multipliers(self) -> Tensor:
        """C (B, m, U): in the cone of multipliers, but for rounding to single precision."""
        return self._c.double() * self._unit

    def active(self) -> Tensor:
        """Which entries of C are negative; (B, m, U), bool."""
        return self._c < 0
