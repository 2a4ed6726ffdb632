"""The scan of a selective state space model and its way back, which may be cut short.

Suffixes name axes: b batch, t position, i inner width, n state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["Reach", "doubling_scan", "selective_scan", "whole_scan"]


@dataclass
class Reach:
    """How far gradients go back: in full over ``window`` positions, and times ``beta`` over all others.

    It may be changed between the way forward and the way back.
    """

    window: int = 0
    beta: float = 1.0


def selective_scan(
    x_bti: Tensor,
    step_bti: Tensor,
    into_btn: Tensor,
    out_btn: Tensor,
    decay_in: Tensor,
    reach: Reach | None = None,
) -> Tensor:
    """What the states ``state_t = exp(-step_t decay) state_(t-1) + step_t x_t into_t`` show, ``out_t state_t``.

    On a GPU in log2(t) rounds over all positions at once (`whole_scan`). On a CPU, where that only moves memory about,
    one position after another, forth and back: what belongs to one stays in the cache.

    Parameters
    ----------
    x_bti, step_bti : Tensor (b, t, i)
        Inputs and step sizes.
    into_btn, out_btn : Tensor (b, t, n)
        B and C.
    decay_in : Tensor (i, n)
        -A.
    reach : Reach, optional
        Of gradients; all of them go all the way back without it.

    Returns
    -------
    Tensor (b, t, i)
        From states of 0 before the first position.

    Notes
    -----
    Source: Gu and Dao, 2312.00752, Section 3.

    Examples
    --------
    >>> one = torch.ones(1, 3, 1)
    >>> selective_scan(one, one, one, one, torch.full((1, 1), 2.0).log()).flatten().tolist()
    [1.0, 1.5, 1.75]
    """
    kind = torch.promote_types(x_bti.dtype, decay_in.dtype)
    x, step, into, out, decay = (tensor.to(kind) for tensor in (x_bti, step_bti, into_btn, out_btn, decay_in))
    method: Callable[..., Tensor] = whole_scan if x_bti.is_cuda else _InOrder.apply
    return method(x, step, into, out, decay, reach or Reach())


def whole_scan(x: Tensor, step: Tensor, into: Tensor, out: Tensor, decay: Tensor, reach: Reach) -> Tensor:
    """`selective_scan` over all positions at once."""
    keep = torch.exp(-step[..., None] * decay)
    fresh = (step * x)[..., None] * into[:, :, None]
    states = _Doubling.apply(keep, fresh, reach)  # type: ignore[no-untyped-call]
    shown: Tensor = (states * out[:, :, None]).sum(-1)
    return shown


def doubling_scan(keep: Tensor, fresh: Tensor) -> Tensor:
    """All states of ``state_t = keep_t state_(t-1) + fresh_t`` along axis 1, from 0, in log2(t) rounds.

    Examples
    --------
    >>> doubling_scan(torch.tensor([[0.5, 0.5, 0.5]]), torch.tensor([[1.0, 1.0, 1.0]])).tolist()
    [[1.0, 1.5, 1.75]]
    """
    done = 1
    while done < fresh.shape[1]:
        # a stretch of 2 * done positions is one of done behind another
        fresh = torch.cat([fresh[:, :done], fresh[:, done:] + keep[:, done:] * fresh[:, :-done]], dim=1)
        keep = torch.cat([keep[:, :done], keep[:, done:] * keep[:, :-done]], dim=1)
        done *= 2
    return fresh


class _Doubling(torch.autograd.Function):
    """The `doubling_scan`; of the way forward the states alone are kept."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, fresh: Tensor, reach: Reach) -> Tensor:
        states = doubling_scan(keep, fresh)
        ctx.save_for_backward(keep, states)
        ctx.reach = reach
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (keep, states), reach = ctx.saved_tensors, ctx.reach
        to_fresh = gradient
        for _ in range(min(reach.window, keep.shape[1] - 1) if reach.beta != 1 else 0):  # a round reaches one further
            to_fresh = gradient + F.pad(keep[:, 1:] * to_fresh[:, 1:], (0, 0) * (keep.dim() - 2) + (0, 1))
        if reach.beta:
            backwards = torch.cat([keep[:, :1], keep[:, 1:].flip(1)], dim=1)
            to_fresh = torch.lerp(to_fresh, doubling_scan(backwards, gradient.flip(1)).flip(1), reach.beta)
        to_keep = torch.zeros_like(keep)
        torch.mul(to_fresh[:, 1:], states[:, :-1], out=to_keep[:, 1:])
        return to_keep, to_fresh, None


class _InOrder(torch.autograd.Function):
    """One position after another; arrays of a position are (b, n, i)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, into: Tensor, out: Tensor, decay: Tensor, reach: Reach) -> Tensor:
        places, minus = range(x.shape[1]), -decay.mT.contiguous()
        kept, states = x.new_empty(2, len(places), len(x), *minus.shape)
        product, shown, y = x * step, torch.empty_like(states[0]), torch.empty_like(x)
        for t in places:
            keep, state = kept[t], states[t]
            torch.mul(step[:, t, None], minus, out=keep).exp_()
            torch.mul(product[:, t, None], into[:, t, :, None], out=state)
            if t:
                state.addcmul_(keep, states[t - 1])
            y[:, t] = torch.mul(state, out[:, t, :, None], out=shown).sum(1)
        ctx.save_for_backward(x, step, into, out, decay, kept, states)
        ctx.reach = reach
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, step, into, out, decay, kept, states), reach = ctx.saved_tensors, ctx.reach
        product, decay_ni = x * step, decay.mT.contiguous()
        to_product, to_power, to_into, to_out = map(torch.zeros_like, (x, x, into, out))
        to_decay, term, far = torch.zeros_like(states[0]), torch.empty_like(states[0]), _Far(reach)
        for t in reversed(range(x.shape[1])):
            to_out[:, t] = torch.mul(states[t], gradient[:, t, None], out=term).sum(2)
            to_state = far.joined_by(gradient[:, t, None] * out[:, t, :, None])
            to_product[:, t] = torch.mul(to_state, into[:, t, :, None], out=term).sum(1)
            to_into[:, t] = torch.mul(to_state, product[:, t, None], out=term).sum(2)
            if t:
                torch.mul(to_state, kept[t], out=term).mul_(states[t - 1])
                to_decay.addcmul_(term, step[:, t, None], value=-1)
                to_power[:, t] = term.mul_(decay_ni).sum(1)
                far.move(kept[t])
        to_step = to_product * x - to_power
        return to_product * step, to_step, to_into, to_out, to_decay.sum(0).mT, None


class _Far:
    """Gradients of the states of a position by what later ones show, by how far they have come."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        # of the last positions, and of all; only those that count are carried along
        self.near: list[Tensor] = []
        self.all: Tensor | None = None

    def joined_by(self, own: Tensor) -> Tensor:
        """The gradient of the states of the next position back, whose own part this is."""
        window, beta = self.reach.window, self.reach.beta
        if beta:
            self.all = own if self.all is None else self.all.add_(own)
        if beta == 1:
            return self.all  # type: ignore[return-value]
        self.near = [own.clone() if beta else own, *(one.add_(own) for one in self.near)][: window + 1]
        return torch.lerp(self.near[-1], self.all, beta) if self.all is not None else self.near[-1]

    def move(self, keep: Tensor) -> None:
        """On to the position before."""
        if self.all is not None:
            self.all.mul_(keep)
        window = self.reach.window
        self.near = [one.mul_(keep) for one in self.near[:window]]
