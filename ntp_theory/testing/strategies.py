"""Strategies that draw small datasets of every kind, and decoders from zero to where tails vanish."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import one_of

__all__ = ["KINDS", "datasets", "decoders", "independent_rows", "probability_rows"]

KINDS = ("any", "independent", "dependent", "repeated", "one-hot", "full-support")
"""Kinds of dataset that `datasets` draws."""

# Gaps between in-support and off-support logits: none, ordinary, and up to a tail of exp(-690) = 1e-300.
GAPS = (0.0, 1.0, 40.0, 300.0, 690.0)
SCALES = (0.0, 1e-8, 1e-3, 1.0, 30.0)


@st.composite
def datasets(
    draw: st.DrawFn,
    kind: str = "any",
    *,
    max_contexts: int = 5,
    max_vocab_size: int = 5,
    max_dim: int = 6,
) -> NTPDataset:
    """Small datasets.

    Parameters
    ----------
    kind : str
        *any*: no promise. *independent*: linearly independent embeddings, so compatible and separable
        (`bias/lemma-1`, `bias/erratum-E2`). *dependent*: at least two contexts, linearly dependent
        embeddings. *repeated*: two contexts with the same embedding and the same row. *one-hot*: one next
        token a context. *full-support*: every token follows every context.
    max_contexts, max_vocab_size, max_dim : int
        Largest m, V (at least 2 is drawn) and d.

    Returns
    -------
    SearchStrategy of NTPDataset
        Embeddings with integer entries over 4 or Gaussian, no two the same unless *repeated*; made from
        counts or from probabilities with masses down to 1e-9.

    Raises
    ------
    UsageError
        If there is no such kind.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, database=None)
    ... @given(datasets("one-hot"))
    ... def entropy_vanishes(data):
    ...     assert data.entropy == 0
    >>> entropy_vanishes()
    """
    one_of("kind", kind, KINDS)
    m = draw(st.integers(2 if kind in ("dependent", "repeated") else 1, max_contexts))
    v = draw(st.integers(2, max_vocab_size))
    if kind == "independent":
        m = min(m, max_dim)
        h = draw(independent_rows(m, draw(st.integers(m, max_dim))))
    else:
        h = draw(_distinct(m, draw(st.integers(1, max_dim)), dependent=kind == "dependent"))
    mask = draw(_supports(m, v, kind))
    if draw(st.booleans()):
        return NTPDataset.from_counts(*_repeat(kind, h, draw(_counts(mask))))
    h, rows = _repeat(kind, h, draw(probability_rows(mask)))
    weights = draw(probability_rows(np.ones((1, m), dtype=bool)))[0]
    return NTPDataset(h, rows, weights)


@st.composite
def probability_rows(draw: st.DrawFn, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rows of probabilities on given supports, with masses down to 1e-9 of the largest.

    Parameters
    ----------
    mask : ndarray (m, V), bool
        The supports; no row empty.

    Returns
    -------
    SearchStrategy of ndarray (m, V)
        Positive on the mask, 0 elsewhere; rows sum to 1 up to rounding.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> mask = np.array([[True, True, False]])
    >>> @settings(max_examples=5, database=None)
    ... @given(probability_rows(mask))
    ... def lives_on_the_mask(rows):
    ...     assert ((rows > 0) == mask).all()
    >>> lives_on_the_mask()
    """
    size = int(mask.sum())
    exponents = draw(st.lists(st.integers(-9, 0), min_size=size, max_size=size))
    digits = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    masses = np.zeros(mask.shape)
    masses[mask] = np.array(digits) * 10.0 ** np.array(exponents)
    rows: NDArray[np.float64] = masses / masses.sum(axis=1, keepdims=True)
    return rows


@st.composite
def decoders(draw: st.DrawFn, data: NTPDataset) -> Tensor:
    """Decoders W (V, d) for a dataset: a random part, and a part that lifts the supports over the rest.

    Where the embeddings are independent the second part gives a gap of up to 690 between in-support and
    off-support logits, a tail of 1e-300; elsewhere it is the least-squares attempt at that.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    SearchStrategy of Tensor (V, d), float64

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]])
    >>> @settings(max_examples=5, database=None)
    ... @given(decoders(data))
    ... def finite(weights):
    ...     assert weights.shape == (3, 1) and torch.isfinite(weights).all()
    >>> finite()
    """
    shape = (data.vocab_size, data.dim)
    noise = np.array(draw(_entries(shape[0] * shape[1]))).reshape(shape)
    weights = draw(st.sampled_from(SCALES)) * torch.from_numpy(noise)
    lift = torch.linalg.pinv(data.embeddings.double().cpu()) @ data.support.cpu().double()
    weights += draw(st.sampled_from(GAPS)) * lift.T
    return weights


def _entries(count: int) -> st.SearchStrategy[list[float]]:
    """Quarters, where sums are exact and ties frequent, or Gaussian numbers, where they are not."""
    grid = st.lists(st.integers(-8, 8).map(lambda k: k / 4), min_size=count, max_size=count)
    seeds = st.integers(0, 2**32 - 1)
    return grid | seeds.map(lambda seed: list(np.random.default_rng(seed).standard_normal(count)))


@st.composite
def independent_rows(draw: st.DrawFn, m: int, d: int) -> NDArray[np.float64]:
    """Full rank by construction: a triangle with +-1, +-2 on its diagonal, columns shuffled."""
    h = np.array(draw(_entries(m * d))).reshape(m, d)
    h[:, :m] = np.tril(h[:, :m], -1)
    diagonal = draw(st.lists(st.sampled_from([-2.0, -1.0, 1.0, 2.0]), min_size=m, max_size=m))
    h[np.arange(m), np.arange(m)] = diagonal
    return h[:, draw(st.permutations(range(d)))]


@st.composite
def _distinct(draw: st.DrawFn, m: int, d: int, *, dependent: bool) -> NDArray[np.float64]:
    rows = [np.array(draw(_entries(d)))]
    while len(rows) < m:
        last = dependent and len(rows) == m - 1
        fresh = rows[0] + rows[-1] if last else np.array(draw(_entries(d)))
        while any(np.array_equal(fresh, row) for row in rows):
            # a step that keeps the last row in the span; where rows[0] is zero, the rows are dependent anyway
            fresh = fresh + (rows[0] if last and rows[0].any() else np.eye(d)[0])
        rows.append(fresh)
    return np.stack(rows)


@st.composite
def _supports(draw: st.DrawFn, m: int, v: int, kind: str) -> NDArray[np.bool_]:
    if kind == "full-support":
        return np.ones((m, v), dtype=bool)
    largest = 1 if kind == "one-hot" else v
    mask = np.zeros((m, v), dtype=bool)
    for row in mask:
        row[draw(st.lists(st.integers(0, v - 1), min_size=1, max_size=largest, unique=True))] = True
    return mask


@st.composite
def _counts(draw: st.DrawFn, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    counts = np.zeros(mask.shape, dtype=np.int64)
    size = int(mask.sum())
    counts[mask] = draw(st.lists(st.integers(1, 20), min_size=size, max_size=size))
    return counts


def _repeat(kind: str, h: NDArray[np.float64], rows: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Make the last context a copy of the first, if the kind asks for it."""
    if kind == "repeated":
        h[-1], rows[-1] = h[0], rows[0]
    return h, rows
