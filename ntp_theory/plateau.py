"""Where methods with steps of constant length stop short of the minimum on F: their plateau.

A step of length eta along the gradient cannot come closer to W* than eta/2: near it the gradient is H_F (W - W*), and
what survives is a jump of length eta to and fro along the eigenvector of H_F with the largest eigenvalue. The gradient
is then ``eta lambda_max / 2`` long, so each step is one of gradient descent with step size ``2 / lambda_max``, the
largest stable one, and off F the laws of gradient descent hold with that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Plateau"]


@dataclass(frozen=True, eq=False)
class Plateau:
    """The plateau of normalised gradient descent with a constant step length, to second order in it.

    Attributes
    ----------
    step_size : float
        eta, the length of a step.
    curvature : float
        lambda_max(H_F), the largest eigenvalue of the Hessian of CE_F at W*.
    parity : float
        Part of the shift along the jump, over half a jump: one end is that much nearer to W* than the other.
    shift : Tensor (V, d)
        How far the middle of the jump is from W*: the loss is steeper on one side than on the other.
    shift_force, drift, drift_force : Tensor (V, d)
        ``H_F shift``; v, the limit of ``eta k (P_F W_k - W*)`` under gradient descent (`bias/sharp-gd-finite`); and
        ``H_F v``.

    Notes
    -----
    Source: ours (`bias/ngd-plateau`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset, predict
    >>> plateau = predict(NTPDataset([[1.0]], [[0.25, 0.75, 0.0]])).plateau(step_size=0.01)
    >>> plateau.gradient_norm, plateau.step_in_time
    (0.001875, 5.333333333333333)
    """

    step_size: float
    curvature: float
    parity: float
    shift: Tensor
    shift_force: Tensor
    drift: Tensor
    drift_force: Tensor

    @property
    def gradient_norm(self) -> float:
        """``lim ||grad CE||``."""
        return self.step_size * self.curvature / 2

    @property
    def floor(self) -> float:
        """``lim CE_F - inf CE`` to first order, nats."""
        return self.step_size**2 * self.curvature / 8

    @property
    def step_in_time(self) -> float:
        """Step size of the gradient descent that this is off F, ``2 / lambda_max``."""
        return 2 / self.curvature

    def radius(self, steps: float) -> float:
        """``||P_F W_k - W*||`` after so many steps: eta/2, and the middle of the jump, which drifts to its place."""
        middle = self.shift + self.drift / (self.step_in_time * steps)
        return math.hypot(self.step_size / 2, float(middle.norm()))

    def excess(self, steps: float) -> float:
        """``CE_F - inf CE`` after so many steps, nats."""
        time = self.step_in_time * steps
        middle, force = self.shift + self.drift / time, self.shift_force + self.drift_force / time
        return self.floor + float((middle * force).sum()) / 2
