"""How far a direction can be from W_mm, from its own residuals: no solver is asked.

For a feasible W and multipliers alpha >= 0 with ``W_a = P_perp sum alpha (e_z - e_v) h^T``,

    1/2 ||W||^2 - (sum alpha - 1/2 ||W_a||^2) = 1/2 ||W - W_a||^2 + sum alpha (margin - 1),

a sum of terms that are not negative, where the difference on the left would lose what it is about. The objective is
1-strongly convex, so W_mm is within the square root of twice that. Margins are needed to twice as many digits as the
bound has, and where contexts nearly share an embedding, C^T H is much smaller than C: both are computed to 104 bits, of
a direction and multipliers that may themselves have more digits than a double.

The problem is read as everywhere in this library: relations among in-support constraints (6a) that hold up to rounding
are taken for exact, as when dim F is decided. Embeddings that miss one by their last digits only, so that it does not
hold for the numbers as they are, may have another W_mm, which only an exact solve can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..conditions.standing import ROUNDING
from ..dataset import NTPDataset
from ..extended import BITS, Extended, exact_product
from ..subspace import data_subspace
from .multipliers import extended_element

__all__ = ["Certificate", "certify", "residuals"]


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
    inside = support.rounded()
    uneven, lowest = pattern.max(inside) - pattern.min(inside), pattern.max(inside)
    short = below - Extended.of(torch.ones_like(below.high))
    slack = short.rounded() - lowest[:, None]
    slack[pattern.contexts, pattern.tokens] = torch.inf
    return uneven, slack


@dataclass(frozen=True)
class Certificate:
    """What residuals prove of a direction; both infinite if it does not separate, or if a multiplier has a wrong sign.

    Attributes
    ----------
    gap : float
        At least ``1/2 ||W||^2 - 1/2 ||W_mm||^2`` of W, the direction made feasible; never negative.
    distance : float
        At least ``||direction - W_mm||``.
    """

    gap: float
    distance: float


NOTHING = Certificate(math.inf, math.inf)


def certify(
    data: NTPDataset,
    direction: Tensor,
    duals: Tensor,
    support_duals: Tensor | None = None,
    *,
    tail: Tensor | None = None,
    duals_tail: Tensor | None = None,
) -> Certificate:
    """Bounds on what a direction is above the minimum, and on its distance from W_mm.

    The direction, with its tail, is first made feasible: projected on F_perp, if more than rounding keeps it from
    there, and scaled to margin 1. What rounding is left is charged to the bounds, and more than rounding makes them
    infinite: then in-support constraints are nearly dependent.

    Parameters
    ----------
    data : NTPDataset
    direction : Tensor (V, d)
    duals : Tensor (m, V)
        Multipliers, at least 0.
    support_duals : Tensor (n,), optional
        Entries of C on the supports; if not given, P_perp takes their place.
    tail : Tensor (V, d), optional
        What the direction lacks.
    duals_tail : Tensor (m, V), optional
        What C lacks.

    Notes
    -----
    Source: ours (`svm/dual`).

    Examples
    --------
    >>> data = NTPDataset([[2.0]], [[1.0, 0.0]])
    >>> w = torch.tensor([[0.25], [-0.25]], dtype=torch.float64)
    >>> certify(data, w, torch.tensor([[0.0, 0.125]], dtype=torch.float64)).distance < 1e-11
    True
    """
    if bool((duals < 0).any()) or bool(data.pattern.inside(duals).any()):
        return NOTHING
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
        return NOTHING
    c = extended_element(duals, support_duals, pattern, duals_tail)
    if bool((c.rounded() > 0).masked_fill(pattern.mask(), False).any()):
        return NOTHING
    dual, own = exact_product(c.mT, Extended.of(h)), pattern.inside(c.high)
    sizes = c.high.abs()
    # rounding of the product, and of rows of C that sum to 0 but for it
    lost = 2.0**-BITS * len(h) * float(sizes.amax(0).norm() * h.abs().amax(0).norm())
    lost += 2.0**-BITS * data.vocab_size * float(sizes.amax(1) @ lengths)
    if support_duals is None:
        weights = dual.rounded()
        projected = data_subspace(data).project_complement(weights).double()
        own = own + data_subspace(data).balance(projected - weights, torch.zeros_like(uneven))
        dual = Extended.of(projected)
        lost += (math.log2(len(h)) + 4) * torch.finfo(h.dtype).eps * float((sizes.T @ h.abs()).norm())
    apart = float((Extended(direction, low) - dual).rounded().norm()) + lost
    apart = (apart + short * size) / (1.0 - short)
    complementary = float((duals * (slack + short).clamp(min=0.0, max=1e300)).sum()) / (1.0 - short)
    # what in-support logits differ by, and the rounding of all, move the optimum as the multipliers of either say
    weights = duals.sum(1) + pattern.sum(own.abs())
    charged = float((own.abs() * uneven[pattern.contexts]).sum())
    charged += 2.0**-BITS * data.dim * float(direction.abs().max()) * float(weights @ h.abs().amax(1))
    gap = 0.5 * apart**2 + complementary + charged
    return Certificate(gap, away + short * size / (1.0 - short) + math.sqrt(2.0 * gap))
