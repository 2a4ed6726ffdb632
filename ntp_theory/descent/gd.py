"""Gradient descent with a constant step size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..dataset import NTPDataset
from ..loss import unchecked_gradient
from .smoothness import check_step_size, default_step_size

__all__ = ["GradientDescent"]


@dataclass(frozen=True, eq=False)
class GradientState:
    """Where gradient descent is: W_k (V, d), what it descends on, and eta."""

    weights: Tensor
    data: NTPDataset
    step_size: float


@dataclass(frozen=True)
class GradientDescent:
    """``W_{k+1} = W_k - eta grad CE(W_k)``.

    Parameters
    ----------
    step_size : float, optional
        Eta; one over `smoothness_bound` of the data if not given.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number.

    Notes
    -----
    Source: 2402.18551 Section 4 (`bias/theorem-2`), where eta <= 1/(2L); any eta < 2/L descends.

    Examples
    --------
    >>> import torch
    >>> method = GradientDescent(step_size=0.5)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.zeros(2, 1, dtype=torch.float64))
    >>> method.step(state).weights.tolist()
    [[0.25], [-0.25]]
    """

    step_size: float | None = None
    name: ClassVar[str] = "gd"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", check_step_size(self.step_size))

    def init(self, data: NTPDataset, weights: Tensor) -> GradientState:
        """Start at ``weights`` (V, d)."""
        step_size = default_step_size(data) if self.step_size is None else self.step_size
        return GradientState(weights, data, step_size)

    def step(self, state: GradientState) -> GradientState:
        """One step down the gradient."""
        gradient = unchecked_gradient(state.weights, state.data)
        weights = state.weights - state.step_size * gradient
        return GradientState(weights, state.data, state.step_size)
