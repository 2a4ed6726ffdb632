"""A decoder-only Transformer: pre-norm, learned or rotary positions, fused attention, a key-value cache.

Suffixes name axes: b batch, t and s positions (of queries and keys), d width, h head, e width of a head, v vocabulary.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...doors import instance, one_of, whole
from ...errors import UsageError
from .embedding import LARGEST_SEED, LanguageModel, check_inputs, embedding_for, initialise
from .myopic.cut import Cut

__all__ = ["Branches", "KeyValueCache", "Transformer", "TransformerConfig"]

POSITIONS = ("learned", "rotary")


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a `Transformer`.

    Attributes
    ----------
    vocab_size : int
        v.
    max_length : int
        The largest number of positions.
    width, layers, heads : int
        d, and how many blocks and heads; d must be a multiple of the heads.
    slots : int
        How many tokens a position carries (`Batch.prompts`).
    null : int, optional
        The token of an empty slot.
    numbers : int
        Real numbers that a position carries instead of tokens; 0 for tokens.
    positions : {"learned", "rotary"}
    seed : int
        Of the initial weights.
    """

    vocab_size: int
    max_length: int
    width: int = 64
    layers: int = 5
    heads: int = 4
    slots: int = 1
    null: int | None = None
    numbers: int = 0
    positions: str = "learned"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "max_length", "width", "layers", "heads", "slots"):
            whole(name, getattr(self, name), at_least=1)
        whole("seed", self.seed, at_least=0, at_most=LARGEST_SEED)
        one_of("positions", self.positions, POSITIONS)
        check_inputs(self)
        if self.width % self.heads:
            raise UsageError(f"width is {self.width}; it must be a multiple of heads = {self.heads}")
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise UsageError(f"width / heads is {self.width // self.heads}; rotary positions need it to be even")


@dataclass(frozen=True)
class Branches:
    """How the tokens of a call follow each other where they are no chain, but nodes of trees.

    Attributes
    ----------
    place_bt : Tensor
        Their positions: of two continuations of one text the same.
    seen_bts : Tensor, bool
        Which of the positions in the cache, and of the new ones behind them, each token attends to.
    """

    place_bt: Tensor
    seen_bts: Tensor


@dataclass
class KeyValueCache:
    """Keys and values of the positions so far, a pair a layer; with ``branches`` the next call reads trees."""

    keys_bhse: list[Tensor] = field(default_factory=list)
    values_bhse: list[Tensor] = field(default_factory=list)
    branches: Branches | None = None

    @property
    def length(self) -> int:
        """How many positions there are."""
        return self.keys_bhse[0].shape[2] if self.keys_bhse else 0

    def extend(self, layer: int, k_bhte: Tensor, v_bhte: Tensor) -> tuple[Tensor, Tensor]:
        """Add the newest positions of a layer; returns all of them."""
        if layer == len(self.keys_bhse):
            self.keys_bhse.append(k_bhte)
            self.values_bhse.append(v_bhte)
        else:
            self.keys_bhse[layer] = torch.cat([self.keys_bhse[layer], k_bhte], dim=2)
            self.values_bhse[layer] = torch.cat([self.values_bhse[layer], v_bhte], dim=2)
        return self.keys_bhse[layer], self.values_bhse[layer]

    def truncate(self, length: int) -> None:
        """Forget all positions from ``length`` on."""
        self.keys_bhse = [k_bhse[:, :, :length] for k_bhse in self.keys_bhse]
        self.values_bhse = [v_bhse[:, :, :length] for v_bhse in self.values_bhse]

    def pick(self, rows: Tensor) -> None:
        """Go on with these texts of the batch, in this order."""
        self.keys_bhse = [k_bhse[rows] for k_bhse in self.keys_bhse]
        self.values_bhse = [v_bhse[rows] for v_bhse in self.values_bhse]

    def gather(self, kept_bs: Tensor) -> None:
        """Go on with these positions of each text, in this order."""
        index_b1s1 = kept_bs[:, None, :, None]
        for layers in (self.keys_bhse, self.values_bhse):
            for layer, x_bhse in enumerate(layers):
                layers[layer] = x_bhse.gather(2, index_b1s1.expand(-1, x_bhse.shape[1], -1, x_bhse.shape[3]))


class Transformer(LanguageModel):
    """Logits of the next token at every position.

    Parameters
    ----------
    config : TransformerConfig

    Examples
    --------
    >>> model = Transformer(TransformerConfig(vocab_size=10, max_length=8, layers=2))
    >>> tokens = torch.tensor([[1, 2, 3]])
    >>> cache = model.new_cache()
    >>> whole, first = model(tokens), model(tokens[:, :2], cache)
    >>> torch.allclose(whole, torch.cat([first, model(tokens[:, 2:], cache)], dim=1), atol=1e-6)
    True
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        instance("config", config, TransformerConfig)
        self.config, self.slots, self.numbers = config, config.slots, config.numbers
        self.embedding = embedding_for(config)
        self.positions = nn.Embedding(config.max_length, config.width) if config.positions == "learned" else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        initialise(self, config.width, config.seed)

    def features(self, tokens: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Hidden states (b, t, d) that the last linear layer reads."""
        x_btd = self.embedding(tokens)
        branches = cache.branches if cache else None
        start = cache.length if cache else 0
        stop = start + x_btd.shape[1] if branches is None else int(branches.place_bt.max()) + 1
        if stop > self.config.max_length:
            raise UsageError(f"tokens reach position {stop}; max_length is {self.config.max_length}")
        place_t = torch.arange(start, stop, device=tokens.device) if branches is None else branches.place_bt
        if self.positions is not None:
            x_btd = x_btd + self.positions(place_t)
        x_btd = self.passed(0, x_btd)
        for layer, block in enumerate(self.blocks):
            x_btd = self.passed(layer + 1, block(x_btd, place_t, layer, cache))
        return self.norm(x_btd)  # type: ignore[no-any-return]

    def new_cache(self) -> KeyValueCache:
        """An empty cache."""
        return KeyValueCache()

    @property
    def reads_branches(self) -> bool:
        """Whether its cache may have branches: not while something stands in for its attention, as a `cut` does."""
        return not any("forward" in vars(block.attention) for block in self.blocks)

    def cut(self, cut: Cut) -> AbstractContextManager[None]:
        """While it lasts, attention to other positions passes on only the gradients that the cut lets through."""
        from .myopic.transformer import cut_transformer  # which needs this module

        return cut_transformer(self, cut)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each on the normalised sum of what came before."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(config.width), Attention(config)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(
            nn.Linear(config.width, 4 * config.width), nn.GELU(), nn.Linear(4 * config.width, config.width)
        )

    def forward(self, x_btd: Tensor, place_t: Tensor, layer: int, cache: KeyValueCache | None) -> Tensor:
        """The hidden states after this block."""
        x_btd = x_btd + self.attention(self.attention_norm(x_btd), place_t, layer, cache)
        return x_btd + self.mlp(self.mlp_norm(x_btd))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Causal self-attention with several heads."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads, self.rotary = config.heads, config.positions == "rotary"
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x_btd: Tensor, place_t: Tensor, layer: int, cache: KeyValueCache | None) -> Tensor:
        """What every position gathers from itself and those before it."""
        t = x_btd.shape[1]
        q_bhte, k_bhte, v_bhte = self.split(self.query_key_value(x_btd), place_t)
        k_bhse, v_bhse = cache.extend(layer, k_bhte, v_bhte) if cache else (k_bhte, v_bhte)
        if cache and cache.branches is not None:
            seen_b1ts = cache.branches.seen_bts[:, None]
            return self.merge(F.scaled_dot_product_attention(q_bhte, k_bhse, v_bhse, attn_mask=seen_b1ts))
        s = k_bhse.shape[2]
        # with a cache, the queries are the last t of the s positions
        mask_ts = None if s == t or t == 1 else torch.ones(t, s, dtype=torch.bool, device=x_btd.device).tril(s - t)
        return self.merge(F.scaled_dot_product_attention(q_bhte, k_bhse, v_bhse, attn_mask=mask_ts, is_causal=s == t))

    def split(self, qkv: Tensor, place_t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (b, h, t, e) of what `query_key_value` makes (b, t, 3 d)."""
        b, t, _ = qkv.shape
        q_bhte, k_bhte, v_bhte = qkv.view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.rotary:
            q_bhte, k_bhte = rotate(q_bhte, place_t), rotate(k_bhte, place_t)
        return q_bhte, k_bhte, v_bhte

    def merge(self, y_bhte: Tensor) -> Tensor:
        """What the heads have gathered, as one vector a position (b, t, d)."""
        return self.output(y_bhte.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def rotate(x_bhte: Tensor, place_t: Tensor) -> Tensor:
    """Rotary positions: the two halves of every vector turn against each other, faster in the first coordinates."""
    half = x_bhte.shape[-1] // 2
    # bfloat16 has 8 bits: of an angle at position 200 they leave no fraction, and 256 and 257 are one
    exact = torch.promote_types(x_bhte.dtype, torch.float32)
    rates = 10_000.0 ** (-torch.arange(half, device=x_bhte.device, dtype=exact) / half)
    angles_te = place_t[..., None].to(exact) * rates
    if place_t.dim() == 2:  # of branches: each text has its own
        angles_te = angles_te[:, None]
    cos, sin = angles_te.cos().to(x_bhte.dtype), angles_te.sin().to(x_bhte.dtype)
    first, second = x_bhte[..., :half], x_bhte[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
