"""The door for samples."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import dense
from ..errors import DatasetError

__all__ = ["as_samples"]

# Of features and targets: constants are their fourth powers, products of these and steps with them come on top.
SMALLEST, LARGEST = 1e-60, 1e60


def as_samples(
    features: ArrayLike | Tensor, targets: ArrayLike | Tensor, name: str = "targets"
) -> tuple[Tensor, Tensor]:
    """Features and targets as float64 tensors, if their shapes fit and no position reads its future."""
    x, y = dense("features", features, 4), dense(name, targets, 2)
    if x.shape[:2] != y.shape or x.shape[1] != x.shape[2]:
        raise DatasetError(
            f"features has shape {x.shape} and {name} {y.shape}; they must be (samples, positions, positions, width) "
            "and (samples, positions)"
        )
    for each, values, at_least in (("features", x, SMALLEST), (name, y, 0.0)):
        if 0 < (largest := float(np.abs(values).max())) < at_least or largest > LARGEST:
            raise DatasetError(
                f"{each} has entries up to {largest:.2g}; the largest must be from {at_least:g} to {LARGEST:g}, or its "
                "powers are no doubles (take other units)"
            )
    future = np.triu(np.abs(x).max(axis=(0, 3)), 1)
    if future.any():
        k, i = (int(n) for n in np.argwhere(future)[0])
        raise DatasetError(f"features[:, {k}, {i}] is not 0; position {k} must not read position {i}, its future")
    return torch.from_numpy(x), torch.from_numpy(y)
