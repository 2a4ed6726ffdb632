"""Multipliers of the NTP-SVM as elements of the cone, and the lower bound on a norm that each of them proves.

For C in the cone (rows that sum to 0, at most 0 off the supports) and a feasible W, ``<W, C^T H>`` is the sum of the
off-support multipliers ``-c_{jv}`` times the margins, which are at least 1. Hence in every norm
``||W|| ||C^T H||_dual >= <W, C^T H> >= sum_{off} -c_{jv}``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..extended import Extended, exact_product
from ..support import SupportPattern
from .norms import Norm

__all__ = ["cone_element", "extended_element", "lower_bound", "pull", "split"]


def cone_element(duals: Tensor, support_duals: Tensor | None, pattern: SupportPattern) -> Tensor:
    """The matrix C (m, V) of given multipliers.

    Parameters
    ----------
    duals : Tensor (m, V)
        ``-c_{jv}`` off the supports.
    support_duals : Tensor (n,) or None
        c_{jz} on the supports, 0 if None. What they lack for rows that sum to 0 is shared out evenly.
    pattern : SupportPattern
    """
    c = -duals
    inside = c.new_zeros(len(pattern.tokens)) if support_duals is None else support_duals
    share = (duals.sum(1) - pattern.sum(inside)) / pattern.sizes
    c[pattern.contexts, pattern.tokens] = inside + share[pattern.contexts]
    return c


def extended_element(
    duals: Tensor, support_duals: Tensor | None, pattern: SupportPattern, tail: Tensor | None
) -> Extended:
    """The same to more digits, with what double precision lacks of it in ``tail`` (m, V): rows sum to 0 to the last."""
    c = -duals.double()
    if support_duals is not None:
        c[pattern.contexts, pattern.tokens] = support_duals.double()
    element = Extended.of(c) if tail is None else Extended.of(c) + Extended.of(tail)
    ones = Extended.of(c.new_ones(c.shape[1], 1))
    for _ in range(2):  # the first leaves the rounding of a double
        share = torch.zeros_like(c)
        share[pattern.contexts, pattern.tokens] = (-exact_product(element, ones).rounded()[:, 0] / pattern.sizes)[
            pattern.contexts
        ]
        element = element + Extended.of(share)
    return element


def pull(duals: Tensor, support_duals: Tensor | None, data: NTPDataset, tail: Tensor | None = None) -> Tensor:
    """``C^T H`` (V, d) of given multipliers, with what double precision lacks of C in ``tail`` (m, V)."""
    if tail is None:
        return cone_element(duals, support_duals, data.pattern).T @ data.embeddings
    c = extended_element(duals, support_duals, data.pattern, tail)
    return exact_product(c.mT, Extended.of(data.embeddings)).rounded()


def split(c: Tensor, pattern: SupportPattern) -> tuple[Tensor, Tensor]:
    """The multipliers of the element of the cone next to a matrix (m, V): off the supports, and on them."""
    duals = (-c).clamp_(min=0.0)
    duals[pattern.contexts, pattern.tokens] = 0.0
    return duals, pattern.inside(cone_element(duals, pattern.inside(c), pattern))


def lower_bound(duals: Tensor, support_duals: Tensor | None, data: NTPDataset, norm: Norm) -> float:
    """``sum_{off} -c_{jv} / ||C^T H||_dual``, which no feasible W has a smaller norm than; multipliers >= 0.

    Sums of n terms are taken to lose ``eps (log2 n + 4)`` of their size, once in ``C^T H`` and once in the sums of the
    rows of C; the bound allows for it.
    """
    total, c = float(duals.sum()), cone_element(duals, support_duals, data.pattern)
    rounding = 2 * torch.finfo(c.dtype).eps * (math.log2(c.numel()) + 4)
    size = norm.dual.value_within(c.abs().T @ data.embeddings.abs())
    if total == 0 or size == 0:
        return math.inf if total else 0.0
    return (1 - rounding) * total / (norm.dual.value(c.T @ data.embeddings) + rounding * size)
