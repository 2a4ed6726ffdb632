"""Gradient descent that finds its step sizes by itself: backtracking on the exact split of the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive
from ...errors import UsageError
from ...loss import LossParts, evaluate
from ..gradients.direction import exp_or_inf, unit_gradient
from ..smoothness import default_step_size
from .schedule import log_sum

__all__ = ["LineSearch"]

# A step must lower the loss by this share of what the slope promises; every step up to 1/L lowers it by half or more.
SHARE = 0.5
# A step that is taken earns a first trial twice as long, one that is refused is halved.
FACTOR = math.log(2.0)


@dataclass(frozen=True, eq=False)
class LineSearchState:
    """W_k (V, d), what it descends on, its loss in two parts, and logarithms of step sizes.

    They are the last step size, the first trial of the next step, 1/L, and the sum of all step sizes. ``reach`` is the
    length of the longest embedding.
    """

    weights: Tensor
    data: NTPDataset
    in_support: float
    log_tail: float
    log_step_size: float
    log_trial: float
    log_safe: float
    log_elapsed: float
    reach: float

    @property
    def step_size(self) -> float:
        """The last step size; inf beyond the largest double."""
        return exp_or_inf(self.log_step_size)


@dataclass(frozen=True)
class LineSearch:
    """``W_{k+1} = W_k - eta_k grad CE(W_k)``, with eta_k by backtracking to the Armijo condition.

    A step is taken if ``CE(W_k) - CE(W_{k+1}) >= eta_k / 2 ||grad CE(W_k)||^2``, rounding granted, and halved if not.
    The next step first tries twice the size. Steps up to one over `smoothness_bound` meet the condition by themselves.

    Parameters
    ----------
    step_size : float, optional
        The first trial; one over `smoothness_bound` of the data if not given.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number.

    Notes
    -----
    The difference of the losses is taken on their two parts, that of the tails in logarithms, so the search works where
    the loss is far below the rounding error of CE, or below the smallest double. On one-hot separable data the step
    sizes grow as the loss falls, and the loss falls exponentially; with several next tokens they stay at about one over
    the curvature of the loss on F.

    Source: 2402.18551 Section 4 (`bias/theorem-2`), with step sizes that vary; ours (`bias/split`,
    `bias/smoothness`).

    Examples
    --------
    >>> method = LineSearch(step_size=4.0)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.zeros(2, 1, dtype=torch.float64))
    >>> method.step(state).weights.tolist(), method.step(state).step_size
    ([[1.0], [-1.0]], 2.0)
    """

    step_size: float | None = None
    name: ClassVar[str] = "line-search"

    def __post_init__(self) -> None:
        if self.step_size is not None:
            object.__setattr__(self, "step_size", positive("step_size", self.step_size))

    def init(self, data: NTPDataset, weights: Tensor) -> LineSearchState:
        """Start at ``weights`` (V, d)."""
        safe = math.log(default_step_size(data))
        trial = safe if self.step_size is None else math.log(self.step_size)
        reach = float(data.ranks.max(torch.linalg.vector_norm(data.embeddings, dim=1).max()))
        loss = evaluate(weights, data)
        return LineSearchState(weights, data, loss.in_support, loss.log_tail, trial, trial, safe, -math.inf, reach)

    def step(self, state: LineSearchState) -> LineSearchState:
        """One step down the gradient; none where that is exactly zero."""
        unit, log_norm = unit_gradient(state.weights, state.data)
        if log_norm == -math.inf:
            return state
        log_step = state.log_trial
        while True:
            weights = state.weights - exp_or_inf(log_step + log_norm) * unit
            loss = _loss(weights, state.data)
            promised = log_step + 2 * log_norm
            if loss is not None and (log_step <= state.log_safe or _fall(state, loss, promised) >= SHARE):
                break
            log_step -= FACTOR if log_step <= state.log_safe else min(FACTOR, log_step - state.log_safe)
        return replace(
            state,
            weights=weights,
            in_support=loss.in_support,
            log_tail=loss.log_tail,
            log_step_size=log_step,
            log_trial=log_step + FACTOR,
            log_elapsed=log_sum(state.log_elapsed, log_step),
        )


def _loss(weights: Tensor, data: NTPDataset) -> LossParts | None:
    """The split of the loss; None where logits leave the numbers."""
    try:
        return evaluate(weights, data)
    except UsageError:
        return None


def _fall(before: LineSearchState, after: LossParts, log_unit: float) -> float:
    """How far the loss may have fallen, rounding granted, in units of exp(log_unit), which may be below every double.

    Without that grace a step too short to move the decoder would be refused, and never get longer.
    """
    precision = torch.finfo(before.weights.dtype).eps
    rounding = 8 * precision * (1 + before.reach * float(torch.linalg.vector_norm(before.weights)))  # of a logit
    total = 0.0
    if before.log_tail > -math.inf:
        change = math.expm1(min(after.log_tail - before.log_tail, 700.0))
        total = (rounding - change) * exp_or_inf(before.log_tail - log_unit)
    if (largest := max(before.in_support, after.in_support)) > 0.0:
        hidden = rounding * math.sqrt(largest) + rounding**2
        total += (before.in_support - after.in_support + hidden) * exp_or_inf(-log_unit)
    return total
