"""The contexts of a text as a trained model sees them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..construct import from_model
from ..dataset import NTPDataset
from ..doors import instance, whole
from ..errors import UsageError
from ..sequence.models import LanguageModel

__all__ = ["text_features"]


def text_features(
    model: LanguageModel,
    tokens: Tensor,
    *,
    context_length: int,
    max_contexts: int | None = None,
    token_names: Sequence[str] | None = None,
) -> NTPDataset:
    """The windows of a text as the last layer of a model reads them, with the counts of what follows each.

    Parameters
    ----------
    model : LanguageModel
        With one token a position: ours, or `HuggingFace` of a local folder.
    tokens : Tensor (T,), int64
        The text.
    context_length : int
        k: a context is k tokens, read on their own.
    max_contexts : int, optional
        Keep the most frequent contexts alone; of equally frequent ones those that come first by their tokens.
    token_names : sequence of str, optional
        Names (V,).

    Returns
    -------
    NTPDataset
        With integer ``counts``, in float64 on the CPU; V and d are those of the model's head, whose bias counts as one
        dimension more.

    Raises
    ------
    UsageError
        If the text is too short, has tokens that the model lacks, or an argument is out of range.
    DatasetError
        If two contexts with different next tokens have the same hidden state, or one is not finite.

    Notes
    -----
    Source: 2402.18551 Section 2 (`bias/loss`) with h_j the hidden states of a trained network.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=4, width=8, layers=1))
    >>> data = text_features(model, torch.tensor([0, 1, 2, 0, 1, 3]), context_length=2)
    >>> data.context_names, data.vocab_size, data.dim
    (('0 1', '1 2', '2 0'), 5, 8)
    """
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64 or tokens.ndim != 1:
        got = f"{tokens.dtype} of shape {tuple(tokens.shape)}" if isinstance(tokens, Tensor) else type(tokens).__name__
        raise UsageError(f"tokens is {got}; it must be an int64 Tensor (T,), a text")
    length = whole("context_length", context_length, at_least=1)
    if len(tokens) <= length:
        raise UsageError(f"tokens has {len(tokens)}; a context of {length} and what follows it need more")
    instance("model", model, LanguageModel)
    size = model.head.out_features
    if not 0 <= int(tokens.min()) <= int(tokens.max()) < size:
        raise UsageError(f"tokens go from {int(tokens.min())} to {int(tokens.max())}; the model has 0 to {size - 1}")
    windows = tokens.unfold(0, length + 1, 1)
    if max_contexts is not None:
        _, which, counts = torch.unique(windows[:, :-1], dim=0, return_inverse=True, return_counts=True)
        order = counts.argsort(descending=True, stable=True)
        kept = torch.zeros(len(counts), dtype=torch.bool)
        kept[order[: whole("max_contexts", max_contexts, at_least=1)]] = True
        windows = windows[kept[which]]

    def read(some: Tensor) -> Tensor:
        with model.asked():
            states = model.features(some.to(model.device))
        if model.head.bias is not None:
            states = torch.cat([states, states.new_ones(*states.shape[:2], 1)], dim=2)
        return states

    return from_model(read, windows, context_length=length, vocab_size=size, token_names=token_names)
