"""Heads that are one linear map each, of the trunk's features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from ....doors import whole
from ..embedding import LARGEST_SEED, LanguageModel, initialise
from .base import ModelWithHeads

__all__ = ["LinearHeads", "ReplicatedHeads"]


class LinearHeads(ModelWithHeads):
    """Heads that are a square matrix each, before the one unembedding: logits ``W A_i h`` of the trunk's features h.

    Parameters
    ----------
    trunk : LanguageModel
        It becomes part of this model.
    num_heads : int
        n, the next-token head among them.
    seed : int
        Of the initial weights of the heads.

    Raises
    ------
    UsageError
        If an argument is out of range.

    Notes
    -----
    Source: Gloeckle et al., 2404.19737, App. B (`multitoken/alternatives`).

    Examples
    --------
    >>> import torch
    >>> from ntp_theory.sequence.models import Mamba, MambaConfig
    >>> model = LinearHeads(Mamba(MambaConfig(vocab_size=10, width=8, layers=1)), 4)
    >>> model.future(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 4, 10])
    """

    def __init__(self, trunk: LanguageModel, num_heads: int, *, seed: int = 0) -> None:
        super().__init__(trunk, num_heads, kind="linear", seed=seed)
        width = trunk.head.in_features
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(num_heads))
        initialise(self.layers, width, whole("seed", seed, at_least=0, at_most=LARGEST_SEED))
        self.layers.to(trunk.head.weight)

    def branch_states(self, branch: Sequence[int], z_btd: Tensor, cache: Any = None) -> Iterator[Tensor]:
        """The features, multiplied by the matrix of a head."""
        return (self.layers[head](z_btd) for head in branch)


class ReplicatedHeads(ModelWithHeads):
    """Heads that are an unembedding each, (n v, d) numbers in all: logits ``W_i h`` of the trunk's features h.

    The first is the trunk's own.

    Parameters
    ----------
    trunk : LanguageModel
        It becomes part of this model.
    num_heads : int
        n, the next-token head among them.
    seed : int
        Of the initial weights of the heads.

    Raises
    ------
    UsageError
        If an argument is out of range.

    Notes
    -----
    Source: Gloeckle et al., 2404.19737, App. B (`multitoken/alternatives`), there for models of bytes.

    Examples
    --------
    >>> from ntp_theory.testing import Table, TableModel
    >>> model = ReplicatedHeads(TableModel(Table.random(3, 1)), 2)
    >>> [layer is model.head for layer in model.unembeddings]
    [True, False]
    """

    def __init__(self, trunk: LanguageModel, num_heads: int, *, seed: int = 0) -> None:
        super().__init__(trunk, num_heads, kind="replicated", seed=seed)
        width, v = trunk.head.in_features, trunk.head.out_features
        biased = trunk.head.bias is not None
        self.further = nn.ModuleList(nn.Linear(width, v, bias=biased) for _ in range(num_heads - 1))
        initialise(self.further, width, whole("seed", seed, at_least=0, at_most=LARGEST_SEED))
        self.further.to(trunk.head.weight)

    @property
    def unembeddings(self) -> Sequence[nn.Linear]:
        """The trunk's, and those of the further heads."""
        return [self.head, *self.further]

    def branch_states(self, branch: Sequence[int], z_btd: Tensor, cache: Any = None) -> Iterator[Tensor]:
        """The features themselves."""
        return (z_btd for _ in branch)
