"""The data subspace F, on which training converges, and its complement, along which it diverges.

F is spanned by ``(e_z - e_z') h_j^T`` for z, z' in the same support S_j; W lies in its complement exactly
when the in-support logits of every context are equal. F may have dimension in the thousands inside a space of
dimension V*d: P_F W is the smallest matrix whose in-support logits differ as those of W do, which is one least
squares problem for `ntp_theory.elimination`; nothing of size Vd x Vd, nor a Gram matrix of generators, is formed.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .dataset import NTPDataset, as_dataset
from .doors import as_decoder
from .elimination import Elimination
from .support import SupportPattern

__all__ = ["DataSubspace", "data_subspace", "project", "project_complement"]


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
        dim F, decided numerically: relations that hold to 1e-6, relative, count as exact.

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
        self._size, self._choice = len(pattern.tokens), (pattern.sizes[pattern.contexts] > 1).nonzero()[:, 0]
        chosen = (pattern.sizes > 1).nonzero()[:, 0]  # one next token spans nothing
        self._like = embeddings[:0]  # type and device of answers
        h = embeddings[chosen].double()
        lengths = h.norm(dim=1)
        self._lengths = torch.where(lengths > 0, lengths, 1.0)
        self._chosen, pattern = chosen, pattern.select(chosen)
        self._scale = self._lengths[pattern.contexts]
        self._elimination = Elimination(h / self._lengths[:, None], pattern)
        self.dim = self._elimination.rank

    def project(self, weights: ArrayLike | Tensor) -> Tensor:
        """P_F W, the orthogonal projection on F; (V, d)."""
        weights = as_decoder(weights, self._shape, self._like)
        return self._elimination.fit(self._elimination.pairing(weights)).weights.to(weights.dtype)

    def project_complement(self, weights: ArrayLike | Tensor) -> Tensor:
        """P_perp W = W - P_F W; (V, d)."""
        weights = as_decoder(weights, self._shape, self._like)
        return weights - self.project(weights)

    def interpolate(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The element of F whose in-support logits are nearest to values (n,) up to a constant a context.

        Returns
        -------
        weights : Tensor (V, d)
        misfit : Tensor (n,)
            What is left of the values, zero but for rounding if they can be met. If not, ``C = misfit / ||h_j||^2`` has
            rows that sum to 0 and ``sum_j h_j c_j^T = 0``, so ``sum C logits = 0`` for every decoder, while
            ``sum C values > 0``: a proof that they cannot.
        """
        fit = self._elimination.fit(values.double()[self._choice] / self._scale)
        misfit = torch.zeros_like(values)
        misfit[self._choice] = (fit.residual * self._scale).to(values.dtype)
        return fit.weights.to(values.dtype), misfit

    def balance(self, by_token: Tensor, by_context: Tensor) -> Tensor:
        """Some small c (n,) with ``sum_j c_{jv} h_j`` = by_token (V, d) and ``sum_v c_{jv}`` = by_context (m,).

        It is 0 where a context has one next token; there by_context has to be 0 too. If there is no such c, the nearest
        in the sense of least squares.
        """
        c = by_context.new_zeros(self._size)
        balanced = self._elimination.balance(by_token, by_context[self._chosen] * self._lengths)
        c[self._choice] = (balanced / self._scale).to(c.dtype)
        return c


_cache: WeakKeyDictionary[NTPDataset, DataSubspace] = WeakKeyDictionary()


def data_subspace(data: NTPDataset) -> DataSubspace:
    """The subspace F of a dataset; factorised once and kept as long as the dataset lives.

    Examples
    --------
    >>> data_subspace(NTPDataset([[1.0]], [[0.5, 0.5]])).dim
    1
    """
    as_dataset("data", data)
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
