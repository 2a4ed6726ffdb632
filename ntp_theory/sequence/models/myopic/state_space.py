"""Cuts of gradients in `Mamba`: what position t reads of the others is the state before it and their convolved inputs.

With "keys_values" these are detached: ``state_t = keep_t sg(state_(t-1)) + fresh_t``, and in the convolution every
input but its own. With "hidden_states" a layer is computed twice, as a function of its weights and of its own input.
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
from ..mamba import Mamba, RecurrentState, SelectiveStateSpace, scan
from .cut import Cut, StandIn, joined, replaced

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
        mixer = self.mixer
        stand_ins: list[tuple[Any, str, Any]] = [
            (mixer, "forward", self.plain),
            (mixer, "kernel", lambda x: None),
            (mixer, "scan", lambda keep, fresh: _CutScan.apply(keep, fresh, self.cut)),  # type: ignore[no-untyped-call]
            (mixer.convolution, "forward", partial(_convolution, mixer.convolution, self.cut)),
        ]
        with replaced(stand_ins):
            if self.cut.at == "keys_values":
                return mixer(x_btd, layer, None)  # type: ignore[no-any-return]
            frozen = {name: p.detach() for name, p in mixer.named_parameters()}
            of_input = functional_call(mixer, frozen, (x_btd, layer, None))
        return joined(self.plain(x_btd.detach(), layer, None), of_input)


class _CutScan(torch.autograd.Function):
    """The scan, and back through as many positions as the cut says."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, fresh: Tensor, cut: Cut) -> Tensor:
        states = scan(keep, fresh)
        ctx.save_for_backward(keep, states)
        ctx.cut = cut
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        keep, states = ctx.saved_tensors
        to_fresh = gradient
        for _ in range(min(ctx.cut.window, keep.shape[1] - 1)):  # each round reaches one position further back
            to_fresh = gradient + F.pad(keep[:, 1:] * to_fresh[:, 1:], (0, 0) * (keep.dim() - 2) + (0, 1))
        if ctx.cut.beta:
            backwards = torch.cat([keep[:, :1], keep[:, 1:].flip(1)], dim=1)
            whole = scan(backwards, gradient.flip(1)).flip(1)
            to_fresh = torch.lerp(to_fresh, whole, ctx.cut.beta)
        to_keep = torch.zeros_like(keep)
        torch.mul(to_fresh[:, 1:], states[:, :-1], out=to_keep[:, 1:])
        return to_keep, to_fresh, None


def _convolution(layer: nn.Conv1d, cut: Cut, x_bit: Tensor) -> Tensor:
    """The layer's convolution of inputs that begin with padding."""
    return _CutConvolution.apply(x_bit, layer.weight, layer.bias, cut)  # type: ignore[no-any-return, no-untyped-call]


class _CutConvolution(torch.autograd.Function):
    """A convolution channel by channel; the last tap is that of the own position."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, cut: Cut) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.cut, ctx.bias_dtype = cut, bias.dtype
        return F.conv1d(x, weight, bias, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        kind, groups = gradient.dtype, len(weight)  # lower than that of the weights under autocast
        shares = ctx.cut.shares(weight.shape[2], gradient)[-1]
        return (
            conv1d_input(x.shape, weight.to(kind) * shares, gradient, groups=groups).to(x.dtype),
            conv1d_weight(x.to(kind), weight.shape, gradient, groups=groups).to(weight.dtype),
            gradient.sum((0, 2)).to(ctx.bias_dtype),
            None,
        )
