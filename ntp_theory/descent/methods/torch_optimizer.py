"""Any optimizer of PyTorch as a gradient method."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...errors import UsageError
from ...loss import evaluate, unchecked_gradient

__all__ = ["TorchOptimizer"]


@dataclass(frozen=True, eq=False)
class TorchState:
    """W_k (V, d), what it descends on, the learning rate, and the ``state_dict`` of the optimizer."""

    weights: Tensor
    data: NTPDataset
    step_size: float
    optimizer: dict[str, Any]


class TorchOptimizer:
    """Steps of a `torch.optim.Optimizer` on the decoder, with gradients in closed form instead of from autograd.

    Parameters
    ----------
    factory : callable
        A class of optimizers, or anything else that makes an optimizer of a list of parameters.
    **settings
        Passed on to it.

    Attributes
    ----------
    name : str
        Name of the optimizer's class.

    Raises
    ------
    UsageError
        If the factory is not callable, refuses the settings, or makes something that is no optimizer.

    Notes
    -----
    A state is the decoder and the optimizer's own ``state_dict``, so a run can be saved and resumed. The optimizer sees
    gradients in the type of the data: what is below the smallest double is zero to it, unlike for the methods of this
    package. Optimizers that evaluate the loss (LBFGS) get CE - H, which keeps its digits where CE does not. The step
    size of a trajectory is the learning rate ``lr``, 1 for an optimizer without one.

    Examples
    --------
    >>> from ntp_theory.descent import descend
    >>> data = NTPDataset([[1.0]], [[1.0, 0.0]])
    >>> descend(data, TorchOptimizer(torch.optim.SGD, lr=1.0, momentum=0.9), steps=100)
    Trajectory(method='SGD', steps=100, recorded=31, gap=2.417e-08 nats, norm=12.4)
    """

    def __init__(self, factory: Callable[..., torch.optim.Optimizer], **settings: Any) -> None:
        self._factory, self._settings = factory, settings
        try:
            optimizer: object = factory([torch.nn.Parameter(torch.zeros(1, 1))], **settings)
        except Exception as error:  # whatever a callable may raise
            raise UsageError(f"factory is {factory!r} with {settings!r}; it makes no optimizer: {error}") from error
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise UsageError(f"factory is {factory!r}; it must make a torch.optim.Optimizer, not {optimizer!r}")
        self.name = type(optimizer).__name__
        groups = optimizer.state_dict()["param_groups"]
        self._repr = f"TorchOptimizer({self.name}, {groups!r})"

    def __repr__(self) -> str:
        return self._repr

    def init(self, data: NTPDataset, weights: Tensor) -> TorchState:
        """Start at ``weights`` (V, d)."""
        return _state(data, self._optimizer(torch.nn.Parameter(weights)))

    def step(self, state: TorchState) -> TorchState:
        """One step of the optimizer."""
        decoder = torch.nn.Parameter(state.weights.clone())
        optimizer = self._optimizer(decoder)
        optimizer.load_state_dict(deepcopy(state.optimizer))  # an optimizer writes over its state

        def closure() -> float:
            decoder.grad = unchecked_gradient(decoder.detach(), state.data)
            try:
                return evaluate(decoder, state.data).gap
            except UsageError:  # not finite, which is for the loop to see
                return math.nan

        optimizer.step(closure)
        return _state(state.data, optimizer)

    def _optimizer(self, decoder: torch.nn.Parameter) -> torch.optim.Optimizer:
        return self._factory([decoder], **self._settings)


def _state(data: NTPDataset, optimizer: torch.optim.Optimizer) -> TorchState:
    group = optimizer.param_groups[0]
    return TorchState(group["params"][0].detach(), data, float(group.get("lr", 1.0)), optimizer.state_dict())
