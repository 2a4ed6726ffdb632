"""Gradient flow of decoder and free embeddings together, integrated with error control, for any loss of the logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import check_function, dense, generator, nonnegative, whole
from ..errors import DatasetError, SolverError, UsageError
from .factors import matrix_of

__all__ = ["FeatureFlow", "cross_entropy_gradient", "feature_flow", "spectral_start", "square_loss_gradient"]

# Relative and absolute error of a step.
RELATIVE, ABSOLUTE = 1e-9, 1e-12

Gradient = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class FeatureFlow:
    """What a gradient flow passed through.

    Attributes
    ----------
    times : Tensor (n,)
    decoders : Tensor (n, V, d)
    features : Tensor (n, d, m)
    """

    times: Tensor
    decoders: Tensor
    features: Tensor

    @property
    def logits(self) -> Tensor:
        """``W H`` (n, V, m)."""
        return self.decoders @ self.features

    def strengths(self, target: ArrayLike | Tensor) -> Tensor:
        """``u_i^T W H t_i`` (n, min(V, m)) for the singular vectors of a target (V, m), the largest first.

        Raises
        ------
        UsageError
            If the target is no such matrix.
        """
        matrix, shape = matrix_of("target", target), self.decoders.shape[1:2] + self.features.shape[2:]
        if matrix.shape != shape:
            raise UsageError(f"target has shape {tuple(matrix.shape)}; it must be that of the logits, {tuple(shape)}")
        u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
        return torch.einsum("vi,nvm,im->ni", u, self.logits, vt)


def feature_flow(
    gradient: Gradient, decoder: ArrayLike | Tensor, features: ArrayLike | Tensor, times: ArrayLike | Tensor
) -> FeatureFlow:
    """Integrate ``W' = -G H^T, H' = -W^T G``, G the gradient of a loss of the logits at WH.

    Parameters
    ----------
    gradient : callable
        From logits (V, m) to the gradient (V, m): `square_loss_gradient`, `cross_entropy_gradient`, or your own.
    decoder : array-like (V, d)
        W(0).
    features : array-like (d, m)
        H(0).
    times : array-like (n,)
        Increasing, from 0 on.

    Returns
    -------
    FeatureFlow
        At the times; integrated by an explicit Runge-Kutta method of order 8 to 1e-9 a step.

    Raises
    ------
    SolverError
        If the integrator gave up, or the gradient is not finite.
    UsageError
        If an argument breaks a rule.

    Notes
    -----
    Source: 2505.08348 (`geometry/saxe-dynamics`, `geometry/semantics`).

    Examples
    --------
    >>> from ntp_theory.geometry.modes import mode_strength
    >>> target = torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64))
    >>> run = feature_flow(square_loss_gradient(target), *spectral_start(target, 4.0, rng=0), [0.0, 2.0, 4.0])
    >>> strengths = run.strengths(target)[:, 0]
    >>> bool((strengths - mode_strength(2.0, 4.0, run.times)).abs().max() < 1e-7)
    True
    """
    check_function("gradient", gradient)
    w, h = matrix_of("decoder", decoder), matrix_of("features", features)
    try:
        t = dense("times", times, 1)
    except DatasetError as error:
        raise UsageError(str(error)) from error
    if w.shape[1] != h.shape[0]:
        raise UsageError(
            f"decoder has shape {tuple(w.shape)} and features {tuple(h.shape)}; (V, d) and (d, m) must fit"
        )
    if t[0] < 0 or not (np.diff(t) > 0).all():
        raise UsageError("times must increase, from 0 or later on")
    split = w.numel()

    def parts(state: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(state[:split]).reshape(w.shape), torch.from_numpy(state[split:]).reshape(h.shape)

    def velocity(_: float, state: NDArray[np.float64]) -> Any:
        decoder, features = parts(state)
        logits = decoder @ features
        g = gradient(logits)
        if not isinstance(g, Tensor) or g.shape != logits.shape:
            got = f"shape {tuple(g.shape)}" if isinstance(g, Tensor) else repr(g)
            raise UsageError(
                f"gradient gives {got}; it must give a Tensor of the shape of the logits, {tuple(logits.shape)}"
            )
        g = g.to(logits)
        if not bool(torch.isfinite(g).all()):  # steps would be halved for ever
            raise SolverError(
                f"the gradient is not finite at logits up to {float(logits.abs().max()):.3g}", best=logits
            )
        return -torch.cat([(g @ features.mT).flatten(), (decoder.mT @ g).flatten()]).numpy()

    start = torch.cat([w.flatten(), h.flatten()]).numpy()
    found = solve_ivp(
        velocity, (0.0, max(float(t[-1]), 1e-300)), start, method="DOP853", t_eval=t, rtol=RELATIVE, atol=ABSOLUTE
    )
    if not found.success:
        raise SolverError(f"the flow stopped at t = {found.t[-1] if len(found.t) else 0.0:g}", status=found.message)
    states = [parts(np.ascontiguousarray(state)) for state in found.y.T]
    return FeatureFlow(
        torch.from_numpy(t), torch.stack([each for each, _ in states]), torch.stack([each for _, each in states])
    )


def spectral_start(
    target: ArrayLike | Tensor, delta: float, *, dim: int | None = None, rng: int | np.random.Generator
) -> tuple[Tensor, Tensor]:
    """``W = e^-delta U R^T`` (V, d) and ``H = e^-delta R T^T`` (d, m), with the singular vectors of a target of rank r.

    Parameters
    ----------
    target : array-like (V, m)
    delta : float
        At least 0.
    dim : int, optional
        d, at least r; r if not given.
    rng : int or numpy.random.Generator
        Draws the orthonormal columns of R (d, r).

    Raises
    ------
    UsageError
        If the target is no finite matrix, or 0, or another argument is out of range.

    Examples
    --------
    >>> w, h = spectral_start([[3.0, 0.0], [0.0, 1.0]], 1.0, rng=0)
    >>> round(float((w @ h).trace() * torch.e**2), 9)
    2.0
    """
    u, s, vt = torch.linalg.svd(matrix_of("target", target), full_matrices=False)
    rank = int((s > 1e-12 * s[0]).sum())
    if not rank:
        raise UsageError("target is 0; it must have a positive singular value")
    d = rank if dim is None else whole("dim", dim, at_least=rank)
    frame = torch.from_numpy(np.linalg.qr(generator(rng).standard_normal((d, rank)))[0])
    size = float(np.exp(-nonnegative("delta", delta)))
    return size * u[:, :rank] @ frame.mT, size * frame @ vt[:rank]


def square_loss_gradient(target: ArrayLike | Tensor) -> Gradient:
    """The gradient of ``||L - target||^2 / 2``.

    Parameters
    ----------
    target : array-like (V, m)

    Raises
    ------
    UsageError
        If it is no finite matrix.

    Examples
    --------
    >>> square_loss_gradient(torch.ones(1, 1))(torch.zeros(1, 1)).item()
    -1.0
    """
    matrix = matrix_of("target", target)
    return lambda logits: logits - matrix


def cross_entropy_gradient(data: NTPDataset) -> Gradient:
    """The gradient ``pi_j (softmax(l_j) - p_j)`` of CE in the logits (V, m).

    Examples
    --------
    >>> cross_entropy_gradient(NTPDataset([[1.0]], [[1.0, 0.0]]))(torch.zeros(2, 1, dtype=torch.float64)).flatten()
    tensor([-0.5000,  0.5000], dtype=torch.float64)
    """
    joint = as_dataset("data", data).to(device="cpu", dtype=torch.float64)
    weights, conditionals = joint.weights, joint.probabilities.to_dense().mT
    return lambda logits: weights * (torch.softmax(logits, 0) - conditionals)
