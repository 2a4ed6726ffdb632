"""What all models with several heads share: a trunk, heads that read its states, and logits of the next n tokens.

Suffixes name axes: b batch, t position, n head, d width, v vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....doors import whole
from ....errors import UsageError
from ..embedding import LanguageModel, Tap

__all__ = ["HeadsConfig", "ModelWithHeads"]


@dataclass(frozen=True)
class HeadsConfig:
    """What a model with heads is, in words: two that differ here are not trained by one run."""

    kind: str
    num_heads: int
    seed: int
    trunk: Any


class ModelWithHeads(LanguageModel):
    """A language model whose next-token head is the first of n heads; head i predicts the token i places on.

    To decoders, measures and objectives for language models it is an ordinary one, which has no `cut`. Of its n heads
    know `self_speculative`, `medusa` and the objectives `MultiToken` and `Medusa`.

    Parameters
    ----------
    trunk : LanguageModel
        It becomes part of this model; its last linear layer is the unembedding.
    num_heads : int
        n, the next-token head among them.
    kind : str
        A word for the heads.
    seed : int
        Of the initial weights of the heads.

    Raises
    ------
    UsageError
        If the trunk is no language model, has several heads already, or predicts numbers, or n is below 1.
    """

    def __init__(self, trunk: LanguageModel, num_heads: int, *, kind: str, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(trunk, LanguageModel) or isinstance(trunk, ModelWithHeads) or trunk.numbers:
            raise UsageError(f"trunk is {type(trunk).__name__}; it must be a language model of tokens with one head")
        self.trunk, self.num_heads = trunk, whole("num_heads", num_heads, at_least=1)
        self.slots = trunk.slots
        self.config = HeadsConfig(kind, num_heads, seed, getattr(trunk, "config", type(trunk).__name__))

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """The unembedding of the next-token head, which is the trunk's."""
        return self.trunk.head

    @property
    def unembeddings(self) -> Sequence[nn.Linear]:
        """The last linear layer of every head: one for all, where a subclass says nothing else."""
        return [self.head] * self.num_heads

    @property
    def branches(self) -> Sequence[Sequence[int]]:
        """Groups of heads, from 0 on, each with those that are computed from one another, in that order."""
        return [(head,) for head in range(self.num_heads)]

    def trunk_states(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """The hidden states (b, t, d) that all heads read: the trunk's features, unless a subclass reads others."""
        return self.trunk.features(tokens, cache)

    @abstractmethod
    def branch_states(self, branch: Sequence[int], z_btd: Tensor, cache: Any = None) -> Iterator[Tensor]:
        """What the unembeddings of a branch's heads read (b, t, d), one head after another, from the trunk's states."""

    def features(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Hidden states (b, t, d) that the next-token head reads; other heads are not computed unless it needs them."""
        z_btd = self.trunk_states(tokens, cache)
        branch = next(branch for branch in self.branches if 0 in branch)
        states = self.branch_states(branch, z_btd, cache)
        return next(x_btd for head, x_btd in zip(branch, states, strict=False) if head == 0)

    def states(self, tokens: Tensor, cache: Any = None) -> list[Tensor]:
        """What the unembedding of every head reads, n of (b, t, d)."""
        return self.states_of(self.trunk_states(tokens, cache), cache)

    def states_of(self, z_btd: Tensor, cache: Any = None) -> list[Tensor]:
        """The same, from the trunk's states."""
        found: dict[int, Tensor] = {}
        for branch in self.branches:
            # every branch reads a view: what it sends back is summed before it meets what others do, whichever way
            # gradients are computed, and rounding is the same
            found |= zip(branch, self.branch_states(branch, z_btd.view_as(z_btd), cache), strict=True)
        return [found[head] for head in range(self.num_heads)]

    def future(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits (b, t, n, v) of the next n tokens after every position, the next token first."""
        states = self.states(tokens, cache)
        return torch.stack([layer(x_btd) for layer, x_btd in zip(self.unembeddings, states, strict=True)], dim=2)

    def new_cache(self) -> Any:
        """That of the trunk."""
        return self.trunk.new_cache()

    @property
    def reads_branches(self) -> bool:
        """As the trunk."""
        return self.trunk.reads_branches

    @contextmanager
    def tapped(self, tap: Tap) -> Iterator[None]:
        """While it is tapped: the hidden states of every layer up to the next-token head are what ``tap`` makes."""
        with self.trunk.tapped(tap), super().tapped(tap):
            yield
