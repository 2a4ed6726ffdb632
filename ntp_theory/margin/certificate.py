"""How far a direction can be from W_mm, from its own residuals: no solver is asked.

For a feasible W and multipliers alpha >= 0 with ``W_a = P_perp sum alpha (e_z - e_v) h^T``,

    1/2 ||W||^2 - (sum alpha - 1/2 ||W_a||^2) = 1/2 ||W - W_a||^2 + sum alpha (margin - 1),

a sum of terms that are not negative, where the difference on the left would lose what it is about. The objective is
1-strongly convex, so W_mm is within the square root of twice that. Margins are needed to twice as many digits as the
bound has: they are computed to 96 bits, for a direction that may itself have more digits than a double.

The problem is read as everywhere in this library: relations among in-support constraints (6a) that hold up to rounding
are taken for exact, as when dim F is decided. Embeddings that miss one by their last digits only, so that it does not
hold for the numbers as they are, may have another W_mm, which only an exact solve can tell.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..conditions.standing import ROUNDING
from ..dataset import NTPDataset
from ..extended import BITS, Extended, exact_product
from ..subspace import data_subspace
from .multipliers import cone_element

__all__ = ["distance_bound", "residuals"]


def residuals(data: NTPDataset, direction: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
    """How far logits are from the constraints, to the digits that a double has *of the difference*.

    Parameters
    ----------
    data : NTPDataset
    direction : Tensor (V, d)
    tail : Tensor (V, d)
        What the direction lacks.

    Returns
    -------
    uneven : Tensor (m,)
        Largest difference of two in-support logits.
    slack : Tensor (m, V)
        ``margin - 1`` by off-support token, from the lowest in-support logit; infinite on the supports.
    """
    pattern = data.pattern
    logits = exact_product(Extended.of(data.embeddings.double()), Extended(direction, tail).mT)
    rows = torch.arange(data.num_contexts, device=direction.device)
    below = logits[rows, pattern.anchors][:, None] - logits  # of no more digits than the logits differ by
    support = below[pattern.contexts, pattern.tokens]
    inside = support.high + support.low
    uneven, lowest = pattern.max(inside) - pattern.min(inside), pattern.max(inside)
    short = below - Extended.of(torch.ones_like(below.high))
    slack = (short.high + short.low) - lowest[:, None]
    slack[pattern.contexts, pattern.tokens] = torch.inf
    return uneven, slack


def distance_bound(
    data: NTPDataset, direction: Tensor, tail: Tensor | None, duals: Tensor, support_duals: Tensor | None = None
) -> float:
    """Upper bound on ``||direction - W_mm||``; infinite if the direction does not separate.

    The direction, with its tail, is first made feasible: projected on F_perp, if more than rounding keeps it from
    there, and scaled to margin 1. What rounding is left is charged to the bound, and more than rounding makes it
    infinite: then in-support constraints are nearly dependent.

    Parameters
    ----------
    data : NTPDataset
    direction : Tensor (V, d)
    tail : Tensor (V, d) or None
    duals : Tensor (m, V)
        Multipliers, at least 0.
    support_duals : Tensor (n,), optional
        Entries of C on the supports; if not given, P_perp takes their place.

    Returns
    -------
    float

    Notes
    -----
    Source: ours (`svm/dual`).

    Examples
    --------
    >>> data = NTPDataset([[2.0]], [[1.0, 0.0]])
    >>> w = torch.tensor([[0.25], [-0.25]], dtype=torch.float64)
    >>> distance_bound(data, w, None, torch.tensor([[0.0, 0.125]], dtype=torch.float64)) < 1e-11
    True
    """
    if bool((duals < 0).any()) or bool(data.pattern.inside(duals).any()):
        return math.inf
    pattern, h, direction, duals = data.pattern, data.embeddings.double(), direction.double(), duals.double()
    lengths, low = h.norm(dim=1), torch.zeros_like(direction) if tail is None else tail
    uneven, slack = residuals(data, direction, low)
    away = float(low.norm())
    if bool((uneven > ROUNDING * float(direction.norm()) * lengths).any()):
        inside = data_subspace(data).project_complement(direction).double()
        away += float((direction - inside).norm())
        direction, low = inside, torch.zeros_like(low)
        uneven, slack = residuals(data, direction, low)
    short, size = max(-float(slack.min()), 0.0), float(direction.norm())
    if not short < 1.0 or bool((uneven > ROUNDING * size * lengths).any()):
        return math.inf
    c = cone_element(duals, None if support_duals is None else support_duals.double(), pattern)
    dual, own = c.T @ h, pattern.inside(c)
    if support_duals is None:
        projected = data_subspace(data).project_complement(dual).double()
        own = own + data_subspace(data).balance(projected - dual, torch.zeros_like(uneven))
        dual = projected
    eps = torch.finfo(h.dtype).eps
    rounding = (math.log2(len(c)) + 4) * eps * float((c.abs().T @ h.abs()).norm())
    apart = (float(((direction - dual) + low).norm()) + rounding + short * size) / (1.0 - short)
    complementary = float((duals * (slack + short).clamp(min=0.0, max=1e300)).sum()) / (1.0 - short)
    # what in-support logits differ by, and the rounding of all, move the optimum as the multipliers of either say
    weights = duals.sum(1) + pattern.sum(own.abs())
    charged = float((own.abs() * uneven[pattern.contexts]).sum())
    charged += 2.0**-BITS * data.dim * size * float(weights @ lengths)
    gap = 0.5 * apart**2 + complementary + charged
    return away + short * size / (1.0 - short) + math.sqrt(2.0 * gap)
