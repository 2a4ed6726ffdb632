"""Greedy decoding: the likeliest token, again and again."""

from __future__ import annotations

import torch
from torch import Tensor

from ...doors import whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch

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
        than the model has positions.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=6, layers=1))
    >>> greedy(model, torch.tensor([[1, 2]]), 3).shape
    torch.Size([1, 3])
    """
    whole("max_new_tokens", max_new_tokens, at_least=1)
    prompts = prompt.prompts if isinstance(prompt, Batch) else prompt
    if not isinstance(prompts, Tensor) or prompts.dtype != torch.int64 or 0 in prompts.shape:
        found = f"{tuple(prompts.shape)}, {prompts.dtype}" if isinstance(prompts, Tensor) else type(prompts).__name__
        raise UsageError(f"prompt is {found}; it must be a Tensor of at least one token, torch.int64")
    if not 0 <= int(prompts.min()) <= int(prompts.max()) < model.head.out_features:
        raise UsageError(
            f"prompt has tokens from {int(prompts.min())} to {int(prompts.max())}; "
            f"the model's are 0 to {model.head.out_features - 1}"
        )
    cache = model.new_cache()
    with model.asked():
        said = [model(prompts, cache)[:, -1:].argmax(-1)]
        for _ in range(max_new_tokens - 1):
            said.append(model(said[-1], cache)[:, -1:].argmax(-1))
    return torch.cat(said, dim=1)
