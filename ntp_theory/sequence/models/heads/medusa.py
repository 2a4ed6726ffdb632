"""Medusa heads: a residual block and an unembedding each, behind a model that is trained already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....doors import whole
from ....errors import UsageError
from ..embedding import LARGEST_SEED, LanguageModel, initialise
from .base import ModelWithHeads

__all__ = ["MedusaHeads", "MedusaModel"]


class MedusaHeads(nn.Module):
    """Logits ``W_2 (SiLU(W_1 h) + h)`` of each head, from a model's features h; head k is for the token k + 1 on.

    Parameters
    ----------
    width, vocab_size : int
        d and v, those of the model.
    num_heads : int
        K, tokens behind the next one.
    head : torch.nn.Linear, optional
        The model's unembedding, at which every W_2 starts: with W_1 = 0 all heads begin as the next-token head.
        Random if None.
    layers : int
        Residual blocks of a head, each with weights of its own.
    seed : int
        Of a random W_2.

    Raises
    ------
    UsageError
        If a number is out of range, or the unembedding is not of these sizes.

    Notes
    -----
    Source: Cai et al., 2401.10774, Sec. 2 (`medusa/heads`). In the public code all blocks of a head are one module
    (`medusa/defect-6`).

    Examples
    --------
    >>> heads = MedusaHeads(8, 10, 3)
    >>> heads(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 3, 10])
    """

    def __init__(
        self,
        width: int,
        vocab_size: int,
        num_heads: int,
        *,
        head: nn.Linear | None = None,
        layers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (
            ("width", width),
            ("vocab_size", vocab_size),
            ("num_heads", num_heads),
            ("layers", layers),
        ):
            whole(name, value, at_least=1)
        whole("seed", seed, at_least=0, at_most=LARGEST_SEED)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(layers))) for _ in range(num_heads)
        )
        shaped = isinstance(head, nn.Linear) and (head.out_features, head.in_features) == (vocab_size, width)
        if head is not None and not shaped:
            raise UsageError(f"head is {head}; it must be a Linear layer from {width} to {vocab_size}")
        biased = head is not None and head.bias is not None
        self.unembeddings = nn.ModuleList(nn.Linear(width, vocab_size, bias=biased) for _ in range(num_heads))
        if head is None:
            initialise(self.unembeddings, width, seed)
            return
        for layer in self.unembeddings:
            layer.load_state_dict(head.state_dict())
        self.to(head.weight)

    def __len__(self) -> int:
        return len(self.blocks)

    def forward(self, h_btd: Tensor) -> Tensor:
        """Logits (b, t, K, v) of the K tokens behind the next one."""
        pairs = zip(self.blocks, self.unembeddings, strict=True)
        return torch.stack([unembedding(block(h_btd)) for block, unembedding in pairs], dim=2)


class ResidualBlock(nn.Module):
    """``SiLU(W h) + h``, at first the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, h_btd: Tensor) -> Tensor:
        """Of the same shape."""
        return F.silu(self.linear(h_btd)) + h_btd


class MedusaModel(ModelWithHeads):
    """A model with Medusa heads behind it, to be trained with `Medusa`; its next-token head is the model's own.

    Parameters
    ----------
    trunk : LanguageModel
        It becomes part of this model.
    heads : MedusaHeads
        K of them, so n is K + 1. They move to the device and precision of the trunk.

    Raises
    ------
    UsageError
        If the heads are no Medusa heads, or of other sizes than the trunk.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> trunk = Transformer(TransformerConfig(vocab_size=10, max_length=8, layers=1))
    >>> model = MedusaModel(trunk, MedusaHeads(64, 10, 2, head=trunk.head))
    >>> next_token, second, third = model.future(torch.tensor([[1, 2, 3]])).unbind(2)
    >>> next_token.equal(second), next_token.equal(third)
    (True, True)
    """

    def __init__(self, trunk: LanguageModel, heads: MedusaHeads) -> None:
        if not isinstance(heads, MedusaHeads):
            raise UsageError(f"heads is {type(heads).__name__}; it must be MedusaHeads")
        super().__init__(trunk, len(heads) + 1, kind=f"Medusa, blocks {[len(block) for block in heads.blocks]}")  # type: ignore[arg-type]
        shape, wanted = heads.unembeddings[0].weight.shape, trunk.head.weight.shape
        if shape != wanted:
            raise UsageError(f"heads has unembeddings {tuple(shape)}; the trunk's is {tuple(wanted)}")  # type: ignore
        self.heads = heads.to(trunk.head.weight)

    @property
    def unembeddings(self) -> Sequence[nn.Linear]:
        """The trunk's, and W_2 of every head."""
        return [self.head, *self.heads.unembeddings]

    def branch_states(self, branch: Sequence[int], z_btd: Tensor, cache: Any = None) -> Iterator[Tensor]:
        """The features, and what the residual blocks make of them."""
        return (self.heads.blocks[head - 1](z_btd) if head else z_btd for head in branch)
