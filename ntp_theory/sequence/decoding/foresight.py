"""How well heads foresee a text: the rank of the right token under each, and how often each rank is right."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...doors import whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from .reading import checked_tokens, foresight
from .trees import checked_ranks

__all__ = ["best_tokens", "head_ranks", "rank_accuracies"]


def best_tokens(logits: Tensor, count: int) -> Tensor:
    """The likeliest tokens (..., count), of equally likely ones the lower first, as `head_ranks` counts them."""
    return logits.argsort(dim=-1, descending=True, stable=True)[..., :count]


def head_ranks(
    model: LanguageModel, tokens: Tensor, *, heads: Callable[[Tensor], Tensor] | None = None, start: int = 1
) -> Tensor:
    """The rank of the right token under every head, 0 for the likeliest, at every position that has all of them.

    Parameters
    ----------
    model : LanguageModel
    tokens : Tensor (b, t), int64
        Texts: what a decoder will have to foresee, as what `greedy` says with its prompts, or texts of a task.
    heads : callable, optional
        From the model's features (b, t, d) to logits (b, t, n, v) of the n tokens behind the next one. Without it the
        model has a method ``future(tokens, cache)`` that gives logits (b, t, n + 1, v), of the next token first.
    start : int
        Tokens of the prompt: the first position looked from is its last.

    Returns
    -------
    Tensor (N, n), int64
        N = b (t - start - n).

    Raises
    ------
    UsageError
        If the texts are too short, or there are no heads.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=12, layers=1))
    >>> heads = lambda features: torch.tensor([0.0, 2.0, 1.0, 3.0, 0.0]).expand(*features.shape[:2], 1, 5)
    >>> head_ranks(model, torch.tensor([[0, 0, 3, 1, 2, 4]]), heads=heads).squeeze(1).tolist()
    [0, 1, 2, 4]
    """
    checked_tokens("tokens", tokens, model.head.out_features)
    if tokens.shape[1] < 2:
        raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be (b, t) with t >= 2")
    whole("start", start, at_least=1, at_most=tokens.shape[1] - 1)
    trunk, logits = foresight(model, heads)
    with model.asked():
        # no head is asked beyond the last token
        found = logits(trunk(tokens[:, :-1], model.new_cache()))[:, start - 1 :, 1:]
    b, _, n, _ = found.shape
    places = tokens.shape[1] - start - n
    if places < 1:
        raise UsageError(f"tokens has shape {tuple(tokens.shape)}; with start = {start} and {n} heads t must be larger")
    right = torch.stack([tokens[:, start + k :][:, 1 : 1 + places] for k in range(n)], dim=2)[..., None]
    found = found[:, :places]
    of_right = found.gather(3, right)
    lower = torch.arange(found.shape[3], device=tokens.device) < right
    ranks = ((found > of_right) | ((found == of_right) & lower)).sum(-1)
    return ranks.reshape(b * places, n)


def rank_accuracies(ranks: Tensor, width: int) -> Tensor:
    """How often the token of each rank is right, a_k^(i): (n, width), in double precision.

    Parameters
    ----------
    ranks : Tensor (N, n)
        Of the right tokens (`head_ranks`).
    width : int
        Ranks.

    Examples
    --------
    >>> rank_accuracies(torch.tensor([[0, 1], [0, 0], [1, 2], [0, 1]]), 2).tolist()
    [[0.75, 0.25], [0.25, 0.5]]
    """
    whole("width", width, at_least=1)
    return (checked_ranks(ranks)[..., None] == torch.arange(width, device=ranks.device)).double().mean(0)
