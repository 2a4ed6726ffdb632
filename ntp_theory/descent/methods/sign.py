"""Sign descent and Signum: steepest descent in the norm of the largest entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...dataset import NTPDataset
from ...doors import share
from ...scaled import Scaled
from ..gradients.residual import gradient_entries
from .steepest import SteepestDescent

__all__ = ["SignDescent", "Signum", "entrywise_reach"]


def entrywise_reach(data: NTPDataset) -> float:
    """The largest eta with which steps of at most eta an entry move no logit by more than 1: ``1 / max_j ||h_j||_1``.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    float
        1 if every embedding is zero: the loss is then constant.

    Examples
    --------
    >>> entrywise_reach(NTPDataset([[2.0, -2.0], [1.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]]))
    0.25
    """
    largest = float(data.ranks.max(data.embeddings.abs().sum(1).max()))
    return 1.0 / largest if largest > 0.0 else 1.0


@dataclass(frozen=True)
class SignDescent(SteepestDescent):
    """``W_{k+1} = W_k - eta_k sign(grad CE(W_k))`` with ``eta_k = eta (k + 1)^-decay``.

    Parameters
    ----------
    step_size : float, optional
        Eta; `entrywise_reach` of the data if not given.
    decay : float
        From 0 (constant step size) to 1.

    Raises
    ------
    UsageError
        If ``step_size`` is not a positive finite number, or ``decay`` not a number from 0 to 1.

    Notes
    -----
    On separable one-hot data and with a decay of 1/2 the margin relative to the largest entry of W_k comes within
    ``O((log k + m) / sqrt(k))`` of the best. Signs are those of the gradient at any size of it; where rounding cannot
    tell an entry from zero, the sign is 0. The elapsed time is the sum of the eta_k.

    Source: 2502.04664 (`steepest/theorem-1`).

    Examples
    --------
    >>> import torch
    >>> method = SignDescent(step_size=0.5)
    >>> start = torch.tensor([[900.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    >>> state = method.init(NTPDataset([[1.0, -3.0]], [[1.0, 0.0]]), start)
    >>> (method.step(state).weights - start).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """

    name: ClassVar[str] = "sign"

    def _gradient(self, weights: Tensor, data: NTPDataset) -> Scaled:
        return gradient_entries(weights, data)

    def _direction(self, gradient: Scaled, data: NTPDataset) -> Tensor:
        return gradient.rows.sign()

    def _default_step_size(self, data: NTPDataset) -> float:
        return entrywise_reach(data)


@dataclass(frozen=True)
class Signum(SignDescent):
    """``W_{k+1} = W_k - eta_k sign(M_{k+1})``, ``M_{k+1} = beta M_k + (1 - beta) grad CE(W_k)``, from M_0 = 0.

    Parameters
    ----------
    step_size, decay
        As for `SignDescent`.
    beta : float
        From 0 to below 1.

    Raises
    ------
    UsageError
        As for `SignDescent`; if ``beta`` is not in its range.

    Notes
    -----
    The margin comes within ``O((d log k + d m) / sqrt(k))`` of the best. Source: 2502.04664 (`steepest/theorem-2`).

    Examples
    --------
    >>> import torch
    >>> method = Signum(step_size=1.0, decay=0.0, beta=0.5)
    >>> state = method.init(NTPDataset([[2.0]], [[0.5, 0.5]]), torch.tensor([[0.25], [-0.25]], dtype=torch.float64))
    >>> for _ in range(2):
    ...     state = method.step(state)
    ...     print(state.weights.tolist())
    [[-0.75], [0.75]]
    [[0.25], [-0.25]]
    """

    beta: float = 0.9
    name: ClassVar[str] = "signum"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta", share("beta", self.beta, below_one=True))

    def _smooth(self, memory: Scaled, gradient: Scaled) -> tuple[Scaled, Scaled]:
        memory = memory.average(gradient, self.beta)
        return memory, memory
