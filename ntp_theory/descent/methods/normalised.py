"""Normalised gradient descent: steps of a given length, however small the gradient is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive, share
from ..gradients.direction import unit_gradient
from .schedule import decayed, log_decayed, log_sum

__all__ = ["NormalisedGradientDescent", "default_length"]

# Share of a nat by which one step may move a logit, unless told otherwise.
REACH = 0.1


def default_length(data: NTPDataset) -> float:
    """Length of a step that moves no logit by more than 0.1 nats: ``0.1 / max_j ||h_j||``.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    float
        1 if every embedding is zero: the loss is then constant.

    Examples
    --------
    >>> default_length(NTPDataset([[2.0], [1.0]], [[0.5, 0.5], [1.0, 0.0]]))
    0.05
    """
    longest = float(data.ranks.max(torch.linalg.vector_norm(data.embeddings, dim=1).max()))
    return REACH / longest if longest > 0.0 else 1.0


@dataclass(frozen=True, eq=False)
class NormalisedState:
    """W_k (V, d), what it descends on, the first and the last eta, k, and the sum of the eta_k / ||grad CE||."""

    weights: Tensor
    data: NTPDataset
    first: float
    step_size: float
    count: int
    log_elapsed: float


@dataclass(frozen=True)
class NormalisedGradientDescent:
    """``W_{k+1} = W_k - eta_k grad CE(W_k) / ||grad CE(W_k)||`` with ``eta_k = eta (k + 1)^-decay``.

    Parameters
    ----------
    step_size : float, optional
        Eta, the length of the first step; `default_length` of the data if not given.
    decay : float
        From 0 (constant) to 1.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number, or ``decay`` not a number from 0 to 1.

    Notes
    -----
    On one-hot data the margin comes within O(1 / sum eta_k) of the best, since the direction of the gradient is
    exact at any size of it (`bias/tail-exact`); with the constant `Limit.margin_gap_constant` if ``eta gamma`` times
    the largest of `ActiveConstraints.rates` is below 2, with a larger one beyond. Where some context has several next
    tokens, constant steps do not converge: they end in an orbit of radius eta/2 around W*, with an effective step size
    of ``2 / lambda_max(H_F)`` off F (`bias/ngd-plateau`). The elapsed time is the sum of the effective step sizes
    ``eta_k / ||grad CE(W_k)||``.

    Source: 2402.18551 App. A.2, Fig. 5; plateau ours (`bias/ngd-plateau`); rates 1803.01905, 1906.04540
    (`classical/nacson`, `classical/primal-dual`).

    Examples
    --------
    >>> method = NormalisedGradientDescent(step_size=0.5)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.tensor([[900.0], [0.0]], dtype=torch.float64))
    >>> (method.step(state).weights - state.weights).norm()
    tensor(0.5000, dtype=torch.float64)
    """

    step_size: float | None = None
    decay: float = 0.0
    name: ClassVar[str] = "ngd"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))
        object.__setattr__(self, "decay", share("decay", self.decay))

    def init(self, data: NTPDataset, weights: Tensor) -> NormalisedState:
        """Start at ``weights`` (V, d)."""
        first = default_length(data) if self.step_size is None else self.step_size
        return NormalisedState(weights, data, first, first, 0, -math.inf)

    def step(self, state: NormalisedState) -> NormalisedState:
        """One step of length eta_k; none where the gradient is exactly zero."""
        unit, log_norm = unit_gradient(state.weights, state.data)
        if log_norm == -math.inf:
            return replace(state, count=state.count + 1)
        step_size = decayed(state.first, self.decay, state.count)
        elapsed = log_sum(state.log_elapsed, log_decayed(state.first, self.decay, state.count) - log_norm)
        weights = state.weights - step_size * unit
        return NormalisedState(weights, state.data, state.first, step_size, state.count + 1, elapsed)
