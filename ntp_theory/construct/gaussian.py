"""Random datasets: Gaussian embeddings, uniform random supports, Dirichlet-like conditionals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..dataset import NTPDataset
from ..doors import generator, whole
from ..errors import UsageError

__all__ = ["random"]


def random(
    vocab_size: int,
    dim: int,
    num_contexts: int,
    support_size: int | tuple[int, int],
    rng: int | np.random.Generator = 0,
) -> NTPDataset:
    """Random dataset with uniform context weights.

    With ``dim >= num_contexts`` it is compatible and separable with probability one (`bias/lemma-1`,
    `bias/erratum-E2`).

    Parameters
    ----------
    vocab_size, dim, num_contexts : int
        V, d and m.
    support_size : int or (int, int)
        S_j: the same for every context, or drawn uniformly from ``lo, ..., hi``.
    rng : int or numpy.random.Generator
        Seed or source of the draws.

    Returns
    -------
    NTPDataset
        Embeddings with N(0, 1) entries; conditionals from Gamma(1) + 0.05 on the support, normalised.

    Raises
    ------
    UsageError
        If a size is not a whole number in its range.

    Notes
    -----
    Source: the setting of 2402.18551 App. A.2; the recipe is ours. The order of the draws is part of it:
    embeddings as one (d, m) matrix; for each context its size (if it varies), then its support; then one (V,
    m) matrix of Gammas.

    Examples
    --------
    >>> random(vocab_size=5, dim=8, num_contexts=6, support_size=2, rng=1)
    NTPDataset(num_contexts=6, vocab_size=5, dim=8, entropy=0.5921 nats)
    >>> random(5, 8, 6, (1, 5)).pattern.sizes.tolist()
    [1, 2, 2, 1, 4, 4]
    """
    vocab_size = whole("vocab_size", vocab_size, at_least=1)
    dim = whole("dim", dim, at_least=1)
    num_contexts = whole("num_contexts", num_contexts, at_least=1)
    lo, hi = _size_range(support_size, vocab_size)
    r = generator(rng)
    embeddings = r.standard_normal((dim, num_contexts)).T
    mask = np.zeros((num_contexts, vocab_size), dtype=bool)
    for row in mask:
        size = lo if lo == hi else r.integers(lo, hi, endpoint=True)
        row[r.choice(vocab_size, size, replace=False)] = True
    return NTPDataset(embeddings, random_rows(mask, r))


def random_rows(mask: NDArray[np.bool_], r: np.random.Generator) -> NDArray[np.float64]:
    """Dirichlet-like rows (m, V) on given supports; the shift by 0.05 keeps every probability away from 0."""
    m, v = mask.shape
    mass = (r.gamma(1.0, size=(v, m)) + 0.05).T * mask
    rows: NDArray[np.float64] = mass / mass.sum(axis=1, keepdims=True)
    return rows


def _size_range(support_size: int | tuple[int, int], vocab_size: int) -> tuple[int, int]:
    if not isinstance(support_size, Sequence):
        size = whole("support_size", support_size, at_least=1, at_most=vocab_size)
        return size, size
    if len(support_size) != 2:
        raise UsageError(f"support_size is {support_size!r}; it must be a whole number or a pair (lo, hi)")
    lo = whole("support_size[0]", support_size[0], at_least=1, at_most=vocab_size)
    hi = whole("support_size[1]", support_size[1], at_least=lo, at_most=vocab_size)
    return lo, hi
