"""The Hessian of the in-support loss on F, mode by mode."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dataset import NTPDataset
from ..errors import SolverError
from ..finite_part import InSupportLoss
from ..predict import Limit
from ..subspace import data_subspace

__all__ = ["LARGEST", "Modes", "finite_modes"]

# Entries of the generators of F, (e_z - e_z') h_j^T, of which a basis is taken.
LARGEST = 1e7
# Rates that differ by less, relative, are one.
SAME = 1e-9


@dataclass(frozen=True)
class Modes:
    """Eigenvalues of H_F on F, ascending, (n,), and its eigenvectors as rows (n, V d)."""

    rates: NDArray[np.float64]
    vectors: Tensor

    def amplitudes(self, matrices: Tensor) -> NDArray[np.float64]:
        """Products of one or several matrices (..., V, d) with the eigenvectors; (..., n)."""
        found: NDArray[np.float64] = (matrices.double().flatten(-2) @ self.vectors.T).cpu().numpy()
        return found

    @property
    def below(self) -> NDArray[np.float64]:
        """Rates below the largest, over it; those that are equal to it up to rounding are left out."""
        ratios = self.rates / self.rates[-1]
        return np.asarray(ratios[ratios < 1.0 - SAME])

    def steepest_part(self, matrix: Tensor) -> float:
        """Norm of the part of a matrix (V, d) along the modes with the largest rate."""
        return float(np.linalg.norm(self.amplitudes(matrix)[len(self.below) :]))


_cache: WeakKeyDictionary[Limit, Modes] = WeakKeyDictionary()


def finite_modes(limit: Limit) -> Modes:
    """The modes at W*, found once a prediction; none if F is {0}.

    Raises
    ------
    SolverError
        If the generators of F have more than 1e7 entries.
    """
    if limit not in _cache:
        _cache[limit] = _find(limit)
    return _cache[limit]


def _find(limit: Limit) -> Modes:
    finite = limit.finite.double()
    basis = _basis(limit.svm.data)
    if not len(basis):
        return Modes(np.zeros(0), basis)
    inside = InSupportLoss(limit.svm.data)
    probabilities = inside.probabilities(finite)
    turned = [inside.hessian_product(probabilities, row.reshape(finite.shape)).flatten() for row in basis]
    hessian = torch.stack(turned) @ basis.T
    rates, vectors = torch.linalg.eigh((hessian + hessian.T) / 2)
    # rounding may leave the least of them at 0 or below
    least = torch.finfo(rates.dtype).eps * float(rates[-1]) * finite.numel()
    return Modes(rates.clamp(min=least).cpu().numpy(), vectors.T @ basis)


def _basis(data: NTPDataset) -> Tensor:
    """An orthonormal basis of F as rows, (dim F, V d)."""
    pattern, h = data.pattern, torch.nn.functional.normalize(data.embeddings.double())
    other = (pattern.tokens != pattern.anchors[pattern.contexts]).nonzero()[:, 0]
    contexts, count = pattern.contexts[other], pattern.vocab_size * h.shape[1]
    if len(other) * count > LARGEST:
        raise SolverError(f"F has {len(other)} generators of {count} entries; of so many no basis is computed")
    generators = h.new_zeros(len(other), pattern.vocab_size, h.shape[1])
    each = torch.arange(len(other), device=h.device)
    generators[each, pattern.tokens[other]] = h[contexts]
    generators[each, pattern.anchors[contexts]] = -h[contexts]
    rows: Tensor = torch.linalg.svd(generators.flatten(1), full_matrices=False).Vh
    return rows[: data_subspace(data).dim]
