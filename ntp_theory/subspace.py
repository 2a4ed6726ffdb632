"""The data subspace F, on which training converges, and its complement, along which it diverges.

F is spanned by ``(e_z - e_z') h_j^T`` for z, z' in the same support S_j; W lies in its complement exactly
when the in-support logits of every context are equal. F may have dimension in the thousands inside a space of
dimension V*d, so it is handled through its generators ``(e_z - e_a) h_j^T / ||h_j||`` (a the anchor token of
S_j) and a pivoted Cholesky factor of their Gram matrix; nothing of size Vd x Vd is formed.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack
from torch import Tensor

from .dataset import NTPDataset
from .doors import as_decoder
from .support import SupportPattern

__all__ = ["DataSubspace", "data_subspace", "project", "project_complement"]

# A generator within this distance (generators have norm sqrt 2) of the span of the others counts as
# dependent; the Gram matrix sees its square, which must stay above rounding.
DEPENDENCE = 1e-6


class DataSubspace:
    """The subspace F of a support pattern and embeddings: dimension, projections, interpolation.

    Parameters
    ----------
    embeddings : Tensor (m, d)
    pattern : SupportPattern
        The supports, or the extended ones of `bias/any-data`.

    Attributes
    ----------
    dim : int
        dim F, decided numerically: generators within 1e-6 of the span of others count as dependent.

    Notes
    -----
    Source: 2402.18551 Eq. (5) (`bias/data-subspace`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 2.0]], [[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    >>> DataSubspace(data.embeddings, data.pattern).dim
    3
    """

    def __init__(self, embeddings: Tensor, pattern: SupportPattern) -> None:
        self._shape = (pattern.vocab_size, embeddings.shape[1])
        largest = embeddings.abs().amax(1, keepdim=True)
        # squares must neither overflow nor vanish
        scaled = embeddings / torch.where(largest > 0, largest, 1.0)
        self._unit: Tensor = scaled / scaled.norm(dim=1, keepdim=True).clamp(min=1.0)
        norms = (embeddings * self._unit).sum(1)
        self._norms = torch.where(norms > 0, norms, 1.0)
        others = torch.ones_like(pattern.tokens, dtype=torch.bool)
        others[pattern.starts] = False
        self.contexts = pattern.contexts[others]
        self.tokens = pattern.tokens[others]
        self.anchors = pattern.anchors[self.contexts]
        self._pivots, self._factor = self._factorise()
        self.dim = len(self._pivots)

    def differences(self, weights: ArrayLike | Tensor) -> Tensor:
        """``(e_z - e_a)^T W h_j`` for every generator (j, z); (n - m,)."""
        return self._pairing(as_decoder(weights, self._shape, self._unit)) * self._norms[self.contexts]

    def project(self, weights: ArrayLike | Tensor) -> Tensor:
        """P_F W, the orthogonal projection on F; (V, d)."""
        weights = as_decoder(weights, self._shape, self._unit)
        first = self._combine(self._solve(self._pairing(weights)[self._pivots]))
        # the Gram matrix squares the condition number; a second pass on the rest restores the lost digits
        return first + self._combine(self._solve(self._pairing(weights - first)[self._pivots]))

    def project_complement(self, weights: ArrayLike | Tensor) -> Tensor:
        """P_perp W = W - P_F W; (V, d)."""
        weights = as_decoder(weights, self._shape, self._unit)
        once = weights - self.project(weights)
        return once - self._combine(self._solve(self._pairing(once)[self._pivots]))

    def interpolate(self, differences: Tensor) -> Tensor:
        """The element of F with given logit differences (n - m,) on an independent set of generators; (V, d).

        If the values are consistent this is the smallest W with ``differences(W)`` equal to them everywhere.
        """
        target = (differences / self._norms[self.contexts])[self._pivots]
        first = self._combine(self._solve(target))
        return first + self._combine(self._solve(target - self._pairing(first)[self._pivots]))

    def dependency(self, generator: int) -> Tensor:
        """Coefficients y (n - m,), ``sum_g y_g (e_z - e_a) h_j^T = 0``, y = 1 at a dependent generator."""
        column = torch.zeros(len(self.contexts), dtype=self._unit.dtype, device=self._unit.device)
        column[generator] = 1.0
        target = self._pairing(self._combine(column, every=True))[self._pivots]
        solution = self._solve(target)
        remainder = self._combine(column, every=True) - self._combine(solution)
        solution = solution + self._solve(self._pairing(remainder)[self._pivots])
        column[self._pivots] -= solution
        scale = self._norms[self.contexts]
        return column * scale[generator] / scale

    def _pairing(self, weights: Tensor) -> Tensor:
        logits = self._unit @ weights.T
        return logits[self.contexts, self.tokens] - logits[self.contexts, self.anchors]

    def _combine(self, coefficients: Tensor, *, every: bool = False) -> Tensor:
        chosen = slice(None) if every else self._pivots
        rows = coefficients[:, None] * self._unit[self.contexts[chosen]]
        out = rows.new_zeros(self._shape)
        out.index_add_(0, self.tokens[chosen], rows)
        return out.index_add_(0, self.anchors[chosen], rows, alpha=-1)

    def _solve(self, target: Tensor) -> Tensor:
        return torch.cholesky_solve(target[:, None], self._factor)[:, 0]

    def _factorise(self) -> tuple[Tensor, Tensor]:
        """Indices of independent generators and the lower Cholesky factor of their Gram matrix."""
        device, count = self._unit.device, len(self.contexts)
        if count == 0:
            return torch.zeros(0, dtype=torch.int64, device=device), self._unit.new_zeros(0, 0)
        gram = self._gram()
        factor, pivots, rank, _ = lapack.dpstrf(gram, tol=DEPENDENCE**2, lower=1, overwrite_a=1)
        lower = torch.from_numpy(np.tril(factor[:rank, :rank]))
        chosen = torch.from_numpy(pivots[:rank].astype(np.int64) - 1)
        return chosen.to(device), lower.to(device, self._unit.dtype)

    def _gram(self) -> NDArray[np.float64]:
        h = self._unit.double().cpu()
        j, z, a = (index.cpu() for index in (self.contexts, self.tokens, self.anchors))
        gram = (h @ h.T)[j][:, j]
        sign = (z[:, None] == z).to(torch.int8)
        sign -= (z[:, None] == a).to(torch.int8)
        sign -= (a[:, None] == z).to(torch.int8)
        sign += (a[:, None] == a).to(torch.int8)
        out = gram.mul_(sign).numpy()
        return np.asfortranarray(out)


_cache: WeakKeyDictionary[NTPDataset, DataSubspace] = WeakKeyDictionary()


def data_subspace(data: NTPDataset) -> DataSubspace:
    """The subspace F of a dataset; factorised once and kept as long as the dataset lives.

    Examples
    --------
    >>> data_subspace(NTPDataset([[1.0]], [[0.5, 0.5]])).dim
    1
    """
    if data not in _cache:
        _cache[data] = DataSubspace(data.embeddings, data.pattern)
    return _cache[data]


def project(weights: ArrayLike | Tensor, data: NTPDataset) -> Tensor:
    """P_F W: the part of the decoder that training fits to the log-odds.

    Parameters
    ----------
    weights : Tensor (V, d)
    data : NTPDataset

    Returns
    -------
    Tensor (V, d)

    Raises
    ------
    UsageError
        If ``weights`` has the wrong shape or entries that are not finite.

    Notes
    -----
    Source: 2402.18551 Eq. (5) (`bias/data-subspace`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]])
    >>> project(torch.tensor([[1.0], [3.0], [5.0]], dtype=torch.float64), data).flatten().tolist()
    [-1.0, 1.0, 0.0]
    """
    return data_subspace(data).project(weights)


def project_complement(weights: ArrayLike | Tensor, data: NTPDataset) -> Tensor:
    """P_perp W: the part along which training diverges; equal in-support logits in every context.

    Parameters
    ----------
    weights : Tensor (V, d)
    data : NTPDataset

    Returns
    -------
    Tensor (V, d)

    Raises
    ------
    UsageError
        If ``weights`` has the wrong shape or entries that are not finite.

    Notes
    -----
    Source: 2402.18551 Eq. (5) (`bias/data-subspace`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]])
    >>> project_complement(torch.tensor([[1.0], [3.0], [5.0]], dtype=torch.float64), data).flatten().tolist()
    [2.0, 2.0, 5.0]
    """
    return data_subspace(data).project_complement(weights)
