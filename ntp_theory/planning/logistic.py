"""`logistic`: logistic regression over positions, convex losses whose curvature changes from place to place."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import softplus

from ..doors import positive
from ..errors import DatasetError
from .constants import Constants
from .losses import PositionLoss, PositionLosses
from .samples import as_samples

__all__ = ["logistic"]


def logistic(
    features: ArrayLike | Tensor, labels: ArrayLike | Tensor, *, ridge: float, tied: bool = False
) -> PositionLosses:
    """Positions that predict a label each from ``z_k = sum_{i <= k} x_ki . theta_i``.

    ``l_k`` is the mean of ``log(1 + exp(-y_k z_k))`` plus ``ridge |theta_k|^2 / 2``.

    Parameters
    ----------
    features : array (samples, positions, positions, width)
        x_ki at ``[:, k, i]``; 0 for i > k.
    labels : array (samples, positions)
        1 or -1.
    ridge : float
        What makes each loss strongly convex in the weights of its position.
    tied : bool

    Returns
    -------
    PositionLosses
        With constants that hold everywhere, as the logistic loss has second derivatives between 0 and 1/4.

    Raises
    ------
    DatasetError
        If shapes do not fit, a position reads the future, or a label is neither 1 nor -1.
    UsageError
        If the ridge is not positive.

    Notes
    -----
    Derived. Second derivatives of all losses are ``X^T D S`` over the samples, D diagonal with entries from 0 to 1/4,
    and the ridge: untied ``|x_kk|^2 / 4`` and ``|x_kk| |x_ki| / 4`` bound own part and coupling, tied ``|X|^2 / 4`` and
    ``|X| |S - X| / 4``, in spectral norms.

    Examples
    --------
    >>> problem = logistic([[[[1.0]]], [[[-2.0]]]], [[1.0], [1.0]], ridge=0.5)
    >>> problem.constants
    Constants(tied=False, convexity=0.5, smoothness=1.125, coupling=0.0, monotone=None, lipschitz=None)
    """
    x, y = as_samples(features, labels, "labels")
    if bool((wrong := y.abs() != 1).any()):
        s, k = wrong.nonzero()[0].tolist()
        raise DatasetError(f"labels[{s}, {k}] is {float(y[s, k]):g}; it must be 1 or -1")
    strength = positive("ridge", ridge)
    losses = [_loss(x[:, k, : k + 1], y[:, k], strength) for k in range(y.shape[1])]
    return PositionLosses(losses, x.shape[3], _constants(x, strength, tied))


def _loss(x: Tensor, y: Tensor, ridge: float) -> PositionLoss:
    def loss(copies: Tensor) -> Tensor:
        z = torch.einsum("sia,ia->s", x, copies)
        return softplus(-y * z).mean() + ridge * copies[-1].square().sum() / 2

    return loss


def _constants(x: Tensor, ridge: float, tied: bool) -> Constants:
    samples, positions = x.shape[:2]
    if tied:
        own = x.diagonal(dim1=1, dim2=2).mT.flatten(0, 1)
        present = _norm(own)
        past = _norm(x.sum(2).flatten(0, 1) - own)
        quarter = present / (4 * samples)
        return Constants(True, positions * ridge, positions * ridge + quarter * present, quarter * past)
    present_of = [_norm(x[:, k, k]) for k in range(positions)]
    pairs = [present_of[k] * _norm(x[:, k, i]) for k in range(positions) for i in range(k)]
    smoothness = ridge + max(present_of) ** 2 / (4 * samples)
    return Constants(False, ridge, smoothness, max(pairs, default=0.0) / (4 * samples))


def _norm(matrix: Tensor) -> float:
    return float(torch.linalg.matrix_norm(matrix, 2))
