"""Linear heads on frozen contexts: one next-token dataset a head, from sequences of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse

from ..construct import embedding_map
from ..dataset import NTPDataset, as_datasets
from ..doors import instance, whole
from ..errors import DatasetError, UsageError

__all__ = ["lost_support", "multi_token_datasets"]


def multi_token_datasets(
    sequences: Sequence[Sequence[str]] | Sequence[Sequence[int]],
    num_heads: int,
    *,
    context_length: int = 1,
    embedding: str | Callable[[Sequence[tuple[str, ...]]], Any] = "random",
    dim: int = 64,
    rng: int | np.random.Generator = 0,
) -> list[NTPDataset]:
    """One `NTPDataset` a head: the same contexts with the same weights, and the law of the token i steps ahead.

    With frozen embeddings and a decoder W_i a head the n-token loss is a sum of losses in one W_i each, so that every
    head is a next-token problem of its own: `ntp_theory.predict` says where its decoder goes.

    Parameters
    ----------
    sequences : sequence of sequences of str or int
        Texts, as lists of tokens; no context reaches over the end of one.
    num_heads : int
        n. Only places with n tokens behind them are counted, for all heads alike.
    context_length : int
        Number of tokens in a context.
    embedding : {"random", "additive"} or callable
        As in `construct.from_text`.
    dim : int
        d, for the named embeddings.
    rng : int or numpy.random.Generator

    Returns
    -------
    list of NTPDataset
        Of head 1 to n, with integer counts and names. The entropy of dataset i is the smallest loss that head i can
        have on these texts with these contexts.

    Raises
    ------
    DatasetError
        If there is no text with ``context_length + num_heads`` tokens, or one distinct token only.
    UsageError
        If an argument does not fit.

    Notes
    -----
    Source: derived; 2402.18551 for each head (`multitoken/linear`).

    Examples
    --------
    >>> from ntp_theory import predict
    >>> heads = multi_token_datasets([list("abacabacaba")], 3, dim=4)
    >>> [[data.pattern.sizes.tolist(), predict(data).case] for data in heads]  # contexts a, b, c
    [[[2, 1, 1], 'separable-compatible'], [[1, 1, 1], 'separable-compatible'], [[2, 1, 1], 'separable-compatible']]
    """
    n, length = whole("num_heads", num_heads, at_least=1), whole("context_length", context_length, at_least=1)
    instance("sequences", sequences, Iterable)
    if isinstance(sequences, str) or any(isinstance(sequence, str) for sequence in sequences):
        raise UsageError("sequences must be a sequence of sequences of tokens; split each text, or make it a list")
    embed = embedding_map(embedding, dim=dim, rng=rng)
    texts = [[str(token) for token in sequence] for sequence in sequences]
    frequency = Counter(token for text in texts for token in text)
    totals: Counter[tuple[str, ...]] = Counter()
    pairs: list[Counter[tuple[tuple[str, ...], str]]] = [Counter() for _ in range(n)]
    for text in texts:
        for t in range(length, len(text) - n + 1):
            context = tuple(text[t - length : t])
            totals[context] += 1
            for head in range(n):
                pairs[head][context, text[t + head]] += 1
    if not totals:
        longest = max(map(len, texts), default=0)
        raise DatasetError(f"sequences has at most {longest} tokens in one; {length + n} are needed")
    if len(frequency) < 2:
        raise DatasetError("sequences holds one distinct token; there must be at least 2")
    contexts, tokens = [c for c, _ in totals.most_common()], [z for z, _ in frequency.most_common()]
    row, column = {c: j for j, c in enumerate(contexts)}, {z: v for v, z in enumerate(tokens)}
    vectors = embed(contexts)
    found = []
    for counted in pairs:
        rows, columns, values = zip(*((row[c], column[z], count) for (c, z), count in counted.items()), strict=True)
        counts = scipy.sparse.csr_array((np.array(values, float), (rows, columns)), shape=(len(row), len(column)))
        names = [" ".join(context) for context in contexts]
        found.append(NTPDataset.from_counts(vectors, counts, token_names=tokens, context_names=names))
    return found


def lost_support(datasets: Sequence[NTPDataset]) -> list[list[tuple[str, str]]]:
    """The tokens that can come i steps after a context but not i + 1 steps: none if supports grow.

    Supports grow for every chain in which every token can follow itself; elsewhere they need not.

    Parameters
    ----------
    datasets : sequence of NTPDataset
        Of head 1, 2 .. n, as `multi_token_datasets` gives them.

    Returns
    -------
    list of n - 1 lists of (context, token)

    Notes
    -----
    Source: derived; `multitoken/linear`, whose printed form says that supports grow.

    Examples
    --------
    >>> lost_support(multi_token_datasets([list("abacabacaba")], 2, dim=4))
    [[("'a'", "'b'"), ("'a'", "'c'"), ("'b'", "'a'"), ("'c'", "'a'")]]
    """
    datasets = as_datasets(datasets)
    lost = [(before.support & ~after.support).nonzero().tolist() for before, after in pairwise(datasets)]
    first = datasets[0]
    return [[(first.context_name(j), first.token_name(v)) for j, v in step] for step in lost]
