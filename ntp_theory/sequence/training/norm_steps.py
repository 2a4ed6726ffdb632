"""Steepest descent of a whole network in a norm of each matrix: sign descent, spectral descent, Signum and Muon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, cast

import torch
from torch import Tensor

from ...doors import nonnegative, one_of, positive, share

__all__ = ["NormSteps"]


class NormSteps(torch.optim.Optimizer):
    """``P <- (1 - lr weight_decay) P - lr D``: D the steepest direction of length 1 along the averaged gradient of P.

    ``M <- beta M + (1 - beta) grad`` from 0; in the norm "max", that of the largest entry, ``D = sign(M)``, and in
    "spectral" ``D = U V^T`` with ``M = U S V^T``.

    Parameters
    ----------
    params : iterable
        Parameters, or groups of them, as for other optimisers of torch.
    lr : float
        Length of a step in the norm, of every parameter by itself.
    norm : {"max", "spectral"}
        A parameter of more than two dimensions is a matrix of its first and all others; a vector is a column.
    beta : float
        From 0 (no momentum) to below 1.
    weight_decay : float
        At least 0.

    Raises
    ------
    UsageError
        If a setting is out of range.

    Notes
    -----
    `ntp_theory.descent` has the same methods for a decoder on fixed embeddings (`SignDescent`, `SpectralDescent`,
    `Signum`, `Muon`), exact at any size of the gradient; here gradients are those of autograd, in the type of the
    parameters, and singular values down to rounding count as 0. Source: 2502.04664 (`steepest/theorem-1`,
    `steepest/theorem-2`), whose theorems are for one linear layer.

    Examples
    --------
    >>> p = torch.nn.Parameter(torch.zeros(2, 2))
    >>> p.grad = torch.tensor([[3.0, 0.0], [0.0, -4.0]])
    >>> NormSteps([p], lr=0.5, norm="spectral").step()
    >>> p.round(decimals=6).tolist()
    [[-0.5, 0.0], [0.0, 0.5]]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        *,
        norm: Literal["max", "spectral"] = "max",
        beta: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        one_of("norm", norm, ("max", "spectral"))
        defaults = {
            "lr": positive("lr", lr),
            "norm": norm,
            "beta": share("beta", beta, below_one=True),
            "weight_decay": nonnegative("weight_decay", weight_decay),
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            direction = torch.sign if group["norm"] == "max" else _polar
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    mean = state.setdefault("mean", torch.zeros_like(p))
                    mean.lerp_(p.grad, 1.0 - group["beta"])
                    p.mul_(1.0 - group["lr"] * group["weight_decay"]).add_(direction(mean), alpha=-group["lr"])
        return loss


def _polar(matrix: Tensor) -> Tensor:
    """``U V^T`` of the singular values that are more than rounding."""
    flat = matrix.reshape(len(matrix), -1) if matrix.dim() else matrix.reshape(1, 1)
    u, s, vh = torch.linalg.svd(flat, full_matrices=False)
    kept = s > max(flat.shape) * torch.finfo(s.dtype).eps * s.amax()
    return cast(Tensor, (u * kept) @ vh).reshape(matrix.shape)
