"""Heads of one layer each, side by side or one on top of another, with one unembedding for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ....doors import one_of, whole
from ....errors import UsageError
from ..embedding import LARGEST_SEED, LanguageModel
from ..hugging_face import HuggingFace
from ..mamba import Mamba, RecurrentState, SelectiveStateSpace
from ..transformer import KeyValueCache, Transformer, TransformerConfig
from .base import ModelWithHeads
from .cache import HeadsCache

__all__ = ["ARRANGEMENTS", "LayerHeads"]

ARRANGEMENTS = ("parallel", "causal", "anticausal")


class LayerHeads(ModelWithHeads):
    """Heads that are a layer of the trunk's kind each, before its last norm and unembedding, which they share.

    With one head it is the trunk with one more layer.

    Parameters
    ----------
    trunk : Transformer, Mamba or HuggingFace
        f_s. It becomes part of this model.
    num_heads : int
        n, the next-token head among them.
    arrangement : {"parallel", "causal", "anticausal"}
        Every head reads the trunk, as the paper's; or head i reads head i - 1, or head i + 1.
    seed : int
        Of the initial weights of the heads.

    Raises
    ------
    UsageError
        If an argument is out of range, or the trunk has no layers of a kind that heads can have.

    Notes
    -----
    Source: Gloeckle et al., 2404.19737, Sec. 2 and App. B (`multitoken/architecture`, `multitoken/alternatives`). Heads
    on a Hugging Face trunk are Transformer layers of this library, with rotary positions and its number of attention
    heads.

    Examples
    --------
    >>> trunk = Transformer(TransformerConfig(vocab_size=10, max_length=8, layers=2))
    >>> model = LayerHeads(trunk, 3).double()
    >>> tokens = torch.tensor([[1, 2, 3, 4]])
    >>> model.future(tokens).shape, model(tokens).equal(model.future(tokens)[:, :, 0])
    (torch.Size([1, 4, 3, 10]), True)
    """

    def __init__(self, trunk: LanguageModel, num_heads: int, *, arrangement: str = "parallel", seed: int = 0) -> None:
        one_of("arrangement", arrangement, ARRANGEMENTS)
        super().__init__(trunk, num_heads, kind=f"{arrangement} layers", seed=seed)
        self.arrangement = arrangement
        self.layers = _layers_for(trunk, num_heads, whole("seed", seed, at_least=0, at_most=LARGEST_SEED))
        self.layers.to(trunk.head.weight)
        _ = self.norm  # of a Hugging Face model it is found here, while nothing is tapped, or refused

    @property
    def norm(self) -> nn.Module:
        """The trunk's last norm, which every head has before the unembedding."""
        return self.trunk.norm  # type: ignore[return-value]

    @property
    def branches(self) -> Sequence[Sequence[int]]:
        """All heads for themselves, or all in a chain."""
        if self.arrangement == "parallel":
            return super().branches
        heads = range(self.num_heads)
        return [heads if self.arrangement == "causal" else heads[::-1]]

    @property
    def _depth(self) -> int:
        """Head layers that the next token passes through."""
        return self.num_heads if self.arrangement == "anticausal" else 1

    def trunk_states(self, tokens: Tensor, cache: HeadsCache | None = None) -> Tensor:
        """The trunk's hidden states (b, t, d) before its last norm."""
        found: list[Tensor] = []
        outer = self.trunk.tap

        def record(layer: int, x_btd: Tensor) -> Tensor:
            x_btd = x_btd if outer is None else outer(layer, x_btd)
            found[:] = [x_btd]
            return x_btd

        with self.trunk.tapped(record):
            self.trunk.features(tokens, None if cache is None else cache.trunk)
        return found[0]

    def branch_states(self, branch: Sequence[int], z_btd: Tensor, cache: HeadsCache | None = None) -> Iterator[Tensor]:
        """The normalised states (b, t, d) of one head after another."""
        t = z_btd.shape[1]
        stop = t if cache is None else cache.length  # the trunk has read these positions already
        branches = None if cache is None else cache.branches
        place_t = torch.arange(stop - t, stop, device=z_btd.device) if branches is None else branches.place_bt
        for head in branch:
            slot = head if self.arrangement == "parallel" else branch.index(head)  # in the order of computation
            z_btd = self.layers[head](z_btd, place_t, slot, None if cache is None else cache.heads)
            if slot < self._depth and self.tap is not None:
                z_btd = self.tap(self._trunk_layers + slot + 1, z_btd)
            yield self.norm(z_btd)

    def features(self, tokens: Tensor, cache: HeadsCache | None = None) -> Tensor:
        """Hidden states (b, t, d) that the next-token head reads; of the other heads only those below it."""
        if cache is not None:
            cache.read_by(self._depth)
        return super().features(tokens, cache)

    def states(self, tokens: Tensor, cache: HeadsCache | None = None) -> list[Tensor]:
        """What the unembedding of every head reads, n of (b, t, d)."""
        if cache is not None:
            cache.read_by(self.num_heads)
        return super().states(tokens, cache)

    def new_cache(self) -> HeadsCache:
        """Nothing yet, of the trunk and of the heads."""
        recurrent = isinstance(self.trunk, Mamba)
        return HeadsCache(self.trunk.new_cache(), RecurrentState() if recurrent else KeyValueCache())

    @property
    def _trunk_layers(self) -> int:
        config: Any = self.trunk.config
        return int(config.num_hidden_layers if isinstance(self.trunk, HuggingFace) else config.layers)


class MambaLayer(nn.Module):
    """A norm and a state space, added to what came before."""

    def __init__(self, norm: nn.Module, mixer: SelectiveStateSpace) -> None:
        super().__init__()
        self.norm, self.mixer = norm, mixer

    def forward(self, x_btd: Tensor, place_t: Tensor, layer: int, cache: RecurrentState | None) -> Tensor:
        """The hidden states after this layer; a recurrent state needs no positions."""
        return x_btd + self.mixer(self.norm(x_btd), layer, cache)  # type: ignore[no-any-return]


def _layers_for(trunk: LanguageModel, count: int, seed: int) -> nn.ModuleList:
    """Layers like the trunk's: those of a fresh model with so many, from a stream of its own."""
    fresh: dict[str, Any] = {"layers": count, "seed": int(np.random.default_rng([seed, 1]).integers(LARGEST_SEED))}
    if isinstance(trunk, Transformer):
        return Transformer(replace(trunk.config, **fresh)).blocks
    if isinstance(trunk, HuggingFace):
        heads = trunk.config.num_attention_heads
        sizes = TransformerConfig(1, 1, width=trunk.head.in_features, heads=heads, positions="rotary")
        return Transformer(replace(sizes, **fresh)).blocks
    if isinstance(trunk, Mamba):
        made = Mamba(replace(trunk.config, **fresh))
        return nn.ModuleList(MambaLayer(*pair) for pair in zip(made.norms, made.mixers, strict=True))  # type: ignore
    raise UsageError(f"trunk is {type(trunk).__name__}; heads with layers need a Transformer, Mamba or HuggingFace")
