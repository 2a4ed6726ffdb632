"""Where methods with steps of constant length stop short of the minimum on F: their plateau.

A step of length eta along the gradient cannot end at W*: near it the gradient is H_F (W - W*), and what survives is a
jump of length eta to and fro along the eigenvector of H_F with the largest eigenvalue. Every such jump is an orbit of
period two: its ends are ``a eta`` and ``(1 - a) eta`` from W*, where a, the *share*, is set by the start. The gradients
at the two ends are ``a eta lambda_max`` and ``(1 - a) eta lambda_max`` long, so their mean is ``eta lambda_max / 2``
whatever a; the mean loss is ``eta^2 lambda_max (a^2 + (1 - a)^2) / 4`` above the infimum, least at a = 1/2; and two
steps take the time of two steps of gradient descent with step size ``1 / (2 lambda_max a (1 - a))``, at least ``2 /
lambda_max``. Other modes, of rates ``r lambda_max``, are multiplied by ``1 - r (1 - r) / (a (1 - a))`` in two steps, so
shares with ``2 a (1 - a) < r (1 - r)`` are unstable.

Any gradient off the eigenvector shortens the jump, from the nearer end by more: two steps move a by ``epsilon (1/a^2 -
1/(1-a)^2)``, ``epsilon = ||g_off||^2 / (2 eta^2 lambda_max^2)``, to 1/2. So where something diverges, the tail, whose
gradient ``||W_mm|| / t`` is large at first, has mostly made a = 1/2 before it fades; the floor, the radius ``eta / 2``
and the step size ``2 / lambda_max``, the largest stable one of gradient descent, are those of that orbit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from .errors import UsageError

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
        """``||grad CE||`` in the limit, mean of two successive steps."""
        return self.step_size * self.curvature / 2

    @property
    def floor(self) -> float:
        """``lim CE_F - inf CE`` to first order, nats, where both ends are as far from W*."""
        return self.floor_of(0.5)

    @property
    def step_in_time(self) -> float:
        """Step size of the gradient descent that this is off F, ``2 / lambda_max``, where both ends are as far."""
        return self.time_of(0.5)

    def floor_of(self, share: float) -> float:
        """Mean of ``CE_F - inf CE`` over two steps to first order, nats, if one end is ``share eta`` from W*."""
        return self.step_size**2 * self.curvature * (share**2 + (1 - share) ** 2) / 4

    def time_of(self, share: float) -> float:
        """Mean of ``eta / ||grad CE||`` over two steps, if one end is ``share eta`` from W*."""
        return 1 / (2 * self.curvature * share * (1 - share))

    def radius(self, steps: float, share: float = 0.5) -> float:
        """Mean ``||P_F W_k - W*||`` of two steps after so many, the jump and its middle, which drifts to its place.

        Raises
        ------
        UsageError
            If ``steps`` is not positive, or ``share`` not from 0 to 1.
        """
        middle = float(self._middle(steps, share)[0].norm())
        ends = (share * self.step_size, (1 - share) * self.step_size)
        return sum(math.hypot(end, middle) for end in ends) / 2

    def excess(self, steps: float, share: float = 0.5) -> float:
        """Mean of ``CE_F - inf CE`` over two steps after so many, nats.

        Raises
        ------
        UsageError
            If ``steps`` is not positive, or ``share`` not from 0 to 1.
        """
        middle, force = self._middle(steps, share)
        return self.floor_of(share) + float((middle * force).sum()) / 2

    def _middle(self, steps: float, share: float) -> tuple[Tensor, Tensor]:
        """How far the middle of the jump is from where the linear gradient has it, and H_F times that; (V, d)."""
        if not (isinstance(steps, int | float) and steps > 0):
            raise UsageError(f"steps is {steps!r}; it must be a positive number")
        if not (isinstance(share, int | float) and 0 < share < 1):
            raise UsageError(f"share is {share!r}; it must be a number between 0 and 1")
        # the bend of the gradient is as large as the mean square of the ends
        bent, time = 2 * (share**2 + (1 - share) ** 2), self.step_in_time * steps
        return bent * self.shift + self.drift / time, bent * self.shift_force + self.drift_force / time
