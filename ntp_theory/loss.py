"""Cross-entropy split exactly into an in-support part and an off-support tail (`bias/split`).

``CE(W) - H = sum_j pi_j KL(p_j || q_j) + sum_j pi_j (-log(1 - eps_j))``, where ``q_j`` is the softmax
restricted to the support S_j and ``eps_j`` the probability given to tokens outside it. The naive difference
``CE - H`` loses everything below 1e-16, and ``softmax - p`` loses the tail of the gradient long before; here
both parts are computed separately, the tail in log space, so late training stays visible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .dataset import NTPDataset, as_dataset
from .doors import as_decoder
from .errors import UsageError
from .softmax import context_ranges, gradient_residuals
from .support import SupportPattern

__all__ = [
    "GradientParts",
    "LossParts",
    "evaluate",
    "gradient",
    "exp_minus_1_minus_x",
    "gradient_parts",
    "log_parts",
    "loss_parts",
    "split_logits",
    "summands",
    "unchecked_gradient",
]


@dataclass(frozen=True)
class LossParts:
    """The training loss and its exact split; all in nats.

    Attributes
    ----------
    value : float
        CE(W).
    gap : float
        CE(W) - H = ``in_support + tail``, without cancellation.
    in_support : float
        sum_j pi_j KL(p_j || q_j), a function of P_F W alone; equals CE_F(W) - H (`bias/auxiliary-loss`).
    tail : float
        sum_j pi_j (-log(1 - eps_j)).
    log_tail : float
        Its natural logarithm, good where the tail itself is below the smallest double; -inf if every support
        is full.
    """

    value: float
    gap: float
    in_support: float
    tail: float
    log_tail: float


@dataclass(frozen=True)
class GradientParts:
    """The gradient ``in_support + exp(log_scale) * tail``; each part keeps its own relative accuracy.

    Attributes
    ----------
    in_support : Tensor (V, d)
        sum_j pi_j (q_j - p_j) h_j^T, an element of F.
    tail : Tensor (V, d)
        sum_j pi_j eps_j (u_j - q_j) h_j^T divided by exp(log_scale); u_j is the softmax off the support
        (`bias/tail-exact`).
    log_scale : float
        Logarithm of max_j pi_j eps_j; -inf if every support is full.
    """

    in_support: Tensor
    tail: Tensor
    log_scale: float


def evaluate(weights: ArrayLike | Tensor, data: NTPDataset) -> LossParts:
    """Cross-entropy of the decoder ``weights`` on ``data``, split into its two exact parts.

    Parameters
    ----------
    weights : Tensor (V, d)
        The decoder W.
    data : NTPDataset

    Returns
    -------
    LossParts
        In nats. The tail has a relative error of a few units in the last place of the logits.

    Raises
    ------
    UsageError
        If ``weights`` has the wrong shape or entries that are not finite.

    Notes
    -----
    Source: 2402.18551 Eq. (2); the split is ours (`bias/loss`, `bias/split`, `bias/tail-exact`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]])
    >>> parts = evaluate(torch.tensor([[400.0], [400.0], [-300.0]], dtype=torch.float64), data)
    >>> parts.in_support, f"{parts.tail:.3e}"
    (0.0, '4.930e-305')
    """
    divergences, log_tails = summands(*_ratios(weights, data))
    in_support = float(data.ranks.sum((data.joint * divergences).sum()))
    log_tail = _over_ranks(torch.logsumexp(data.weights.log() + log_tails, 0), data)
    return loss_parts(data, in_support, log_tail)


def gradient(weights: ArrayLike | Tensor, data: NTPDataset) -> Tensor:
    """Gradient of the cross-entropy: ``sum_j pi_j (softmax(W h_j) - p_j) h_j^T``.

    Parameters
    ----------
    weights : Tensor (V, d)
    data : NTPDataset

    Returns
    -------
    Tensor (V, d)

    Raises
    ------
    UsageError
        If ``weights`` has the wrong shape or entries that are not finite.

    Notes
    -----
    Source: 2402.18551 Eq. (2) (`bias/loss`). Use `gradient_parts` where the tail may be 1e-16 times smaller
    than the rest.

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[0.5, 0.5]])
    >>> gradient(torch.zeros(2, 1, dtype=torch.float64), data).tolist()
    [[0.0], [0.0]]
    """
    as_dataset("data", data)
    return _gradient_at(as_decoder(weights, (data.vocab_size, data.dim), data.embeddings), data, checked=True)


def unchecked_gradient(weights: Tensor, data: NTPDataset) -> Tensor:
    """`gradient` without looking at its input, for loops that made the decoder themselves.

    Parameters
    ----------
    weights : Tensor (V, d)
        In the type and on the device of ``data``.
    data : NTPDataset

    Returns
    -------
    Tensor (V, d)
        NaN where logits are NaN or +inf.

    Notes
    -----
    Source: 2402.18551 Eq. (2) (`bias/loss`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[1.0, 0.0]])
    >>> unchecked_gradient(torch.tensor([[690.0], [0.0]], dtype=torch.float64), data).tolist()
    [[-2.17...e-300], [2.17...e-300]]
    """
    return _gradient_at(weights, data)


def gradient_parts(weights: ArrayLike | Tensor, data: NTPDataset) -> GradientParts:
    """The gradient with its in-support part and its tail kept apart, the tail with a common scale removed.

    Parameters
    ----------
    weights : Tensor (V, d)
    data : NTPDataset

    Returns
    -------
    GradientParts

    Raises
    ------
    UsageError
        If ``weights`` has the wrong shape or entries that are not finite.

    Notes
    -----
    Source: ours (`bias/tail-exact`). P_perp of the gradient is P_perp of the tail alone.

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[1.0, 0.0]])
    >>> parts = gradient_parts(torch.tensor([[1e4], [0.0]], dtype=torch.float64), data)
    >>> parts.tail.tolist(), parts.log_scale
    ([[-1.0], [1.0]], -10000.0)
    """
    log_ratio, log_odds, off = _split(weights, data)
    pattern = data.pattern
    inside = torch.zeros_like(off)
    inside[pattern.contexts, pattern.tokens] = data.joint * log_ratio.expm1()
    log_mass = data.weights.log() + torch.nn.functional.logsigmoid(log_odds)
    log_scale = float(data.ranks.max(log_mass.max()))
    tail = off.exp_()
    tail[pattern.contexts, pattern.tokens] = -data.conditionals * log_ratio.exp()
    scale = (log_mass - log_scale).exp() if math.isfinite(log_scale) else torch.zeros_like(log_mass)
    tail = data.ranks.sum(tail.mul_(scale[:, None]).T @ data.embeddings)
    return GradientParts(data.ranks.sum(inside.T @ data.embeddings), tail, log_scale)


def _checked_logits(weights: ArrayLike | Tensor, data: NTPDataset) -> Tensor:
    """The matrix H W^T (m, V), finite."""
    as_dataset("data", data)
    decoder = as_decoder(weights, (data.vocab_size, data.dim), data.embeddings)
    logits = data.embeddings @ decoder.T
    _refuse_infinite(_finite(logits), data)
    return logits


def _finite(logits: Tensor) -> bool:
    return all(math.isfinite(extreme) for extreme in torch.aminmax(logits))


def _refuse_infinite(finite: bool, data: NTPDataset) -> None:
    if not all(data.ranks.gather(finite)):
        raise UsageError("weights gives logits beyond the largest number; every weights @ h_j must be finite")


def _gradient_at(weights: Tensor, data: NTPDataset, *, checked: bool = False) -> Tensor:
    total, finite = torch.zeros_like(weights), True
    with np.errstate(over="ignore", invalid="ignore"):
        for contexts, residual in gradient_residuals(data):
            h = data.embeddings[contexts]
            logits = weights @ h.T
            finite = finite and (not checked or _finite(logits))
            residual(residual.view(logits))
            total.addmm_(logits, h)
    if checked:
        _refuse_infinite(finite, data)
    return data.ranks.sum(total)


def _over_ranks(log_part: Tensor, data: NTPDataset) -> float:
    """The logarithm of a sum over the contexts, of which this is the part of those here."""
    top = float(data.ranks.max(log_part.clone()))
    return top + math.log(float(data.ranks.sum((log_part - top).exp()))) if math.isfinite(top) else top


def _split(weights: ArrayLike | Tensor, data: NTPDataset) -> tuple[Tensor, Tensor, Tensor]:
    """`split_logits` of a decoder, looked at."""
    return split_logits(_checked_logits(weights, data), data)


def _ratios(weights: ArrayLike | Tensor, data: NTPDataset) -> tuple[Tensor, Tensor]:
    """Log(q/p) on the supports (n,) and log(eps/(1-eps)) by context (m,), of logits that need not fit in memory."""
    as_dataset("data", data)
    decoder = as_decoder(weights, (data.vocab_size, data.dim), data.embeddings)
    found, finite = [], True
    for part in context_ranges(data):
        logits = data.embeddings[part.contexts] @ decoder.T
        finite = finite and _finite(logits)
        found.append(log_parts(logits, part.pattern, data.log_conditionals[part.entries])[:2])
    _refuse_infinite(finite, data)
    log_ratio, log_odds = (torch.cat(pieces) for pieces in zip(*found, strict=True))
    return log_ratio, log_odds


def split_logits(logits: Tensor, data: NTPDataset) -> tuple[Tensor, Tensor, Tensor]:
    """Log(q/p) on the supports (n,), log(eps/(1-eps)) by context (m,), log u off them (m, V; -inf inside)."""
    log_ratio, log_odds, off, off_total = log_parts(logits, data.pattern, data.log_conditionals)
    # a full support has off_total = -inf: its row of `off` is -inf and must stay so, not become NaN
    off -= off_total.nan_to_num(neginf=0.0)[:, None]
    return log_ratio, log_odds, off


def log_parts(
    logits: Tensor, pattern: SupportPattern, log_conditionals: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log(q/p) and log(eps/(1-eps)), the logits off the supports, and the logarithms of the sums of their exp."""
    inside = pattern.inside(logits)
    # differences from the largest logit come first: adding its size back would round the small terms away
    top = pattern.max(inside)
    inside -= top[pattern.contexts]
    inside_total = pattern.sum(inside.exp()).log_()
    log_ratio = inside - inside_total[pattern.contexts] - log_conditionals
    off = pattern.outside(logits)
    off_total = torch.logsumexp(off, 1)
    log_odds = (off_total - top) - inside_total
    return log_ratio, log_odds, off, off_total


def summands(log_ratio: Tensor, log_odds: Tensor) -> tuple[Tensor, Tensor]:
    """What the divergences are means of, (n,), and log(-log(1 - eps)) by context, (m,)."""
    # -log(1 - eps) = log(1 + exp(log_odds)); its logarithm is log_odds itself once log_odds < -37
    floored = log_odds.clamp(min=-37.0)
    log_tails = torch.logaddexp(floored, torch.zeros_like(floored)).log_()
    return exp_minus_1_minus_x(log_ratio), torch.where(log_odds < -37.0, log_odds, log_tails)


def loss_parts(data: NTPDataset, in_support: float, log_tail: float) -> LossParts:
    """The split loss from its two parts."""
    tail = math.exp(log_tail)
    gap = in_support + tail
    return LossParts(data.entropy + gap, gap, in_support, tail, log_tail)


def exp_minus_1_minus_x(x: Tensor) -> Tensor:
    """The number exp(x) - 1 - x >= 0 to full relative accuracy.

    Its mean under p at x = log(q/p) is KL(p || q), because q and p have the same sum.
    """
    one = nested = torch.ones_like(x)  # x^2/2 (1 + x/3 (1 + x/4 (...))), enough terms for |x| < 0.1
    for n in range(11, 2, -1):
        nested = torch.addcmul(one, nested, x, value=1 / n)
    return torch.where(x.abs() < 0.1, nested * x * x / 2, torch.expm1(x) - x)
