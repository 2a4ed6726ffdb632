"""From a stream of tokens to next-token counts of contexts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice, tee
from typing import Any

import numpy as np
import scipy.sparse

from ..doors import instance, whole
from ..errors import DatasetError

__all__ = ["ContextCounts", "count_contexts"]


@dataclass(frozen=True, eq=False)
class ContextCounts:
    """How often each token follows each context.

    Attributes
    ----------
    contexts : list of tuple of str
        The m distinct contexts, most frequent first.
    tokens : list of str
        The V tokens, most frequent first.
    counts : scipy.sparse.csr_array (m, V)
        Entry (j, z): occurrences of token z right after context j.
    """

    contexts: list[tuple[str, ...]]
    tokens: list[str]
    counts: Any


def count_contexts(
    tokens: Iterable[str],
    context_length: int,
    *,
    vocab_size: int | None = None,
    max_contexts: int | None = None,
) -> ContextCounts:
    """Count the windows of ``context_length`` tokens and the token after each, in one pass over the stream.

    Memory grows with the number of distinct windows, never with the length of the stream.

    Parameters
    ----------
    tokens : iterable of str
    context_length : int
        Number of tokens in a context.
    vocab_size : int, optional
        Keep this many tokens, the most frequent ones. A window is counted only if *all* its tokens are kept:
        no stand-in for rare tokens is invented, so every name in an answer is a token of the text.
    max_contexts : int, optional
        Of the windows that remain, keep those of the most frequent contexts.

    Returns
    -------
    ContextCounts
        Ties in frequency are broken by first appearance in the stream.

    Raises
    ------
    DatasetError
        If the stream has fewer than ``context_length + 1`` tokens or fewer than two distinct ones, or the cut
        of the vocabulary leaves no window.
    UsageError
        If a size is not a whole number in its range.

    Examples
    --------
    >>> counted = count_contexts("a b a b a c".split(), context_length=1)
    >>> counted.contexts, counted.tokens, counted.counts.toarray().astype(int).tolist()
    ([('a',), ('b',)], ['a', 'b', 'c'], [[0, 2, 1], [2, 0, 0]])
    """
    length = whole("context_length", context_length, at_least=1)
    if vocab_size is not None:
        vocab_size = whole("vocab_size", vocab_size, at_least=2)
    if max_contexts is not None:
        max_contexts = whole("max_contexts", max_contexts, at_least=1)
    instance("tokens", tokens, Iterable)
    names, frequency, windows = _count_windows(tokens, length)
    # among equals, most_common keeps the order of insertion, which is that of first appearance
    kept = [i for i, _ in frequency.most_common(vocab_size)]
    column = {i: v for v, i in enumerate(kept)}
    totals: Counter[tuple[int, ...]] = Counter()
    for window, count in windows.items():
        if all(i in column for i in window):
            totals[window[:-1]] += count
    if not totals:
        raise DatasetError(
            f"vocab_size={vocab_size} is too small: no {length + 1} neighbouring tokens of the text are "
            "all kept; it must leave at least one context with its next token"
        )
    row = {context: j for j, (context, _) in enumerate(totals.most_common(max_contexts))}
    entries = [
        (row[window[:-1]], column[window[-1]], count)
        for window, count in windows.items()
        if window[:-1] in row and window[-1] in column
    ]
    rows, columns, values = np.array(entries, dtype=np.int64).T
    return ContextCounts(
        [tuple(names[i] for i in context) for context in row],
        [names[i] for i in kept],
        scipy.sparse.csr_array((values.astype(np.float64), (rows, columns)), shape=(len(row), len(kept))),
    )


def _count_windows(tokens: Iterable[str], length: int) -> tuple[list[str], Counter[int], Counter[tuple[int, ...]]]:
    """Token names by number; how often each token, and each window of ``length + 1`` tokens, occurs."""
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    stream = map(number.__getitem__, tokens)
    head = list(islice(stream, length))
    shifted = tee(chain(head, stream), length + 1)
    windows = Counter(zip(*(islice(s, start, None) for start, s in enumerate(shifted)), strict=False))
    if not windows:
        raise DatasetError(f"text holds {len(head)} tokens; it must hold at least context_length + 1 = {length + 1}")
    names = list(number)
    if len(names) < 2:
        raise DatasetError(f"text holds one distinct token, {names[0]!r}; it must hold at least 2")
    frequency = Counter(head)
    for window, count in windows.items():
        frequency[window[-1]] += count
    return names, Counter({i: frequency[i] for i in range(len(names))}), windows
