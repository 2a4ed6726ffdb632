"""Gradient descent on the logarithm of the loss: step sizes that grow as fast as the loss falls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive
from ...errors import UsageError
from ...loss import evaluate
from ..gradients.direction import exp_or_inf, unit_gradient
from .schedule import log_sum

__all__ = ["GrowingStepDescent", "one_hot_step_size"]


def one_hot_step_size(data: NTPDataset) -> float:
    """``1 / (2 max_j ||h_j||^2)``, one over the smoothness constant of log CE on one-hot data.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    float
        1 if every embedding is zero: the loss is then constant.

    Notes
    -----
    A context with one next token has a Hessian of at most ``2 eps_j ||h_j||^2``, and ``eps_j <= -log(1 - eps_j)``, its
    loss; so the Hessian of log CE is at most ``2 max_j ||h_j||^2``, everywhere. Source: ours (`bias/smoothness`).

    Examples
    --------
    >>> one_hot_step_size(NTPDataset([[2.0]], [[1.0, 0.0]]))
    0.125
    """
    largest = float(data.ranks.max(data.embeddings.double().square().sum(1).max()))
    return 0.5 / largest if largest > 0.0 else 1.0


@dataclass(frozen=True, eq=False)
class GrowingState:
    """W_k (V, d), what it descends on, eta, and the logarithms of the last step size and of the sum of all."""

    weights: Tensor
    data: NTPDataset
    rate: float
    log_step_size: float
    log_elapsed: float

    @property
    def step_size(self) -> float:
        """The last step size; inf beyond the largest double."""
        return exp_or_inf(self.log_step_size)


@dataclass(frozen=True)
class GrowingStepDescent:
    """``W_{k+1} = W_k - eta_k grad CE(W_k)`` with ``eta_k = eta / CE(W_k)``, on one-hot data.

    Parameters
    ----------
    step_size : float, optional
        Eta; `one_hot_step_size` of the data if not given, with which every step lowers log CE by at least
        ``eta / 2 ||grad log CE||^2``.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number. From `init`, if some context of the data has several next
        tokens: the curvature of the loss on F does not fall with the loss, so steps above ``2 / lambda_max(H_F)``
        diverge there (`bias/ngd-plateau`); use `SplitNormalisedDescent`.

    Notes
    -----
    On separable data the loss falls exponentially, and the margin comes within O(1/k) of the best. Step sizes are kept
    as logarithms, so the run goes on where the loss is below the smallest double.

    Source: 1803.01905 and 1906.04540 (`classical/nacson`, `classical/primal-dual`).

    Examples
    --------
    >>> import torch
    >>> method = GrowingStepDescent(step_size=0.5)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.tensor([[900.0], [0.0]], dtype=torch.float64))
    >>> method.step(state).weights.tolist(), round(method.step(state).log_step_size - math.log(0.5), 6)
    ([[900.5], [-0.5]], 900.0)
    """

    step_size: float | None = None
    name: ClassVar[str] = "growing"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))

    def init(self, data: NTPDataset, weights: Tensor) -> GrowingState:
        """Start at ``weights`` (V, d)."""
        several = (data.pattern.sizes > 1).nonzero()[:, 0].tolist()
        if any(data.ranks.gather(bool(several))):
            which = f"context {data.context_name(several[0])}" if several else "a context of another process"
            raise UsageError(
                f"method is {self.name!r}, but {which} has several next tokens; with growing step sizes every context "
                "must have one, since they diverge on F (use 'split')"
            )
        rate = one_hot_step_size(data) if self.step_size is None else self.step_size
        return GrowingState(weights, data, rate, math.log(rate), -math.inf)

    def step(self, state: GrowingState) -> GrowingState:
        """One step down the gradient of log CE; none where that is exactly zero."""
        unit, log_norm = unit_gradient(state.weights, state.data)
        if log_norm == -math.inf:
            return state
        log_step = math.log(state.rate) - evaluate(state.weights, state.data).log_tail
        weights = state.weights - exp_or_inf(log_step + log_norm) * unit
        return GrowingState(weights, state.data, state.rate, log_step, log_sum(state.log_elapsed, log_step))
