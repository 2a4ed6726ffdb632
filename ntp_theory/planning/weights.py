"""The door for weights."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..doors import dense
from ..errors import UsageError

__all__ = ["as_weights"]


def as_weights(theta: ArrayLike | Tensor, shape: tuple[int, ...], name: str = "theta") -> Tensor:
    """Weights as a float64 tensor of this shape: (width,) if tied, (positions, width) if not; refused otherwise.

    Examples
    --------
    >>> as_weights([1, 2], (2,))
    tensor([1., 2.], dtype=torch.float64)
    """
    found = torch.from_numpy(dense(name, theta, len(shape)))
    if found.shape != shape:
        raise UsageError(f"{name} has shape {tuple(found.shape)}; it must be {shape}")
    return found
