"""Strategies for data of which the case is known by construction, and for what the theory speaks of beside data."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from ..conditions import check_separability
from ..dataset import NTPDataset
from ..doors import one_of, whole
from ..errors import NotSeparableError
from ..subspace import project_complement
from .strategies import decoders, independent_rows, probability_rows

__all__ = ["CASES", "datasets_of_case", "log_probabilities", "separating_directions"]

CASES = ("separable-compatible", "separable-incompatible", "partially-separable", "finite")
"""Cases of a dataset, as `Limit.case` names them."""


@st.composite
def datasets_of_case(
    draw: st.DrawFn, case: str, *, max_contexts: int = 4, max_vocab_size: int = 5, max_dim: int = 6
) -> NTPDataset:
    """Small datasets of a wanted case of `bias/any-data`, which is theirs by construction.

    Two contexts with embeddings h and c h make the case, or one makes the case that is separable and compatible; each
    other context has a dimension of its own, so that it can be met whatever the others ask for. An invertible matrix
    with small entries then hides the dimensions, and contexts are shuffled.

    Parameters
    ----------
    case : {"separable-compatible", "separable-incompatible", "partially-separable", "finite"}
    max_contexts, max_vocab_size, max_dim : int
        Largest m, V and d; at least 2, 3 and 1.

    Returns
    -------
    SearchStrategy of NTPDataset
        Made from counts.

    Raises
    ------
    UsageError
        If there is no such case, or a size is too small.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from ntp_theory import predict
    >>> @settings(max_examples=3, database=None, deadline=None)
    ... @given(datasets_of_case("partially-separable"))
    ... def some_tokens_escape(data):
    ...     assert predict(data).case == "partially-separable"
    >>> some_tokens_escape()
    """
    one_of("case", case, CASES)
    whole("max_contexts", max_contexts, at_least=2)
    whole("max_vocab_size", max_vocab_size, at_least=3)
    whole("max_dim", max_dim, at_least=1)
    v = draw(st.integers(3 if case in ("separable-incompatible", "partially-separable") else 2, max_vocab_size))
    tokens = draw(st.permutations(range(v)))
    first = 1 if case == "separable-compatible" else 2
    others = draw(st.integers(0, min(max_contexts - first, max_dim - 1)))
    counts = np.zeros((first + others, v), dtype=np.int64)
    _make_case(draw, case, counts[:first], tokens)
    for row in counts[first:]:
        # a token that no other constraint holds back would leave the case "finite"
        smallest = v if case == "finite" else 1
        support = draw(st.lists(st.sampled_from(tokens), min_size=smallest, max_size=v, unique=True))
        row[support] = draw(st.lists(st.integers(1, 9), min_size=len(support), max_size=len(support)))
    factor = draw(st.sampled_from([2.0, 0.5, 4.0]))  # exact, whatever the embedding
    coordinates = np.zeros((first + others, 1 + others))
    coordinates[:first, 0] = (1.0, -factor if case == "finite" else factor)[:first]
    coordinates[first:, 0] = draw(st.lists(st.integers(-2, 2), min_size=others, max_size=others))
    coordinates[first:, 1:] = np.eye(others)
    basis = draw(independent_rows(1 + others, draw(st.integers(1 + others, max_dim))))
    order = draw(st.permutations(range(first + others)))
    return NTPDataset.from_counts((coordinates @ basis)[order], counts[order])


def _make_case(draw: st.DrawFn, case: str, counts: np.ndarray, tokens: list[int]) -> None:
    """Counts of the contexts that make the case: at h, and at c h with c > 0, or c < 0 where it is to be finite."""
    v = len(tokens)
    if case == "partially-separable":  # different supports at one direction: their tokens must be level, the rest falls
        cut = draw(st.integers(1, v - 2))
        end = draw(st.integers(cut + 1, v - 1))
        supports = [tokens[:cut], tokens[draw(st.integers(0, cut)) : end]]
    else:
        least = 2 if case == "separable-incompatible" else 1
        most = v if case == "finite" else v - 1
        supports = [tokens[: draw(st.integers(least, most))]] * len(counts)
    for row, support in zip(counts, supports, strict=True):
        row[support] = draw(st.lists(st.integers(1, 9), min_size=len(support), max_size=len(support)))
    if case == "separable-incompatible":  # log-odds x at h and -x at c h: no decoder has both
        a, b = supports[0][:2]
        counts[0, [a, b]] = draw(st.sampled_from([(1, 2), (5, 1), (7, 3)]))
        counts[1] = counts[0]
        counts[1, [a, b]] = counts[0, [b, a]]


@st.composite
def separating_directions(draw: st.DrawFn, data: NTPDataset) -> Tensor:
    """Directions W_d that separate: equal logits on every support and at least 1 below it (`bias/definition-2`).

    Parameters
    ----------
    data : NTPDataset
        Separable.

    Returns
    -------
    SearchStrategy of Tensor (V, d), float64
        The library's own separating direction plus an element of the complement of F that leaves half of every margin
        or more, scaled so that the least margin is 1; zero where nothing is off a support.

    Raises
    ------
    NotSeparableError
        If there is none.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> data = NTPDataset([[1.0], [2.0]], [[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    >>> @settings(max_examples=3, database=None)
    ... @given(separating_directions(data))
    ... def token_2_falls(direction):
    ...     assert (direction[0] - direction[2]).item() > 0.999
    >>> token_2_falls()
    """
    found = check_separability(data)
    if found.direction is None:
        raise NotSeparableError("data has no separating direction", certificate=found.certificate)
    base = found.direction.double()
    noise = project_complement(draw(decoders(data)), data).double()
    margin, loss = _margins(base, data), _margins(noise, data)
    largest = float((-loss / margin).max()) if len(margin) else 0.0
    share = draw(st.sampled_from([0.0, 0.25, 0.5])) / largest if largest > 0 else draw(st.sampled_from([0.0, 1.0]))
    direction = base + share * noise
    least = float(_margins(direction, data).min()) if len(margin) else 1.0
    return direction / least


def _margins(weights: Tensor, data: NTPDataset) -> Tensor:
    """By how much each token off a support is below the lowest of the support."""
    logits = data.embeddings.double() @ weights.T
    level = torch.where(data.support, logits, math.inf).amin(1, keepdim=True)
    return (level - logits)[~data.support]


@st.composite
def log_probabilities(draw: st.DrawFn, size: int) -> Tensor:
    """Logarithms of probabilities that sum to 1, with tails down to exp(-10000), far below every double.

    Parameters
    ----------
    size : int
        How many.

    Returns
    -------
    SearchStrategy of Tensor (size,), float64

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, database=None)
    ... @given(log_probabilities(3))
    ... def sums_to_one(values):
    ...     assert abs(values.exp().sum().item() - 1.0) < 1e-13
    >>> sums_to_one()
    """
    whole("size", size, at_least=1)
    row = draw(probability_rows(np.ones((1, size), dtype=bool)))[0]
    depth = draw(st.lists(st.sampled_from([0.0, 40.0, 800.0, 10_000.0]), min_size=size, max_size=size))
    values = torch.from_numpy(np.log(row) - (np.array(depth) - min(depth)))  # nothing cancels in the last digits
    return values - torch.logsumexp(values, 0)
