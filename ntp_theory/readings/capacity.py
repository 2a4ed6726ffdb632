"""How many contexts can parameters fit: the rank of the Jacobian of the logits.

With k parameters, n contexts and V tokens the logits, centred in each context, move in at most ``min(k, n (V - 1))``
dimensions. Distributions on the n contexts can be chosen freely near the present ones only if the Jacobian has rank
``n (V - 1)``; so a model that fits any n distributions has ``n (V - 1) <= k`` (`capacity/jacobian-rank`). The rank is
at most k less the directions in parameter space that change no logit, so it can stop growing well before that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..doors import check_function
from ..errors import UsageError

__all__ = ["JacobianRank", "jacobian_rank"]


@dataclass(frozen=True, eq=False, repr=False)
class JacobianRank:
    """Outcome of `jacobian_rank`.

    Attributes
    ----------
    num_parameters, num_contexts, vocab_size : int
        k, n and V.
    singular_values : Tensor (min(k, n V),), float64
        Of the Jacobian of the centred logits, largest first. n of them are 0 but for rounding if k >= n V.
    tolerance : float
        Singular values above it count: ``max(k, n V)`` units of rounding of the Frobenius norm of the Jacobian, not
        centred.
    """

    num_parameters: int
    num_contexts: int
    vocab_size: int
    singular_values: Tensor
    tolerance: float

    @property
    def rank(self) -> int:
        """Number of singular values above the tolerance."""
        return int((self.singular_values > self.tolerance).sum())

    @property
    def bound(self) -> int:
        """``min(k, n (V - 1))``."""
        return min(self.num_parameters, self.num_contexts * (self.vocab_size - 1))

    @property
    def is_free(self) -> bool:
        """Whether the rank is n (V - 1): every choice of n distributions close to the present ones is attained."""
        return self.rank == self.num_contexts * (self.vocab_size - 1)

    @property
    def gap(self) -> float:
        """Smallest singular value that counts over the largest that does not; the larger, the clearer the rank."""
        values, rank = self.singular_values, self.rank
        if rank in (0, len(values)) or not float(values[rank]):
            return float("inf")
        return float(values[rank - 1] / values[rank])

    def __repr__(self) -> str:
        return f"<JacobianRank: {self.summary()}>"

    def summary(self) -> str:
        """The answer in words."""
        n, v = self.num_contexts, self.vocab_size
        words = "free to fit" if self.is_free else "not free to fit"
        return (
            f"rank {self.rank} of at most min(k, n (V - 1)) = min({self.num_parameters}, {n * (v - 1)}): "
            f"{words} any distributions near its own on these {n} contexts"
        )


def jacobian_rank(logits: Callable[[Tensor], Tensor], parameters: Tensor) -> JacobianRank:
    """Rank of the Jacobian of centred logits at given parameters.

    Parameters
    ----------
    logits : callable
        From parameters (k,) to logits (n, V), made of differentiable torch operations.
    parameters : Tensor (k,), float64
        Where the rank is taken. It is the same almost everywhere for analytic maps: take a random point.

    Returns
    -------
    JacobianRank

    Raises
    ------
    UsageError
        If the parameters are not a float64 vector, or the logits are no finite float64 matrix of at least one context
        and two tokens that depends on the parameters by differentiable operations, or their Jacobian is not finite.

    Notes
    -----
    The Jacobian is computed with k (V n) numbers in memory; automatic differentiation is exact up to rounding.
    Source: 2405.13718 (`capacity/jacobian-rank`).

    Examples
    --------
    >>> h = torch.eye(2, 3, dtype=torch.float64)  # a linear decoder, V = 4, on two contexts
    >>> found = jacobian_rank(lambda theta: h @ theta.view(4, 3).T, torch.zeros(12, dtype=torch.float64))
    >>> found.rank, found.bound, found.is_free
    (6, 6, True)
    """
    check_function("logits", logits)
    if not (isinstance(parameters, Tensor) and parameters.dtype is torch.float64 and parameters.dim() == 1):
        raise UsageError("parameters must be a float64 vector (k,): rounding in less precision hides the rank")
    with torch.enable_grad():
        sample = logits(parameters.detach().requires_grad_())
    is_matrix = isinstance(sample, Tensor) and sample.layout is torch.strided and sample.dim() == 2
    if not (is_matrix and len(sample) and sample.shape[1] > 1):
        got = f"shape {tuple(sample.shape)}" if isinstance(sample, Tensor) else repr(sample)
        raise UsageError(f"logits gave {got}; it must give a matrix (contexts, tokens), of at least two tokens")
    if sample.dtype is not torch.float64:
        raise UsageError(f"logits gave {sample.dtype}; it must give float64: rounding in less precision hides the rank")
    if not bool(torch.isfinite(sample).all()):
        raise UsageError("logits gave entries that are not finite")
    if not sample.requires_grad:
        raise UsageError("logits gave a matrix without a gradient; it must use differentiable operations of torch")

    jacobian = torch.autograd.functional.jacobian(logits, parameters.detach())
    if not bool(torch.isfinite(jacobian).all()):
        raise UsageError("logits have a derivative that is not finite at these parameters; take others, at random")
    # the rank has no scale, but squares of tiny or huge entries would underflow or overflow in norms
    unit = float(jacobian.abs().amax()) or 1.0
    jacobian = jacobian / unit
    centred = (jacobian - jacobian.mean(1, keepdim=True)).flatten(0, 1)
    # rounding is relative to the Jacobian before it was centred, however little is left of it
    tolerance = max(centred.shape) * torch.finfo(torch.float64).eps * float(jacobian.norm())
    values = unit * torch.linalg.svdvals(centred)
    return JacobianRank(len(parameters), len(sample), sample.shape[1], values, unit * tolerance)
