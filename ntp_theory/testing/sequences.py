"""Hypothesis strategies for attention: inputs of tokens with labels, and inputs to select a token of."""

from __future__ import annotations

from hypothesis import strategies as st

from ..attention import TokenSelection, TokenSequences

__all__ = ["token_selections", "token_sequences"]


@st.composite
def token_sequences(draw: st.DrawFn, *, max_tokens: int = 6, max_inputs: int = 8) -> TokenSequences:
    """Inputs of 1 to 5 of up to ``max_tokens`` tokens, labels from among them, weights uniform or whole ratios.

    Parameters
    ----------
    max_tokens, max_inputs : int

    Returns
    -------
    SearchStrategy of TokenSequences
    """
    size = draw(st.integers(2, max_tokens))
    token = st.integers(0, size - 1)
    inputs = draw(st.lists(st.lists(token, min_size=1, max_size=5), min_size=1, max_size=max_inputs))
    labels = [draw(st.sampled_from(row)) for row in inputs]
    parts = draw(st.none() | st.lists(st.integers(1, 5), min_size=len(inputs), max_size=len(inputs)))
    weights = None if parts is None else [part / sum(parts) for part in parts]
    return TokenSequences(inputs, labels, weights, vocab_size=size)


@st.composite
def token_selections(draw: st.DrawFn) -> TokenSelection:
    """One to three inputs of two or three tokens in 8 to 10 dimensions, from the unit sphere.

    Returns
    -------
    SearchStrategy of TokenSelection
    """
    inputs, length, dim = draw(st.integers(1, 3)), draw(st.integers(2, 3)), draw(st.integers(8, 10))
    return TokenSelection.random(inputs, length, dim, rng=draw(st.integers(0, 2**32 - 1)))
