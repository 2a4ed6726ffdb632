"""Causal attention with the values of the plain kernel and a backward pass that tells positions apart.

Position t reads position s with weight ``P_ts``. For an incoming gradient g, ``dS = P * (g V^T - D)`` with ``D`` its
row sums, and plain attention has ``dK = dS^T Q``, ``dV = P^T g``. What a position reads of itself is the diagonal of P
and dS; a cut leaves the rest away, or a part of it.

Suffixes name axes: b batch, h head, t and s positions (of queries and keys), e width of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .cut import Cut

__all__ = ["cut_attention", "joined_attention", "lone_attention"]


def cut_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cut: Cut,
    *,
    twins: tuple[Tensor, Tensor] | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Causal attention, bit for bit `F.scaled_dot_product_attention`, with the gradients that a cut lets through.

    Parameters
    ----------
    q, k, v : Tensor (b, h, t, e)
    cut : Cut
        Its beta and window.
    twins : (Tensor, Tensor), optional
        Keys and values again, equal to k and v but computed otherwise: they receive what is cut.
    mask : Tensor, optional
        As of `F.scaled_dot_product_attention`; causal if None.
    scale : float, optional
        Of the scores; ``1 / sqrt(e)`` if None.

    Returns
    -------
    Tensor (b, h, t, e)
    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    return _Cut.apply(q, k, v, *(twins or (None, None)), mask, scale, cut)  # type: ignore[no-any-return, no-untyped-call]


class _Cut(torch.autograd.Function):
    """The fused kernel forwards; backwards the probabilities are computed again."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        k_twin: Tensor | None,
        v_twin: Tensor | None,
        mask: Tensor | None,
        scale: float,
        cut: Cut,
    ) -> Tensor:
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale)
        ctx.save_for_backward(q, k, v, y, mask)
        ctx.scale, ctx.cut, ctx.twins = scale, cut, k_twin is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *saved, mask = ctx.saved_tensors
        kind = saved[0].dtype
        # half precision is for products; the kernel sums in single precision too
        q, k, v, y, g = (x.to(torch.promote_types(kind, torch.float32)) for x in (*saved, gradient))
        scores = _masked(q @ k.mT * ctx.scale, mask)
        read = scores.softmax(-1)
        to_scores = (g @ v.mT).sub_((g * y).sum(-1, keepdim=True)).mul_(read).mul_(ctx.scale)
        found = [to_scores @ k, *_passed(read, to_scores, q, g, ctx.cut, rest=ctx.twins)]
        return (*(x if x is None else x.to(kind) for x in found), None, None, None)


def _masked(scores: Tensor, mask: Tensor | None) -> Tensor:
    if mask is not None and mask.dtype != torch.bool:
        return scores + mask
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    return scores.masked_fill(~mask, -math.inf)


def _passed(
    read: Tensor, to_scores: Tensor, q: Tensor, g: Tensor, cut: Cut, *, rest: bool
) -> tuple[Tensor | None, ...]:
    """The gradients of keys and values that the cut lets through, and, if they are asked for, those that it cuts."""
    if not cut.beta and not cut.window:
        own = to_scores.diagonal(dim1=-2, dim2=-1)[..., None] * q, read.diagonal(dim1=-2, dim2=-1)[..., None] * g
        if not rest:
            return (*own, None, None)
        for matrix in (to_scores, read):
            matrix.diagonal(dim1=-2, dim2=-1).zero_()
        return (*own, to_scores.mT @ q, read.mT @ g)
    shares = cut.shares(q.shape[2], q)
    passed = (to_scores * shares).mT @ q, (read * shares).mT @ g
    if not rest:
        return (*passed, None, None)
    return (*passed, (to_scores * (1 - shares)).mT @ q, (read * (1 - shares)).mT @ g)


def joined_attention(q: Tensor, k: Tensor, v: Tensor, k_others: Tensor, v_others: Tensor) -> Tensor:
    """Causal attention to the own key and value and to other keys and values of the positions before.

    Parameters
    ----------
    q, k, v : Tensor (b, h, t, e)
        Of the last t of s positions.
    k_others, v_others : Tensor (b, h, s, e)
        Of all positions; those of the reader itself are not read.

    Returns
    -------
    Tensor (b, h, t, e)
    """
    t, s = q.shape[2], k_others.shape[2]
    seen_ts = torch.ones(t, s, dtype=torch.bool, device=q.device)
    own_ts = seen_ts.tril(s - t) & seen_ts.triu(s - t)
    own_score = (q * k).sum(-1, keepdim=True)
    scores = torch.where(own_ts, own_score, q @ k_others.mT) / math.sqrt(q.shape[-1])
    read = scores.masked_fill(~seen_ts.tril(s - t), -math.inf).softmax(-1)
    return read.masked_fill(own_ts, 0.0) @ v_others + (read * own_ts).sum(-1, keepdim=True) * v


def lone_attention(q: Tensor, k: Tensor, v: Tensor, place_t: Tensor, *, scale: float | None = None) -> Tensor:
    """Attention to the own key and value and to zeros at the positions before: ``v e^s / (e^s + t)`` at position t.

    Parameters
    ----------
    q, k, v : Tensor (b, h, t, e)
    place_t : Tensor (t,)
        How many positions come before.
    scale : float, optional
        Of the scores; ``1 / sqrt(e)`` if None.

    Returns
    -------
    Tensor (b, h, t, e)

    Examples
    --------
    >>> one = torch.ones(1, 1, 2, 1)
    >>> lone_attention(0 * one, one, one, torch.arange(2)).flatten().tolist()
    [1.0, 0.5]
    """
    own_score = (q * k).sum(-1, keepdim=True) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    return torch.sigmoid(own_score - place_t[:, None].to(own_score.dtype).log()) * v
