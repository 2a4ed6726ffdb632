"""Greedy decoding: the likeliest token, again and again."""

from __future__ import annotations

import torch
from torch import Tensor

from ...doors import instance, whole
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from .reading import likeliest, prompts_of

__all__ = ["greedy"]


def greedy(model: LanguageModel, prompt: Tensor | Batch, max_new_tokens: int) -> Tensor:
    """What a model says, each token the likeliest after those before it.

    Parameters
    ----------
    model : LanguageModel
    prompt : Tensor (b, p) or (b, p, s), or Batch
        At least one token.
    max_new_tokens : int

    Returns
    -------
    Tensor (b, max_new_tokens), int64

    Raises
    ------
    UsageError
        If the prompt is empty or has tokens that the model has not, there are to be fewer than one new token, or more
        than the model has positions, or the model gives NaN.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=6, layers=1))
    >>> greedy(model, torch.tensor([[1, 2]]), 3).shape
    torch.Size([1, 3])
    """
    instance("model", model, LanguageModel)
    whole("max_new_tokens", max_new_tokens, at_least=1)
    prompts = prompts_of(prompt, model.head.out_features)
    cache = model.new_cache()
    with model.asked():
        said = [likeliest(model(prompts, cache)[:, -1:])]
        for _ in range(max_new_tokens - 1):
            said.append(likeliest(model(said[-1], cache)[:, -1:]))
    return torch.cat(said, dim=1)
