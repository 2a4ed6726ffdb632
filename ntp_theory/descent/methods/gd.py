"""Gradient descent with a constant step size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive
from ..coordinates import Coordinates
from ..iteration import Iteration
from ..smoothness import default_step_size

__all__ = ["GradientDescent"]


@dataclass(frozen=True, eq=False)
class GradientState:
    """Where gradient descent is: C_k (V, r) in `Coordinates`, W_0 (V, d), what it descends on, and eta."""

    coordinates: Tensor
    start: Tensor
    data: NTPDataset
    step_size: float

    @cached_property
    def weights(self) -> Tensor:
        """W_k (V, d)."""
        return self.iteration.decoder(self.coordinates)

    @cached_property
    def iteration(self) -> Iteration:
        """What makes the steps; handed on from state to state, and made anew for a state that was loaded."""
        return Iteration([self.data], [Coordinates.of(self.data)], [self.start], [self.step_size])


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
    Steps are made in the `Coordinates` that cost least; the states of a run share two buffers, which take turns.

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
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))

    def init(self, data: NTPDataset, weights: Tensor) -> GradientState:
        """Start at ``weights`` (V, d)."""
        step_size = default_step_size(data) if self.step_size is None else self.step_size
        iteration = Iteration([data], [Coordinates.of(data)], [weights], [step_size])
        return _state(iteration.origin, GradientState(weights, weights, data, step_size), iteration)

    def step(self, state: GradientState) -> GradientState:
        """One step down the gradient."""
        return _state(state.iteration.step(state.coordinates), state, state.iteration)


def _state(coordinates: Tensor, like: GradientState, iteration: Iteration) -> GradientState:
    state = GradientState(coordinates, like.start, like.data, like.step_size)
    vars(state)["iteration"] = iteration
    return state
