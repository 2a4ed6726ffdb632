"""Split-normalised descent: ordinary steps on the data subspace F, steps of constant length off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive
from ...loss import gradient_parts
from ...subspace import data_subspace
from ..gradients.projection import finite_part
from ..smoothness import default_step_size
from .normalised import default_length
from .schedule import log_sum

__all__ = ["SplitNormalisedDescent"]

# What the projection leaves of a matrix in F: rounding, relative to the matrix.
NOTHING = 1e-10


@dataclass(frozen=True, eq=False)
class SplitState:
    """W_k (V, d), what it descends on, eta, eta_F, and the sum of the eta / ||P_perp grad CE||."""

    weights: Tensor
    data: NTPDataset
    step_size: float
    finite_step_size: float
    log_elapsed: float


@dataclass(frozen=True)
class SplitNormalisedDescent:
    """``W_{k+1} = W_k - eta_F P_F g - eta P_perp g / ||P_perp g||`` with ``g = grad CE(W_k)``.

    Parameters
    ----------
    step_size : float, optional
        Eta, the length of a step off F; `default_length` of the data if not given.
    finite_step_size : float, optional
        Eta_F, the step size on F; one over `smoothness_bound` of the data if not given.

    Raises
    ------
    UsageError
        If a step size is not a positive finite number.

    Notes
    -----
    For separable data: P_F W_k goes to W* linearly, and the margin of P_perp W_k comes within O(1/k) of the best, as
    normalised descent does on one-hot data. On other data nothing pulls P_perp W_k away for ever, and its steps do not
    get shorter; run on ``predict(data).reference`` instead. The elapsed time is the sum of the effective step sizes off
    F, ``eta / ||P_perp g||``.

    Source: ours (`bias/split-normalised`, `bias/tail-exact`).

    Examples
    --------
    >>> method = SplitNormalisedDescent(step_size=0.5, finite_step_size=1.0)
    >>> state = method.init(NTPDataset([[1.0]], [[0.75, 0.25, 0.0]]), torch.zeros(3, 1, dtype=torch.float64))
    >>> method.step(state).weights.flatten().round(decimals=4)
    tensor([ 0.4541, -0.0459, -0.4082], dtype=torch.float64)
    """

    step_size: float | None = None
    finite_step_size: float | None = None
    name: ClassVar[str] = "split"

    def __post_init__(self) -> None:
        for part in ("step_size", "finite_step_size"):
            if getattr(self, part) is not None:
                object.__setattr__(self, part, positive(part, getattr(self, part)))

    def init(self, data: NTPDataset, weights: Tensor) -> SplitState:
        """Start at ``weights`` (V, d)."""
        data_subspace(data)  # factorised once; refuses a shard of the contexts
        step_size = default_length(data) if self.step_size is None else self.step_size
        finite = default_step_size(data) if self.finite_step_size is None else self.finite_step_size
        return SplitState(weights, data, step_size, finite, -math.inf)

    def step(self, state: SplitState) -> SplitState:
        """One step on F and one off it."""
        parts = gradient_parts(state.weights, state.data)
        tail = finite_part(parts.tail, state.data)
        across = parts.tail - tail
        finite = parts.in_support + math.exp(parts.log_scale) * tail
        weights, elapsed = state.weights - state.finite_step_size * finite, state.log_elapsed
        norm, size = (float(torch.linalg.vector_norm(x)) for x in (across, parts.tail))
        if norm > NOTHING * size:
            weights = weights - (state.step_size / norm) * across
            elapsed = log_sum(elapsed, math.log(state.step_size) - math.log(norm) - parts.log_scale)
        return SplitState(weights, state.data, state.step_size, state.finite_step_size, elapsed)
