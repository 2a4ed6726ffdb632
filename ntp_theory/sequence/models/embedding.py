"""What all models share: tokens in one slot or several become vectors, and initial weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UsageError

__all__ = ["LanguageModel", "SlotEmbedding", "initialise"]


class LanguageModel(nn.Module, ABC):
    """From tokens to logits, by way of features that one linear layer reads.

    A subclass has ``head``, that layer, and says how features come about.
    """

    head: nn.Linear

    def forward(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits (b, t, v) from tokens (b, t) or (b, t, s); with a cache, of positions that follow those in it."""
        return self.head(self.features(tokens, cache))  # type: ignore[no-any-return]

    @abstractmethod
    def features(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Hidden states (b, t, d) that the last linear layer reads."""

    @abstractmethod
    def new_cache(self) -> Any:
        """What a call fills, so that the next one need only be given the tokens that follow."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device


class SlotEmbedding(nn.Module):
    """The sum of the embeddings of the tokens at a position, each slot with a table of its own.

    Parameters
    ----------
    vocab_size, width : int
    slots : int
        How many tokens a position carries.
    null : int, optional
        The token that says nothing: its embedding is 0, and stays so.

    Examples
    --------
    >>> embed = SlotEmbedding(4, 8, slots=3, null=3)
    >>> x_btd = embed(torch.tensor([[[3, 0, 1], [2, 3, 3]]]))
    >>> bool(torch.equal(x_btd[:, 1:], embed(torch.tensor([[2]]))))
    True
    """

    def __init__(self, vocab_size: int, width: int, slots: int = 1, null: int | None = None) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(vocab_size, width, padding_idx=null) for _ in range(slots))
        self.vocab_size = vocab_size

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors (b, t, d) from tokens (b, t), ordinary ones alone, or (b, t, s)."""
        if tokens.dim() == 2:
            return self.tables[0](tokens)  # type: ignore[no-any-return]
        if tokens.dim() != 3 or tokens.shape[2] != len(self.tables):
            raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be (b, t) or (b, t, {len(self.tables)})")
        x_btd: Tensor = self.tables[0](tokens[:, :, 0])
        for i, table in enumerate(self.tables[1:], 1):
            x_btd = x_btd + table(tokens[:, :, i])
        return x_btd


def initialise(model: nn.Module, width: int, seed: int) -> None:
    """Gaussian weights of standard deviation ``0.5 / sqrt(width)`` and zero biases, drawn on the CPU from a seed."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            fresh = torch.randn(module.weight.shape, generator=generator) * (0.5 / math.sqrt(width))
            with torch.no_grad():
                module.weight.copy_(fresh)
                if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    module.weight[module.padding_idx].zero_()
                if isinstance(module, nn.Linear) and module.bias is not None:
                    module.bias.zero_()
