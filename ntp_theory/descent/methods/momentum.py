"""Gradient descent with momentum: the heavy ball, and Nesterov's acceleration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive, share
from ...loss import unchecked_gradient
from ..smoothness import default_step_size

__all__ = ["HeavyBall", "Nesterov"]


@dataclass(frozen=True, eq=False)
class HeavyBallState:
    """W_k and V_k (V, d), what they descend on, eta, beta, and k."""

    weights: Tensor
    velocity: Tensor
    data: NTPDataset
    step_size: float
    momentum: float
    count: int

    @property
    def log_elapsed(self) -> float:
        """Logarithm of the sum of the weights with which gradients have entered W_k, ``~ eta k / (1 - beta)``."""
        if not self.count:
            return -math.inf
        # gradient i has entered with eta (1 + beta + ... + beta^(k - 1 - i))
        rest, k = 1.0 - self.momentum, self.count
        # 1 - beta^k without cancellation
        fading = -math.expm1(k * math.log(self.momentum)) / rest * self.momentum if self.momentum else 0.0
        return math.log(self.step_size) - math.log(rest) + math.log(k - fading)


@dataclass(frozen=True)
class HeavyBall:
    """``V_{k+1} = beta V_k - eta grad CE(W_k)``, ``W_{k+1} = W_k + V_{k+1}``, from V_0 = 0.

    Parameters
    ----------
    step_size : float, optional
        Eta; one over `smoothness_bound` of the data if not given.
    momentum : float
        Beta, from 0 to below 1.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number, or ``momentum`` not from 0 to below 1.

    Notes
    -----
    Late in training the gradient hardly changes from step to step: the method is then gradient descent with the step
    size ``eta / (1 - beta)``, with the same limit and the same laws. The elapsed time counts that. Until then it may
    roll far ahead: where off-support mass has gone before the ball has slowed down, nothing stops it for
    ``eta beta / (1 - beta)^2``, and n nats too far take ``e^n`` times as long to be caught up with by log time.
    `compare` predicts that, and leaves laws unread meanwhile.

    Source: Polyak 1964; the laws of `bias/sharp-gd-loss` with that step size.

    Examples
    --------
    >>> method = HeavyBall(step_size=1.0, momentum=0.5)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.zeros(2, 1, dtype=torch.float64))
    >>> method.step(state).weights.tolist()
    [[0.5], [-0.5]]
    """

    step_size: float | None = None
    momentum: float = 0.9
    name: ClassVar[str] = "momentum"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))
        object.__setattr__(self, "momentum", share("momentum", self.momentum, below_one=True))

    def init(self, data: NTPDataset, weights: Tensor) -> HeavyBallState:
        """Start at ``weights`` (V, d), at rest."""
        step_size = default_step_size(data) if self.step_size is None else self.step_size
        return HeavyBallState(weights, torch.zeros_like(weights), data, step_size, self.momentum, 0)

    def step(self, state: HeavyBallState) -> HeavyBallState:
        """One step."""
        gradient = unchecked_gradient(state.weights, state.data)
        velocity = state.momentum * state.velocity - state.step_size * gradient
        weights = state.weights + velocity
        return HeavyBallState(weights, velocity, state.data, state.step_size, state.momentum, state.count + 1)


@dataclass(frozen=True, eq=False)
class NesterovState:
    """W_k and W_{k-1} (V, d), what they descend on, eta, and k."""

    weights: Tensor
    previous: Tensor
    data: NTPDataset
    step_size: float
    count: int

    @property
    def log_elapsed(self) -> float:
        """Logarithm of ``eta k (k + 3) / 4``, the time in which gradient flow comes as far; -inf at the start."""
        k = self.count
        return math.log(self.step_size) - math.log(4.0) + math.log(k) + math.log(k + 3) if k else -math.inf


@dataclass(frozen=True)
class Nesterov:
    """``W_{k+1} = Y_k - eta grad CE(Y_k)`` with ``Y_k = W_k + k / (k + 3) (W_k - W_{k-1})``.

    Parameters
    ----------
    step_size : float, optional
        Eta; one over `smoothness_bound` of the data if not given, the largest for which the loss is known to fall like
        1/k^2 where it has a minimum.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number.

    Notes
    -----
    On separable data the path is that of ``X'' + 3/t X' = -grad CE(X)`` at ``t = k sqrt(eta)``, and ``X = 2 log(t)
    W_mm`` solves it to leading order with ``CE - inf CE = 4 ||W_mm||^2 / t^2``. So ``eta k^2 / 4 (CE - inf CE)`` goes
    to ``||W_mm||^2``: the time of gradient flow is ``eta k^2 / 4``, and the direction still converges like 1 / log k.

    Source: Nesterov 1983; the constant is ours (`bias/sharp-gd-loss`).

    Examples
    --------
    >>> method = Nesterov(step_size=1.0)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.zeros(2, 1, dtype=torch.float64))
    >>> method.step(state).weights.tolist()
    [[0.5], [-0.5]]
    """

    step_size: float | None = None
    name: ClassVar[str] = "nesterov"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))

    def init(self, data: NTPDataset, weights: Tensor) -> NesterovState:
        """Start at ``weights`` (V, d), at rest."""
        step_size = default_step_size(data) if self.step_size is None else self.step_size
        return NesterovState(weights, weights, data, step_size, 0)

    def step(self, state: NesterovState) -> NesterovState:
        """One step."""
        ahead = state.weights + state.count / (state.count + 3) * (state.weights - state.previous)
        weights = ahead - state.step_size * unchecked_gradient(ahead, state.data)
        return NesterovState(weights, state.weights, state.data, state.step_size, state.count + 1)
