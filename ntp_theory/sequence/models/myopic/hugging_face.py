"""Cuts of gradients in models from Hugging Face, by way of their interface for attention functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ....errors import UsageError
from ..hugging_face import HuggingFace, Past
from .attention import cut_attention, lone_attention
from .cut import Cut, StandIn, replaced

__all__ = ["cut_hugging_face"]

NAME = "ntp_theory_cut"
# What attention functions of some models are told beyond queries, keys, values and a mask.
UNKNOWN = ("softcap", "position_bias", "s_aux", "head_mask")
# Of each model the modules that attend by an attention function, once they are known.
_attending: WeakKeyDictionary[HuggingFace, list[Any]] = WeakKeyDictionary()
# Which cut the one attention function that transformers knows of is to follow, in each thread.
_in_use: ContextVar[_Cut] = ContextVar(NAME)


@contextmanager
def cut_hugging_face(model: HuggingFace, cut: Cut) -> Iterator[None]:
    """While it lasts, the model's attention is that of the cut."""
    if cut.past is not None:
        raise UsageError("past is given; models from Hugging Face have no such cut, only those of ours")
    stand_in = _Cut(model, cut)
    if model not in _attending:
        _attending[model] = stand_in.find()
    with replaced([(model, "features", stand_in.features)]):
        yield


class _Captured(Exception):
    """Keys and values, as soon as they are known."""


class _Cut(StandIn):
    """Stands in for the features of a model, and for its attention function while they are computed."""

    def __init__(self, model: HuggingFace, cut: Cut) -> None:
        self.model, self.cut = model, cut
        self.twins: tuple[Tensor, Tensor] | None = None
        self.capturing = False

    def features(self, tokens: Tensor, cache: Past | None = None) -> Tensor:
        """Those of the model; decoding with a cache is as it was, unless values change."""
        if cache is not None and not self.cut.changes_values:
            return HuggingFace.features(self.model, tokens, cache)
        if torch.is_grad_enabled() and _recomputes(self.model.model):
            raise UsageError("model computes its activations again on the way back, where no cut is; switch that off")
        modules = _attending[self.model] if self.cut.at == "hidden_states" else []
        stand_ins = [(module, "forward", _WithTwins(self, module.forward)) for module in modules]
        with replaced(stand_ins), self.in_use():
            return HuggingFace.features(self.model, tokens, cache)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While it lasts, the model attends by this object."""
        try:
            from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
            from transformers.modeling_utils import AttentionInterface
        except ImportError:
            raise UsageError("model is from Hugging Face; its cuts need transformers 5 or later") from None
        theirs = self.model.model
        before = theirs.config._attn_implementation
        AttentionInterface.register(NAME, lambda *inputs, **options: _in_use.get().attend(*inputs, **options))
        AttentionMaskInterface.register(NAME, sdpa_mask)
        former = _in_use.set(self)
        try:
            theirs.set_attn_implementation(NAME)
            yield
        finally:
            theirs.set_attn_implementation(before)
            _in_use.reset(former)

    def attend(
        self,
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        """The attention function of the model: (b, h, t, e) to (b, t, h, e)."""
        if self.capturing:
            raise _Captured(key, value)
        if dropout:
            raise UsageError(f"model has dropout {dropout} in its attention; a cut needs it to be 0, in its config")
        unknown = [name for name in UNKNOWN if options.get(name) is not None]
        if unknown:
            raise UsageError(f"model is {type(self.model.model).__name__}; its attention has {unknown[0]}, no cut has")
        q, s, twins = query.shape[2], key.shape[2], self.twins
        key, value, *pair = (_per_head(x, query) for x in (key, value, *(twins or ())))
        if self.cut.at == "zero":
            place_t = torch.arange(s - q, s, device=query.device)
            y = lone_attention(query, key[:, :, -q:], value[:, :, -q:], place_t, scale=scaling)
        else:
            both = (pair[0], pair[1]) if pair else None
            y = cut_attention(query, key, value, self.cut, twins=both, mask=attention_mask, scale=scaling)
        return y.transpose(1, 2).contiguous(), None

    def find(self) -> list[Any]:
        """The modules that attend by an attention function.

        Raises
        ------
        UsageError
            If a position hears of another in any other way.
        """
        found: dict[int, Any] = {}
        embedded: list[Tensor] = []

        def attend(module: Any, *inputs: Any, **options: Any) -> tuple[Tensor, None]:
            found[id(module)] = module
            key, value = (x.detach() for x in inputs[1:3])
            groups = inputs[0].shape[1] // key.shape[1]
            y = F.scaled_dot_product_attention(
                inputs[0], key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1), is_causal=True
            )
            return y.transpose(1, 2), None

        def remember(module: Any, inputs: Any, output: Tensor) -> Tensor:
            embedded.append(output.detach().requires_grad_())
            return embedded[0]

        hook = self.model.model.get_input_embeddings().register_forward_hook(remember)
        tokens = torch.arange(3, device=self.model.device)[None] % self.model.head.out_features
        try:
            with self.model.asked(), torch.enable_grad(), replaced([(self, "attend", attend)]), self.in_use():
                features = HuggingFace.features(self.model, tokens)
                (gradient,) = torch.autograd.grad(features[:, -1].square().sum(), embedded)
        finally:
            hook.remove()
        if not found or bool((gradient[:, :-1] != 0).any()):
            raise UsageError(
                f"model is {type(self.model.model).__name__}; its positions hear of each other by other ways than the "
                "attention functions of transformers, so that there is no cut"
            )
        return list(found.values())


class _WithTwins:
    """Stands in for the forward pass of an attention module: first keys and values are made of detached inputs."""

    def __init__(self, cut: _Cut, forward: Any) -> None:
        self.cut, self.forward = cut, forward

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        detached = tree_map_only(Tensor, torch.detach, (inputs, options))
        self.cut.capturing = True
        try:
            self.forward(*detached[0], **detached[1])
        except _Captured as found:
            self.cut.twins = found.args
        finally:
            self.cut.capturing = False
        try:
            return self.forward(*inputs, **options)
        finally:
            self.cut.twins = None


def _recomputes(model: Any) -> bool:
    """Whether activations are checkpointed; transformers does that in training alone."""
    return model.training and any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


def _per_head(x: Tensor, query: Tensor) -> Tensor:
    """Keys or values again for every query head that shares them."""
    return x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) if x.shape[1] != query.shape[1] else x
