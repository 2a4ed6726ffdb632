"""Momentum in the dual of the margin problem: Nesterov's acceleration where the multipliers live."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import positive
from ...finite_part import InSupportLoss
from ...subspace import data_subspace
from ..gradients.projection import finite_part
from ..smoothness import default_step_size
from .growing import one_hot_step_size
from .schedule import log_sum

__all__ = ["DualMomentum"]


@dataclass(frozen=True, eq=False)
class DualMomentumState:
    """W_k and the momentum G_{k-1} (V, d), what they descend on, theta, eta_F, k, and the elapsed time."""

    weights: Tensor
    momentum: Tensor
    data: NTPDataset
    step_size: float
    finite_step_size: float
    count: int
    log_elapsed: float


@dataclass(frozen=True)
class DualMomentum:
    """Off F ``G_k = k/(k+1) (G_{k-1} + D_k)``, ``W_{k+1} = W_k - theta (G_k + D_k)``; on F gradient descent.

    ``D_k = P_perp sum_{j,v} q_{jv} (e_v - e_z) h_j^T``, any z in S_j, is the gradient of the logarithm of the
    exponential loss ``sum_j pi_j sum_{v not in S_j} exp(l_v - lse_{S_j}(l))``, l the logits of context j; the weights q
    of the constraints are its terms, made to sum to 1.

    Parameters
    ----------
    step_size : float, optional
        Theta; `one_hot_step_size` of the data if not given, since no constraint has a longer normal than
        ``sqrt(2) max_j ||h_j||``.
    finite_step_size : float, optional
        Step size of gradient descent on CE_F, on F; one over `smoothness_bound` of the data if not given.

    Raises
    ------
    UsageError
        If a step size is not a positive finite number.

    Notes
    -----
    On one-hot data of equal weights this is Algorithm 1 of the source, with one constraint for every pair of a context
    and another token; other weights pi start its dual at q proportional to pi. With several next tokens it is the same
    algorithm for the normals of the constraints in F_perp, which do not depend on z; the weights settle once P_F W_k
    has. It is meant for separable data, where the margin of P_perp W_k comes within O(log k / k^2) of the best; on
    other data run it on ``predict(data).reference``. The norm grows like k^2, the loss falls like exp(-c k^2). The
    elapsed time is the sum of the step sizes that would move a gradient of CE by as much, ``theta (2k+1)/(k+1)`` over
    the off-support mass.

    Source: 2107.00595 Algorithm 1 (`classical/dual-momentum`); the part on F is ours (`bias/split-normalised`).

    Examples
    --------
    >>> method = DualMomentum(step_size=0.5)
    >>> state = method.init(NTPDataset([[1.0]], [[1.0, 0.0]]), torch.zeros(2, 1, dtype=torch.float64))
    >>> method.step(state).weights.tolist(), method.step(method.step(state)).weights.tolist()
    ([[0.5], [-0.5]], [[1.25], [-1.25]])
    """

    step_size: float | None = None
    finite_step_size: float | None = None
    name: ClassVar[str] = "dual-momentum"

    def __post_init__(self) -> None:
        for part in ("step_size", "finite_step_size"):
            if getattr(self, part) is not None:
                object.__setattr__(self, part, positive(part, getattr(self, part)))

    def init(self, data: NTPDataset, weights: Tensor) -> DualMomentumState:
        """Start at ``weights`` (V, d), without momentum."""
        data_subspace(data)  # factorised once; refuses a shard of the contexts
        step_size = one_hot_step_size(data) if self.step_size is None else self.step_size
        finite = default_step_size(data) if self.finite_step_size is None else self.finite_step_size
        return DualMomentumState(weights, torch.zeros_like(weights), data, step_size, finite, 0, -math.inf)

    def step(self, state: DualMomentumState) -> DualMomentumState:
        """One step on F and one off it."""
        data, weights, momentum, elapsed = state.data, state.weights, state.momentum, state.log_elapsed
        if data.pattern.num_off_support:
            pull, log_mass = _pull(weights, data)
            share = state.count / (state.count + 1)
            momentum = share * (momentum + pull)
            weights = weights - state.step_size * (momentum + pull)
            elapsed = log_sum(elapsed, math.log(state.step_size) + math.log1p(share) - log_mass)
        if len(data.pattern.tokens) > data.num_contexts:
            weights = weights - state.finite_step_size * InSupportLoss(data).gradient(state.weights)
        return DualMomentumState(
            weights, momentum, data, state.step_size, state.finite_step_size, state.count + 1, elapsed
        )


def _pull(weights: Tensor, data: NTPDataset) -> tuple[Tensor, float]:
    """D (V, d), and the logarithm of the exponential loss."""
    logits, pattern = data.embeddings @ weights.T, data.pattern
    level = pattern.logsumexp(pattern.inside(logits))
    terms = pattern.outside(logits) + (data.weights.log() - level)[:, None]
    log_mass = float(torch.logsumexp(terms.flatten(), 0))
    q = (terms - log_mass).exp_()
    # all of a context's weight goes to its first next token: another one would differ by an element of F
    q[torch.arange(len(q), device=q.device), pattern.anchors] = -q.sum(1)
    pull = q.T @ data.embeddings
    return (pull - finite_part(pull, data) if len(pattern.tokens) > len(q) else pull), log_mass
