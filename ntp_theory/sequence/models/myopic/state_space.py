"""Cuts of gradients in `Mamba`: what position t reads of the others is the state before it and their convolved inputs.

With "keys_values" these are detached: ``state_t = keep_t sg(state_(t-1)) + fresh_t``, and in the convolution every
input but its own. With "hidden_states" they are so for the layer's input alone: its weights learn from all positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call
from torch.nn.grad import conv1d_input, conv1d_weight

from ....errors import UsageError
from ..mamba import Mamba, RecurrentState, SelectiveStateSpace
from ..selective_scan import Reach, selective_scan
from .cut import Cut, StandIn, replaced

__all__ = ["cut_mamba"]


@contextmanager
def cut_mamba(model: Mamba, cut: Cut) -> Iterator[None]:
    """While it lasts, the model's mixers are those of the cut."""
    if cut.changes_values:
        what = "cut is 'zero'" if cut.past is None else "past is given"
        raise UsageError(f"{what}; model is Mamba, which has no keys and values that others could take the place of")
    with replaced([(mixer, "forward", _CutMixer(mixer, cut)) for mixer in model.mixers]):  # type: ignore[arg-type]
        yield


class _CutMixer(StandIn):
    """Stands in for `SelectiveStateSpace.forward`."""

    def __init__(self, mixer: SelectiveStateSpace, cut: Cut) -> None:
        self.mixer, self.cut = mixer, cut
        self.plain = partial(SelectiveStateSpace.forward, mixer)

    def __call__(self, x_btd: Tensor, layer: int, cache: RecurrentState | None) -> Tensor:
        if cache is not None:  # tokens are decoded: only the values count
            return self.plain(x_btd, layer, cache)
        if self.cut.at == "keys_values" or not torch.is_grad_enabled():
            return self.layer(x_btd, Reach(self.cut.window, self.cut.beta), {})
        names, weights = zip(*self.mixer.named_parameters(), strict=True)
        return _TwoWays.apply(self, names, x_btd, *weights)  # type: ignore[no-any-return, no-untyped-call]

    def layer(self, x_btd: Tensor, reach: Reach, weights: dict[str, Tensor]) -> Tensor:
        """The plain layer, with those weights in place of its own; gradients go back as far as ``reach`` says then."""
        mixer = self.mixer

        def shown(x: Tensor, step: Tensor, into: Tensor, out: Tensor) -> Tensor:
            return selective_scan(x, step, into, out, mixer.log_decay.exp(), reach)

        convolution = partial(_convolution, mixer.convolution, reach)
        stand_ins = [
            (mixer, "forward", self.plain),
            (mixer, "shown", shown),
            (mixer.convolution, "forward", convolution),
        ]
        with replaced(stand_ins):
            return functional_call(mixer, weights, (x_btd, 0, None))  # type: ignore[no-any-return]


class _TwoWays(torch.autograd.Function):
    """A layer computed once, and gone back twice: all the way for its weights, as the cut says for its input."""

    @staticmethod
    def forward(ctx: Any, of: _CutMixer, names: tuple[str, ...], x: Tensor, *weights: Tensor) -> Tensor:
        ctx.cut, ctx.reach = of.cut, Reach()
        ctx.x, *ctx.weights = (tensor.detach().requires_grad_(tensor.requires_grad) for tensor in (x, *weights))
        with torch.enable_grad():
            ctx.y = of.layer(ctx.x, ctx.reach, dict(zip(names, ctx.weights, strict=True)))
        return ctx.y.detach()  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        found: list[Tensor | None] = []
        for beta, tensors in ((ctx.cut.beta, [ctx.x]), (1.0, ctx.weights)):
            ctx.reach.window, ctx.reach.beta = ctx.cut.window, beta
            asked = [tensor for tensor in tensors if tensor.requires_grad]
            # kept: whoever differentiates may come this way again
            given = iter(torch.autograd.grad(ctx.y, asked, gradient, retain_graph=True) if asked else ())
            found += [next(given) if tensor.requires_grad else None for tensor in tensors]
        return None, None, *found


def _convolution(layer: nn.Conv1d, reach: Reach, x_bit: Tensor) -> Tensor:
    """The layer's convolution of inputs that begin with padding."""
    return _CutConvolution.apply(x_bit, layer.weight, layer.bias, reach)  # type: ignore[no-any-return, no-untyped-call]


class _CutConvolution(torch.autograd.Function):
    """A convolution channel by channel; the last tap is that of the own position."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, reach: Reach) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.reach, ctx.bias_dtype = reach, bias.dtype
        return F.conv1d(x, weight, bias, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        kind, groups = gradient.dtype, len(weight)  # lower than that of the weights under autocast
        shares = Cut(**vars(ctx.reach)).shares(weight.shape[2], gradient)[-1]
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = conv1d_input(x.shape, weight.to(kind) * shares, gradient, groups=groups).to(x.dtype)
        if ctx.needs_input_grad[1]:
            to_weight = conv1d_weight(x.to(kind), weight.shape, gradient, groups=groups).to(weight.dtype)
            to_bias = gradient.sum((0, 2)).to(ctx.bias_dtype)
        return to_x, to_weight, to_bias, None
