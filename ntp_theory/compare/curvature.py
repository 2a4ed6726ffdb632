"""The Hessian of the in-support loss on F, mode by mode."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import SolverError
from ..finite_part import InSupportLoss
from ..predict import Limit
from ..subspace import data_subspace

__all__ = ["LARGEST", "Modes", "finite_modes"]

# More entries of W than this are too many to find all eigenvalues of H_F.
LARGEST = 2000


@dataclass(frozen=True)
class Modes:
    """Eigenvalues of H_F on F, ascending, (n,), and its eigenvectors as rows (n, V d)."""

    rates: NDArray[np.float64]
    vectors: Tensor

    def amplitudes(self, matrices: Tensor) -> NDArray[np.float64]:
        """Products of one or several matrices (..., V, d) with the eigenvectors; (..., n)."""
        found: NDArray[np.float64] = (matrices.double().flatten(-2) @ self.vectors.T).cpu().numpy()
        return found


_cache: WeakKeyDictionary[Limit, Modes] = WeakKeyDictionary()


def finite_modes(limit: Limit) -> Modes:
    """The modes at W*, found once a prediction; none if F is {0}.

    Raises
    ------
    SolverError
        If W has more than 2000 entries, and F is not {0}.
    """
    if limit not in _cache:
        _cache[limit] = _find(limit)
    return _cache[limit]


def _find(limit: Limit) -> Modes:
    reference, shape = limit.svm.data, limit.finite.shape
    dim, count = data_subspace(reference).dim, limit.finite.numel()
    if dim == 0:
        return Modes(np.zeros(0), torch.zeros(0, count, dtype=torch.float64))
    if count > LARGEST:
        raise SolverError(f"W has {count} entries; of more than {LARGEST} the modes on F are not computed")
    inside, finite = InSupportLoss(reference), limit.finite.double()
    probabilities = inside.probabilities(finite)
    unit = torch.eye(count, dtype=torch.float64, device=finite.device)
    hessian = torch.stack([inside.hessian_product(probabilities, row.reshape(shape)).flatten() for row in unit])
    rates, vectors = torch.linalg.eigh((hessian + hessian.T) / 2)
    # rounding may leave the least of them at 0 or below
    least = torch.finfo(rates.dtype).eps * float(rates[-1]) * count
    return Modes(rates[-dim:].clamp(min=least).cpu().numpy(), vectors[:, -dim:].T)
