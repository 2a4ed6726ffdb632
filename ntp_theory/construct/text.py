"""A dataset from a real text: tokens, contexts, counts, embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dataset import NTPDataset
from ..errors import DatasetError
from ..text import Text, describe, tokenize
from .counting import count_contexts
from .embedding import embedding_map

__all__ = ["from_text"]


def from_text(
    text: Text,
    *,
    tokenizer: str = "word",
    context_length: int = 2,
    embedding: str | Callable[[Sequence[tuple[str, ...]]], Any] = "random",
    dim: int = 64,
    vocab_size: int | None = None,
    max_contexts: int | None = None,
    rng: int | np.random.Generator = 0,
) -> NTPDataset:
    """Dataset of a text: which tokens follow which contexts, how often, with an embedding for each context.

    The text is read as a stream: a file may be larger than memory, which holds the distinct windows only.

    Parameters
    ----------
    text : str, pathlib.Path or iterable of str
        The text itself, a UTF-8 file, or chunks of text.
    tokenizer : {"word", "character", "byte", "bpe"}
        See `tokenize`.
    context_length : int
        Number of tokens in a context.
    embedding : {"random", "additive"} or callable
        See `embedding_map`; a callable maps a list of contexts, each a tuple of str, to an array (m, d).
    dim : int
        d; a callable decides it by its answer.
    vocab_size : int, optional
        Keep the most frequent tokens only, and the windows made of them; for "bpe" also the number of tokens
        learnt.
    max_contexts : int, optional
        Keep the most frequent contexts only.
    rng : int or numpy.random.Generator
        Seed or source of the embedding map.

    Returns
    -------
    NTPDataset
        With integer ``counts`` and names. Tokens and contexts are sorted by frequency, most frequent first;
        the name of a context is its tokens joined by spaces (by nothing for characters).

    Raises
    ------
    DatasetError
        If the text is missing, empty, binary or too short, has one distinct token only, or two contexts get
        the same embedding.
    UsageError
        If another argument does not fit.

    Notes
    -----
    Source: 2402.18551 Section 2: contexts are fixed windows, the empirical distribution of the next token is
    the soft label (`bias/loss`).

    Examples
    --------
    >>> data = from_text("to be , or not to be : that is the question", context_length=1, dim=16)
    >>> data
    NTPDataset(num_contexts=9, vocab_size=10, dim=16, entropy=0.126 nats)
    >>> data.context_name(1), [data.token_name(v) for v in data.support[1].nonzero()]
    ("'be'", ["','", "':'"])
    """
    embed = embedding_map(embedding, dim=dim, rng=rng)
    tokens = tokenize(text, tokenizer, vocab_size=vocab_size)
    try:
        counted = count_contexts(tokens, context_length, vocab_size=vocab_size, max_contexts=max_contexts)
    except DatasetError as error:
        raise DatasetError(str(error).replace("text holds", f"{describe(text)} holds", 1)) from None
    separator = "" if tokenizer == "character" else " "
    return NTPDataset.from_counts(
        embed(counted.contexts),
        counted.counts,
        token_names=counted.tokens,
        context_names=[separator.join(context) for context in counted.contexts],
    )
