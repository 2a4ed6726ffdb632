"""Decoder and embeddings of given logits: the factors of smallest ridge, their Gram matrices, and their collapse."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import dense, whole
from ..errors import DatasetError, UsageError

__all__ = ["balanced_factors", "collapse", "equal_supports", "gram_matrices"]

# Singular values below this multiple of the largest are rounding.
RANK = 1e-12


def balanced_factors(logits: ArrayLike | Tensor, dim: int | None = None) -> tuple[Tensor, Tensor]:
    """W (V, d) and H (d, m) with ``WH = L`` and the smallest ``(||W||^2 + ||H||^2)/2``, which is ``||L||_*``.

    With ``L = U s T^T`` they are ``W = U sqrt(s)`` and ``H = sqrt(s) T^T``, up to a rotation of the d dimensions.

    Parameters
    ----------
    logits : array-like (V, m)
    dim : int, optional
        d; min(V, m) if not given. At least the rank of the logits.

    Raises
    ------
    UsageError
        If the logits are no finite matrix, or overflow in sums of squares, or d is less than the rank.

    Notes
    -----
    Source: 2408.15417 (`geometry/ufm-nuclear`).

    Examples
    --------
    >>> w, h = balanced_factors([[2.0, 0.0], [0.0, -0.5]])
    >>> round(float(w.square().sum() + h.square().sum()) / 2, 12)
    2.5
    """
    matrix = matrix_of("logits", logits)
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    if not bool(torch.isfinite(s).all()):
        raise UsageError(f"logits has entries up to {float(matrix.abs().max()):.3g}; its singular values overflow")
    d = len(s) if dim is None else whole("dim", dim, at_least=1)
    if (rank := int((s > RANK * s[0]).sum())) > d:
        raise UsageError(f"dim is {d}; it must be at least the rank of the logits, {rank}")
    kept, root = min(d, len(s)), s.sqrt()
    decoder, features = (torch.zeros(size, dtype=s.dtype) for size in ((len(matrix), d), (d, matrix.shape[1])))
    decoder[:, :kept], features[:kept] = (u * root)[:, :kept], (root[:, None] * vt)[:kept]
    return decoder, features


def gram_matrices(logits: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
    """``W W^T = (L L^T)^(1/2)`` (V, V) and ``H^T H = (L^T L)^(1/2)`` (m, m) of every minimiser W, H with these logits.

    Notes
    -----
    Source: 2408.15417 (`geometry/gram-collapse`).

    Examples
    --------
    >>> words, contexts = gram_matrices([[2.0, 0.0], [0.0, -0.5]])
    >>> words.tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    w, h = balanced_factors(logits)
    return w @ w.mT, h.mT @ h


def equal_supports(data: NTPDataset) -> list[list[int]]:
    """The contexts in groups of equal supports, in order of first appearance.

    Examples
    --------
    >>> equal_supports(NTPDataset([[1.0], [2.0], [3.0]], [[0.5, 0.5], [1.0, 0.0], [0.9, 0.1]]))
    [[0, 2], [1]]
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for j, tokens in enumerate(as_dataset("data", data).pattern.rows()):
        groups.setdefault(tuple(tokens), []).append(j)
    return list(groups.values())


def collapse(features: ArrayLike | Tensor, groups: Sequence[Sequence[int]]) -> float:
    """Share of ``||H||^2`` that is variation within the groups: 0 if each has one embedding.

    Parameters
    ----------
    features : array-like (d, m)
        Column j is the embedding of context j.
    groups : sequence of sequences of int
        As `equal_supports` gives them.

    Raises
    ------
    UsageError
        If the features are no finite matrix, or the groups no partition of its columns.

    Notes
    -----
    Source: 2408.15417 (`geometry/gram-collapse`).

    Examples
    --------
    >>> collapse([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [[0, 2], [1]])
    0.0
    """
    h = matrix_of("features", features)
    try:
        members = sorted(operator.index(j) for group in groups for j in group)
    except TypeError:
        members = []
    if members != list(range(h.shape[1])):
        raise UsageError(f"groups are {groups!r}; each of the {h.shape[1]} contexts must be in exactly one")
    within = sum(float((h[:, list(g)] - h[:, list(g)].mean(1, keepdim=True)).square().sum()) for g in groups)
    total = float(h.square().sum())
    return within / total if total else 0.0


def matrix_of(name: str, values: ArrayLike | Tensor) -> Tensor:
    """A finite matrix in double precision, on the CPU."""
    try:
        return torch.from_numpy(dense(name, values, 2))
    except DatasetError as error:  # it is no data
        raise UsageError(str(error)) from error
