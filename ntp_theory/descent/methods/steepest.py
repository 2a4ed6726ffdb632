"""Steepest descent in a norm: the step of norm eta_k that a gradient, or an average of gradients, points to."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive, share
from ...scaled import Scaled
from .schedule import decayed, log_decayed, log_sum

__all__ = ["SteepestDescent", "SteepestState"]


@dataclass(frozen=True, eq=False)
class SteepestState:
    """W_k (V, d), what it descends on, the first and the last eta, k, the sum of eta, and the average of gradients."""

    weights: Tensor
    data: NTPDataset
    first: float
    step_size: float
    count: int
    log_elapsed: float
    memory: Scaled


@dataclass(frozen=True)
class SteepestDescent(ABC):
    """``W_{k+1} = W_k - eta_k D_k``, D_k the matrix of norm 1 with the largest product with the gradient.

    Parameters
    ----------
    step_size : float, optional
        Eta in ``eta_k = eta (k + 1)^-decay``; if not given, the largest for which the first step moves no logit by more
        than 1 nat.
    decay : float
        From 0 (constant step size) to 1.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number, or ``decay`` not a number from 0 to 1.

    Notes
    -----
    D_k has norm 1 however small the gradient is, so it is computed from gradients of which no part is lost to rounding
    or underflow. Source: 2502.04664 (`steepest/setting`).
    """

    step_size: float | None = None
    decay: float = 0.5
    name: ClassVar[str]

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))
        object.__setattr__(self, "decay", share("decay", self.decay))

    def init(self, data: NTPDataset, weights: Tensor) -> SteepestState:
        """Start at ``weights`` (V, d), with an average of 0."""
        first = self._default_step_size(data) if self.step_size is None else self.step_size
        nothing = self._gradient(weights, data).times(-math.inf)
        return SteepestState(weights, data, first, first, 0, -math.inf, nothing)

    def step(self, state: SteepestState) -> SteepestState:
        """One step of norm eta_k."""
        step_size = decayed(state.first, self.decay, state.count)
        memory, gradient = self._smooth(state.memory, self._gradient(state.weights, state.data))
        weights = state.weights - step_size * self._direction(gradient, state.data)
        elapsed = log_sum(state.log_elapsed, log_decayed(state.first, self.decay, state.count))
        return SteepestState(weights, state.data, state.first, step_size, state.count + 1, elapsed, memory)

    @abstractmethod
    def _gradient(self, weights: Tensor, data: NTPDataset) -> Scaled:
        """The gradient in whatever coordinates `_direction` takes it."""

    @abstractmethod
    def _direction(self, gradient: Scaled, data: NTPDataset) -> Tensor:
        """D_k (V, d)."""

    @abstractmethod
    def _default_step_size(self, data: NTPDataset) -> float:
        """The eta with which the first step moves no logit by more than 1 nat; 1 if every embedding is zero."""

    def _smooth(self, memory: Scaled, gradient: Scaled) -> tuple[Scaled, Scaled]:
        """The new average, and what to take the direction of: without momentum the gradient itself."""
        return memory, gradient
