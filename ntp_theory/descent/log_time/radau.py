"""Radau IIA collocation: implicit, L-stable, exact where the algebraic part of an equation is concerned.

A step of length 1 makes the polynomial of degree s that starts at the old value and meets the equation at s nodes, the
last of which is the end of the step (Hairer and Wanner, Solving Ordinary Differential Equations II, IV.5 and IV.8). Its
values at the nodes are kept as differences Z (s, n) from the start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray
from scipy.special import roots_jacobi
from torch import Tensor

__all__ = ["RadauScheme"]


class RadauScheme:
    """The scheme of s nodes, s odd; of order 2s - 1 at the end of a step, and s within.

    Parameters
    ----------
    stages : int
        s.

    Attributes
    ----------
    nodes : Tensor (s,)
        In (0, 1], ascending; the last is 1.
    inverse : Tensor (s, s)
        A^-1: derivatives at the nodes are ``inverse @ Z``.
    eigenvalues : Tensor (k,)
        Of the inverse, complex, one of each conjugate pair; the first is the only real one.
    split, merge : Tensor (k, s), Tensor (s, k)
        ``split @ Z`` are its components along the eigenvectors, and ``(merge @ components).real`` is Z again.

    Examples
    --------
    >>> RadauScheme(3).nodes.tolist()
    [0.15505102572168..., 0.64494897427831..., 1.0]
    """

    def __init__(self, stages: int) -> None:
        nodes = np.append((roots_jacobi(stages - 1, 1.0, 0.0)[0] + 1.0) / 2.0, 1.0)
        self._degrees = np.eye(stages + 1)
        self._fit = np.linalg.inv(self._values(np.append(0.0, nodes)))[:, 1:]  # the polynomial is 0 at 0
        inverse = self._slopes(nodes) @ self._fit
        values, vectors = np.linalg.eig(inverse)
        kept = [k for k in np.argsort(np.abs(values.imag)) if values[k].imag >= 0.0]
        self.nodes, self.inverse = torch.from_numpy(nodes), torch.from_numpy(inverse)
        self.eigenvalues = torch.from_numpy(values[kept])
        self.split = torch.from_numpy(np.linalg.inv(vectors)[kept])
        self.merge = torch.from_numpy(vectors[:, kept] * np.where(values[kept].imag > 0.0, 2.0, 1.0))

    def at(self, points: ArrayLike) -> Tensor:
        """Matrix (n, s) that takes Z to the polynomial at points (n,), 0 the start and 1 the end of the step."""
        return torch.from_numpy(self._values(points) @ self._fit)

    def slope_at(self, points: ArrayLike) -> Tensor:
        """Matrix (n, s) that takes Z to the derivative of the polynomial at points (n,)."""
        return torch.from_numpy(self._slopes(points) @ self._fit)

    # Legendre polynomials of the step: in powers the coefficients of high degrees would be rounding
    def _values(self, points: ArrayLike) -> NDArray[np.float64]:
        return self._sums(points, self._degrees)

    def _slopes(self, points: ArrayLike) -> NDArray[np.float64]:
        return self._sums(points, 2.0 * legendre.legder(self._degrees))

    def _sums(self, points: ArrayLike, coefficients: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(legendre.legval(2.0 * np.asarray(points) - 1.0, coefficients).T, dtype=np.float64)
