"""Spectral descent and Muon: steepest descent in the norm of the largest singular value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...doors import share
from ...errors import UsageError
from ...scaled import Scaled
from ..gradients.polar import polar_factor
from ..gradients.residual import scaled_residual
from .steepest import SteepestDescent, SteepestState

__all__ = ["Muon", "SpectralDescent"]


@dataclass(frozen=True)
class SpectralDescent(SteepestDescent):
    """``W_{k+1} = W_k - eta_k U V^T`` with ``U S V^T = grad CE(W_k)`` and ``eta_k = eta (k + 1)^-decay``.

    Parameters
    ----------
    step_size : float, optional
        Eta; ``1 / max_j ||h_j||`` if not given, with which the first step moves no logit by more than 1 nat.
    decay : float
        From 0 (constant step size) to 1.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number, or ``decay`` not a number from 0 to 1. From `init`, if the
        contexts are shared out among processes: singular vectors need all of them.

    Notes
    -----
    On separable one-hot data and with a decay of 1/2 the margin relative to the largest singular value of W_k comes
    within ``O((log k + m) / sqrt(k))`` of the best. U and V have a column for every singular value that is not zero,
    and each is right at any size of it (`polar_factor`). The elapsed time is the sum of the eta_k.

    Source: 2502.04664 (`steepest/theorem-1`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 9.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> method = SpectralDescent(step_size=1.0)
    >>> start = 100 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    >>> (method.step(method.init(data, start)).weights - start).round(decimals=4)
    tensor([[ 0.8165,  0.0000],
            [-0.4082,  0.7071],
            [-0.4082, -0.7071]], dtype=torch.float64)
    """

    name: ClassVar[str] = "spectral"

    def init(self, data: NTPDataset, weights: Tensor) -> SteepestState:
        """Start at ``weights`` (V, d), with an average of 0."""
        if data.ranks.size > 1:
            raise UsageError(f"method is {self.name!r}; it needs all contexts in one process, use data.whole()")
        return super().init(data, weights)

    def _gradient(self, weights: Tensor, data: NTPDataset) -> Scaled:
        # R instead of R^T H: products would lose the contexts of which only the smallest singular values tell
        return scaled_residual(weights, data)

    def _direction(self, gradient: Scaled, data: NTPDataset) -> Tensor:
        return polar_factor(gradient, data.embeddings)

    def _default_step_size(self, data: NTPDataset) -> float:
        longest = float(torch.linalg.vector_norm(data.embeddings, dim=1).max())
        return 1.0 / longest if longest > 0.0 else 1.0


@dataclass(frozen=True)
class Muon(SpectralDescent):
    """``W_{k+1} = W_k - eta_k U V^T`` with ``U S V^T = M_{k+1} = beta M_k + (1 - beta) grad CE(W_k)``, from M_0 = 0.

    Parameters
    ----------
    step_size, decay
        As for `SpectralDescent`.
    beta : float
        From 0 to below 1.
    nesterov : bool
        Take the direction of ``beta M_{k+1} + (1 - beta) grad CE(W_k)`` instead.

    Raises
    ------
    UsageError
        As for `SpectralDescent`; if ``beta`` is not in its range or ``nesterov`` neither True nor False.

    Notes
    -----
    The polar factor is exact, where implementations for networks stop Newton-Schulz iterations early, and the steps
    are not rescaled by the shape of W. The margin comes within ``O((d log k + d m) / sqrt(k))`` of the best. Source:
    2502.04664 (`steepest/theorem-2`), where ``nesterov=False``.

    Examples
    --------
    >>> method = Muon(step_size=1.0, decay=0.0, beta=0.5)
    >>> state = method.init(NTPDataset([[2.0]], [[0.5, 0.5]]), torch.tensor([[0.25], [-0.25]], dtype=torch.float64))
    >>> method.step(state).weights.round(decimals=4)
    tensor([[-0.4571],
            [ 0.4571]], dtype=torch.float64)
    """

    beta: float = 0.95
    nesterov: bool = False
    name: ClassVar[str] = "muon"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta", share("beta", self.beta, below_one=True))
        if not isinstance(self.nesterov, bool):
            raise UsageError(f"nesterov is {self.nesterov!r}; it must be True or False")

    def _smooth(self, memory: Scaled, gradient: Scaled) -> tuple[Scaled, Scaled]:
        memory = memory.average(gradient, self.beta)
        return memory, memory.average(gradient, self.beta) if self.nesterov else memory
