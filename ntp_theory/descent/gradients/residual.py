"""The gradient entry by entry, each of them to full relative accuracy and at any size.

Methods that move all entries alike need more than a gradient that is right as a whole: with embeddings (10, 0) and
(0, 0.1), say, the entries of one row soon differ by factors that no double holds, and each decides a step of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...loss import split_logits
from ...scaled import Scaled

__all__ = ["gradient_entries", "rounding", "scaled_residual"]


def scaled_residual(weights: Tensor, data: NTPDataset) -> Scaled:
    """The matrix R of ``pi_j (softmax(W h_j) - p_j)``, each entry with a scale of its own; the gradient is ``R^T H``.

    Where rounding cannot tell ``q_j``, the softmax on the support, from ``p_j``, they are taken for equal.

    Parameters
    ----------
    weights : Tensor (V, d)
        In the type and on the device of ``data``.
    data : NTPDataset

    Returns
    -------
    Scaled (m, V)
        NaN where logits are NaN or +inf.

    Notes
    -----
    Source: ours (`bias/tail-exact`).

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[1.0, 0.0, 0.0]])
    >>> found = scaled_residual(torch.tensor([[1e4], [0.0], [-1e4]], dtype=torch.float64), data)
    >>> found.rows.tolist(), found.log_scale.tolist()
    ([[-1.0, 1.0, 1.0]], [[-10000.0, -10000.0, -20000.0]])
    """
    logits = data.embeddings @ weights.T
    log_ratio, log_odds, off = split_logits(logits, data)
    contexts, tokens = data.pattern.contexts, data.pattern.tokens
    unsure = 8.0 + logits.abs().amax(1)[contexts] + data.log_conditionals.abs()
    log_ratio = torch.where(log_ratio.abs() <= torch.finfo(logits.dtype).eps * unsure, 0.0, log_ratio)
    log_miss = torch.nn.functional.logsigmoid(log_odds)
    sizes = off + (data.weights.log() + log_miss)[:, None]
    # on the supports the difference of q - p and eps q, each from its logarithm
    apart = data.joint * log_ratio.expm1()
    share = data.joint.log() + log_ratio + log_miss[contexts]
    top = torch.maximum(apart.abs().log(), share)
    inside = apart.sign() * (apart.abs().log() - top).exp() - (share - top).exp()
    rows = torch.ones_like(sizes)
    rows[contexts, tokens] = torch.where(top > -torch.inf, inside, 0.0)
    sizes[contexts, tokens] = top
    return Scaled(rows, sizes)


def gradient_entries(weights: Tensor, data: NTPDataset) -> Scaled:
    """The gradient, each entry with a scale of its own; what rounding cannot tell from zero is zero.

    Parameters
    ----------
    weights : Tensor (V, d)
        In the type and on the device of ``data``.
    data : NTPDataset

    Returns
    -------
    Scaled (V, d)
        With ``log_scale`` (V, d), the sizes of the sums over the contexts before anything cancels.

    Notes
    -----
    Source: ours (`bias/tail-exact`).

    Examples
    --------
    >>> data = NTPDataset([[10.0, 0.0], [0.0, 0.1]], [[1.0, 0.0], [1.0, 0.0]])
    >>> found = gradient_entries(torch.tensor([[500.0, 500.0], [0.0, 0.0]], dtype=torch.float64), data)
    >>> found.rows.tolist(), found.log_scale[0].round().tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [-4998.0, -53.0])
    """
    residual, h, ranks = scaled_residual(weights, data), data.embeddings, data.ranks
    precision = torch.finfo(h.dtype)
    slack = ranks.max(rounding(residual).amax() + (data.num_contexts + ranks.size) * precision.eps)
    top = ranks.max(residual.log_scale.amax(0))
    values = residual.rows * (residual.log_scale - _finite(top)).exp()
    total = ranks.sum(values.T @ h)
    size = ranks.sum(values.abs().T @ h.abs())
    log_size = top[:, None] + size.log()
    # sums of which every term is negligible beside the largest term of the row: from scales of their own
    for i in (size < precision.tiny / precision.eps).any(0).nonzero()[:, 0].tolist():
        terms = residual.log_scale + h[:, i].abs().log()[:, None]
        column = ranks.max(terms.amax(0))
        values = residual.rows * h[:, i].sign()[:, None] * (terms - _finite(column)).exp()
        total[:, i], size[:, i] = ranks.sum(values.sum(0)), ranks.sum(values.abs().sum(0))
        log_size[:, i] = column + size[:, i].log()
    rows = torch.where(total.abs() > slack * size, total / size, 0.0)
    rows = torch.where(size.isnan(), size, rows)  # NaN stays, for the loop to see
    return Scaled(rows, torch.where(rows == 0, -torch.inf, log_size))


def rounding(matrix: Scaled) -> Tensor:
    """Bounds on the relative errors of entries that come from logarithms.

    A logarithm of size l is off by l units in the last place, and so are the two or three that it is made of.
    """
    return torch.finfo(matrix.rows.dtype).eps * (8.0 + 4.0 * _finite(matrix.log_scale).abs())


def _finite(log_scale: Tensor) -> Tensor:
    return torch.where(log_scale > -torch.inf, log_scale, 0.0)
