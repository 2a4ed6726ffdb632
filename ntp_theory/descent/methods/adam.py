"""Adam and AdamW, exact at any size of the gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import nonnegative, positive, share
from ...errors import UsageError
from ...scaled import Scaled
from ..gradients.residual import gradient_entries
from .schedule import decayed, log_decayed, log_sum
from .sign import entrywise_reach

__all__ = ["Adam", "AdamW"]


@dataclass(frozen=True, eq=False)
class AdamState:
    """W_k (V, d), what it descends on, the first and the last eta, k, the sum of eta, and the two moments."""

    weights: Tensor
    data: NTPDataset
    first: float
    step_size: float
    count: int
    log_elapsed: float
    mean: Scaled
    square: Scaled


@dataclass(frozen=True)
class Adam:
    """``W_{k+1} = W_k - eta_k m / (sqrt(v) + eps)``, m and v averages of gradients and of their squares.

    With g = grad CE(W_k), entry by entry: ``M <- beta_1 M + (1 - beta_1) g`` and ``Q <- beta_2 Q + (1 - beta_2) g^2``
    from 0, ``m = M / (1 - beta_1^{k+1})`` and ``v = Q / (1 - beta_2^{k+1})``.

    Parameters
    ----------
    step_size : float, optional
        Eta in ``eta_k = eta (k + 1)^-decay``; `entrywise_reach` of the data if not given.
    betas : (float, float)
        Beta_1 and beta_2, each from 0 to below 1.
    eps : float
        With 0, as in the theory, an entry moves however small its gradient is; with more, no longer than that is larger
        than about eps.
    decay : float
        From 0 (constant step size) to 1.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number, or another setting not in its range.

    Notes
    -----
    On separable one-hot data, with eps = 0 and a decay of 1/3, the margin relative to the largest entry of W_k comes
    within ``O((d log k + d m) / k^(1/3))`` of the best. Moments carry scales of their own, so that their ratio is right
    where they are below the smallest double; the ratio of two zeros is 0. The elapsed time is the sum of the eta_k.

    Source: Kingma and Ba 2015; 2502.04664 (`steepest/adam`). On several next tokens a context: `bias/adam-plateau`.

    Examples
    --------
    >>> start = torch.tensor([[900.0], [0.0]], dtype=torch.float64)
    >>> for eps in (0.0, 1e-8):
    ...     method = Adam(step_size=0.5, eps=eps)
    ...     state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), start)
    ...     print((method.step(state).weights - start).tolist())
    [[0.5], [-0.5]]
    [[0.0], [0.0]]
    """

    step_size: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    decay: float = 1 / 3
    name: ClassVar[str] = "adam"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise UsageError(f"betas is {self.betas!r}; it must be a pair (beta_1, beta_2)")
        betas = tuple(share(f"betas[{i}]", beta, below_one=True) for i, beta in enumerate(self.betas))
        object.__setattr__(self, "betas", betas)
        object.__setattr__(self, "eps", nonnegative("eps", self.eps))
        object.__setattr__(self, "decay", share("decay", self.decay))

    def init(self, data: NTPDataset, weights: Tensor) -> AdamState:
        """Start at ``weights`` (V, d), with moments of 0."""
        first = entrywise_reach(data) if self.step_size is None else self.step_size
        nothing = Scaled(torch.zeros_like(weights), torch.full_like(weights, -torch.inf))
        return AdamState(weights, data, first, first, 0, -math.inf, nothing, nothing)

    def step(self, state: AdamState) -> AdamState:
        """One step."""
        gradient, count = gradient_entries(state.weights, state.data), state.count + 1
        mean = state.mean.average(gradient, self.betas[0])
        square = state.square.average(gradient.square(), self.betas[1])
        step_size = decayed(state.first, self.decay, state.count)
        weights = self._shrunk(state.weights, step_size) - step_size * self._ratio(mean, square, count)
        elapsed = log_sum(state.log_elapsed, log_decayed(state.first, self.decay, state.count))
        return AdamState(weights, state.data, state.first, step_size, count, elapsed, mean, square)

    def _ratio(self, mean: Scaled, square: Scaled, count: int) -> Tensor:
        """``m / (sqrt(v) + eps)``, by its inverse relative to the scale of m."""
        full = [1.0 - beta**count for beta in self.betas]
        # mean without a scale is zero, and so is the ratio
        scale = torch.where(mean.log_scale > -torch.inf, mean.log_scale, 0.0)
        root = square.rows.sqrt() * (0.5 * square.log_scale - scale).exp() / math.sqrt(full[1])
        floor = ((math.log(self.eps) if self.eps else -math.inf) - scale).exp()
        ratio = mean.rows / full[0] / (root + floor)
        return torch.where(mean.rows == 0, 0.0, ratio)

    def _shrunk(self, weights: Tensor, step_size: float) -> Tensor:
        """What the step starts from."""
        return weights


@dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with weight decay: ``W_{k+1} = (1 - eta_k weight_decay) W_k - eta_k m / (sqrt(v) + eps)``.

    Parameters
    ----------
    step_size, betas, eps, decay
        As for `Adam`.
    weight_decay : float
        At least 0. Above it entries of W stay within about ``1 / weight_decay``, so the loss has a floor.

    Raises
    ------
    UsageError
        As for `Adam`; if ``weight_decay`` is not a number of at least 0.

    Notes
    -----
    Source: Loshchilov and Hutter 2019.

    Examples
    --------
    >>> method = AdamW(step_size=0.5, weight_decay=1.0)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.tensor([[900.0], [0.0]], dtype=torch.float64))
    >>> method.step(state).weights.tolist()
    [[450.0], [0.0]]
    """

    weight_decay: float = 0.01
    name: ClassVar[str] = "adamw"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "weight_decay", nonnegative("weight_decay", self.weight_decay))

    def _shrunk(self, weights: Tensor, step_size: float) -> Tensor:
        return (1.0 - step_size * self.weight_decay) * weights
