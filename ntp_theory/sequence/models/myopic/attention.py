"""Causal attention with the values of the plain kernel and a backward pass that tells positions apart.

Position t reads position s with weight ``P_ts``. For an incoming gradient g, ``dS = P * (g V^T - D)`` with
``D_t = g_t . y_t``, and plain attention has ``dK = dS^T Q``, ``dV = P^T g``. Of these the kernel's own backward pass
gives all; what positions read of themselves and of those close by are a few diagonals of P and dS, in closed form.

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
    """The plain kernel forwards and backwards, and then its gradients of keys and values told apart."""

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
        q, k, v = (x.detach().requires_grad_(any(ctx.needs_input_grad)) for x in (q, k, v))
        with torch.enable_grad():
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale)
        ctx.inputs, ctx.y, ctx.mask, ctx.scale, ctx.cut = (q, k, v), y, mask, scale, cut
        return y.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        to_q, *whole = torch.autograd.grad(ctx.y, ctx.inputs, gradient, retain_graph=True)
        near = _near(ctx, gradient)
        passed, rest = near, [None, None]
        if ctx.cut.beta:
            passed = [torch.lerp(a, b, ctx.cut.beta) for a, b in zip(near, whole, strict=True)]
        if ctx.needs_input_grad[3]:
            rest = [b - a for a, b in zip(passed, whole, strict=True)]
        return to_q, *passed, *rest, None, None, None


def _near(ctx: Any, gradient: Tensor) -> list[Tensor]:
    """The gradients of keys and values from their own positions and those up to a window later."""
    # half precision is for products; the kernel sums in single precision too
    q, k, v, y, g = (
        x.detach().to(torch.promote_types(gradient.dtype, torch.float32)) for x in (*ctx.inputs, ctx.y, gradient)
    )
    total = _log_sum(ctx, q, k)
    product = (g * y).sum(-1)
    to_k, to_v = torch.zeros_like(k), torch.zeros_like(v)
    length = q.shape[2]
    for lag in range(min(ctx.cut.window + 1, length)):
        late, early = slice(lag, length), slice(0, length - lag)
        score = (q[:, :, late] * k[:, :, early]).sum(-1) * ctx.scale
        if ctx.mask is not None:
            score = _with_mask(score, ctx.mask.diagonal(-lag, -2, -1))
        read = (score - total[:, :, late]).exp()
        to_score = read * ((g[:, :, late] * v[:, :, early]).sum(-1) - product[:, :, late]) * ctx.scale
        to_k[:, :, early] += to_score[..., None] * q[:, :, late]
        to_v[:, :, early] += read[..., None] * g[:, :, late]
    return [to_k.to(ctx.inputs[1].dtype), to_v.to(ctx.inputs[2].dtype)]


def _log_sum(ctx: Any, q: Tensor, k: Tensor) -> Tensor:
    """The logarithm (b, h, t) of what divides the probabilities: kept by fused kernels under one of two names."""
    node = ctx.y.grad_fn
    for name in ("_saved_logsumexp", "_saved_log_sumexp"):
        kept = getattr(node, name, None)
        if kept is not None and kept.dim() == 3 and kept.shape[:2] == q.shape[:2] and kept.shape[2] >= q.shape[2]:
            return kept[:, :, : q.shape[2]].to(q.dtype)  # type: ignore[no-any-return]
    mask = ctx.mask
    if mask is None:
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
    return _with_mask(q @ k.mT * ctx.scale, mask).logsumexp(-1)


def _with_mask(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask


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
