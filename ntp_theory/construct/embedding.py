"""Embedding maps: from contexts, as tuples of tokens, to vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..doors import dense, generator, one_of, whole
from ..errors import DatasetError

__all__ = ["embedding_map"]

Context = tuple[str, ...]
Vectors = NDArray[np.float64]

# Additive embeddings are multiples of this. No normal number that a generator draws reaches 2^6, so their
# numerators have at most 16 bits, and 2^37 of them add without rounding.
GRID = 2.0**-10


def embedding_map(
    embedding: str | Callable[[Sequence[Context]], Any] = "random",
    *,
    dim: int = 64,
    rng: int | np.random.Generator = 0,
) -> Callable[[Sequence[Context]], Vectors]:
    """Map from contexts to their embeddings, with its answers checked.

    Parameters
    ----------
    embedding : {"random", "additive"} or callable
        *random*: an independent N(0, I) vector a context. *additive*: the sum over positions of a vector for
        the token at that position, N(0, I) rounded to multiples of 2^-10, so that the sums, and with them all
        linear dependencies, are exact in float64. A callable maps contexts to an array or tensor (m, d).
    dim : int
        d, for the named maps.
    rng : int or numpy.random.Generator
        Seed or source of one draw that seeds the map. Given that, a context's vector depends on its tokens
        alone.

    Returns
    -------
    callable
        Takes a sequence of m distinct contexts, each a tuple of str, and returns an ndarray (m, d). It raises
        `DatasetError` if two contexts get the same vector, or a callable gives no array of m rows.

    Raises
    ------
    UsageError
        If the map is unknown or ``dim`` is not a whole number >= 1.

    Examples
    --------
    >>> embed = embedding_map("additive", dim=3)
    >>> ab, ac, db, dc = embed([("a", "b"), ("a", "c"), ("d", "b"), ("d", "c")])
    >>> (ab - ac - db + dc).tolist()
    [0.0, 0.0, 0.0]
    """
    if callable(embedding):
        compute = embedding
    else:
        one_of("embedding", embedding, _MAPS)
        compute = partial(_MAPS[embedding], generator(rng).bytes(16), whole("dim", dim, at_least=1))

    def embed(contexts: Sequence[Context]) -> Vectors:
        vectors = dense("embedding(contexts)", compute(contexts), 2)
        if len(vectors) != len(contexts):
            raise DatasetError(f"embedding(contexts) has {len(vectors)} rows, expected {len(contexts)}, one a context")
        _check_distinct(contexts, vectors)
        return vectors

    return embed


def _random(key: bytes, dim: int, contexts: Sequence[Context]) -> Vectors:
    return np.stack([_normal(key, context, dim) for context in contexts])


def _additive(key: bytes, dim: int, contexts: Sequence[Context]) -> Vectors:
    parts = {part for context in contexts for part in enumerate(context)}
    vector = {part: np.rint(_normal(key, part, dim) / GRID) * GRID for part in parts}
    return np.stack([np.sum([vector[part] for part in enumerate(context)], axis=0) for context in contexts])


_MAPS: dict[str, Callable[[bytes, int, Sequence[Context]], Vectors]] = {
    "random": _random,
    "additive": _additive,
}


def _normal(key: bytes, label: Sequence[str | int], dim: int) -> NDArray[np.float64]:
    """N(0, I) vector that is a function of the key and the label: the seed is a hash of both."""
    digest = blake2b(json.dumps(label).encode("ascii"), key=key, digest_size=16).digest()
    draws: NDArray[np.float64] = np.random.default_rng(int.from_bytes(digest, "little")).standard_normal(dim)
    return draws


def _check_distinct(contexts: Sequence[Context], vectors: NDArray[np.float64]) -> None:
    first: dict[bytes, Context] = {}
    for context, vector in zip(contexts, vectors + 0.0, strict=True):  # + 0.0 turns -0.0 into 0.0
        twin = first.setdefault(vector.tobytes(), context)
        if twin is not context:
            raise DatasetError(
                f"embedding gives contexts {' '.join(twin)!r} and {' '.join(context)!r} the same vector; "
                "distinct contexts must get distinct ones"
            )
