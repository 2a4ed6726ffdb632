"""Cuts of gradients in the `Transformer`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ....errors import UsageError
from ..transformer import Attention, KeyValueCache, Transformer
from .attention import cut_attention, joined_attention, lone_attention
from .cut import Cut, StandIn, replaced

__all__ = ["cut_transformer"]


@contextmanager
def cut_transformer(model: Transformer, cut: Cut) -> Iterator[None]:
    """While it lasts, the model's attention is that of the cut."""
    past = None if cut.past is None else _Past(model, cut.past)
    stand_ins: list[tuple[Any, str, Any]] = [
        (block.attention, "forward", _CutAttention(block.attention, cut, past))  # type: ignore[arg-type]
        for block in model.blocks
    ]
    if past is not None:
        stand_ins += [(model, "features", past.features), (model, "new_cache", past.new_cache)]
    with replaced(stand_ins):
        yield


class _CutAttention(StandIn):
    """Stands in for `Attention.forward`."""

    def __init__(self, attention: Attention, cut: Cut, past: _Past | None) -> None:
        self.attention, self.cut, self.past = attention, cut, past

    def __call__(self, x_btd: Tensor, place_t: Tensor, layer: int, cache: KeyValueCache | None) -> Tensor:
        own = self.attention
        if not self.cut.changes_values and cache is not None:  # tokens are decoded: only the values count
            return Attention.forward(own, x_btd, place_t, layer, cache)
        twins = None
        if self.cut.at == "hidden_states" and self.past is None:
            qkv, twin = _twin_projection(x_btd, own.query_key_value)
            twins = own.split(twin, place_t)[1:]
        else:
            qkv = own.query_key_value(x_btd)
        q, k, v = own.split(qkv, place_t)
        if self.past is not None:
            others = self.past.keys_and_values(layer, place_t, self.attention, self.cut)
            return own.merge(joined_attention(q, k, v, *(cache.extend(layer, *others) if cache else others)))
        if self.cut.at == "zero":
            if cache is not None:
                cache.extend(layer, k, v)  # it counts positions
            return own.merge(lone_attention(q, k, v, place_t))
        return own.merge(cut_attention(q, k, v, self.cut, twins=twins))


@dataclass
class _PairOfCaches(KeyValueCache):
    """Of the reader, and of the model that stands in for its past."""

    past: KeyValueCache = field(default_factory=KeyValueCache)

    def truncate(self, length: int) -> None:
        """Forget all positions from ``length`` on."""
        super().truncate(length)
        self.past.truncate(length)

    def pick(self, rows: Tensor) -> None:
        """Go on with these texts of the batch, in this order."""
        super().pick(rows)
        self.past.pick(rows)


class _Past(StandIn):
    """A frozen model that reads the same tokens first; what its attention reads is remembered."""

    def __init__(self, reader: Transformer, model: Any) -> None:
        if model is reader:
            raise UsageError("past is the model itself; it must be another one, as copy.deepcopy(model)")
        if not isinstance(model, Transformer) or replace(model.config, seed=0) != replace(reader.config, seed=0):
            found = getattr(model, "config", type(model).__name__)
            raise UsageError(f"past is {found!r}; it must have the sizes of {reader.config!r}")
        if not {id(p) for p in model.parameters()}.isdisjoint(map(id, reader.parameters())):
            raise UsageError("past shares weights with the model; it must not be trained with it: copy.deepcopy(model)")
        of_past, of_reader = ((str(p.device), p.dtype) for p in (model.head.weight, reader.head.weight))
        if of_past != of_reader:
            raise UsageError(f"past is on {of_past}; it must be where the model is and of its type, {of_reader}")
        self.reader, self.model = reader, model
        self.states_btd: list[Tensor] = []

    def features(self, tokens: Tensor, cache: _PairOfCaches | None = None) -> Tensor:
        """Stands in for that of the reader."""
        self.states_btd.clear()
        hooks = [
            block.attention.register_forward_pre_hook(  # type: ignore[union-attr]
                lambda _, inputs: self.states_btd.append(inputs[0])
            )
            for block in self.model.blocks
        ]
        try:
            with self.model.asked():
                self.model.features(tokens, None if cache is None else cache.past)
        finally:
            for hook in hooks:
                hook.remove()
        return Transformer.features(self.reader, tokens, cache)

    def new_cache(self) -> _PairOfCaches:
        """Stands in for that of the reader."""
        return _PairOfCaches(past=self.model.new_cache())

    def keys_and_values(self, layer: int, place_t: Tensor, reader: Attention, cut: Cut) -> tuple[Tensor, Tensor]:
        """Of the states that are remembered: by the reader's weights, or by those of the frozen model."""
        own = cut.at == "keys_values"
        maker: Attention = self.model.blocks[layer].attention if own else reader  # type: ignore[assignment]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not own):
            _, k, v = maker.split(maker.query_key_value(self.states_btd[layer]), place_t)
        return k, v


def _twin_projection(x: Tensor, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """The layer's output twice: of the gradients of the second the weights learn, the inputs do not."""
    return _TwinProjection.apply(x, linear.weight, linear.bias)  # type: ignore[no-any-return, no-untyped-call]


class _TwinProjection(torch.autograd.Function):
    """The products of an ordinary linear layer, forwards and backwards, once each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, weight)
        ctx.bias_dtype = bias.dtype
        y = F.linear(x, weight, bias)
        # one memory for both, but not where a compiler would then take both for one and lose a gradient
        return y, y.clone() if torch.compiler.is_compiling() else y.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, twin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        kind = gradient.dtype  # lower than that of the weights under autocast
        to_weight = (gradient + twin).flatten(0, -2)
        return (
            (gradient @ weight.to(kind)).to(x.dtype),
            (to_weight.mT @ x.flatten(0, -2).to(kind)).to(weight.dtype),
            to_weight.sum(0).to(ctx.bias_dtype),
        )
