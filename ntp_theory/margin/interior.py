"""Where steps along the active constraints take long: a primal-dual interior-point method for the NTP-SVM.

On nearly inseparable data the active set is far from what first-order steps find, and many changes of it lie between.
The interior-point method sees all constraints at once. With slacks ``y = -(H W^T + mu)`` and multipliers ``a = -C``
off the supports, a step is Newton's for ``a y = const``: the equations of `ntp_theory.margin.tokenwise` with ``y / a``
on their diagonal. W is an iterate of its own, not computed from C: where contexts nearly share an embedding, C is so
large that ``H^T C`` has few digits left. Nothing is made of the answer but a guess: of C, and of its active entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .problem import DualProblem
from .tokenwise import CholeskyEquations, OrthogonalEquations

__all__ = ["STEPS", "InteriorPoint", "interior_point"]

# Steps at most; the relative gap that ends them, once constraints are met to the next, or to rounding: no better after
# so many steps. How far a step goes towards the boundary.
STEPS, TOL, MET, STILL, REACH = 100, 1e-13, 1e-9, 3, 0.995
# Growth of the relative gap, or of the sum of multipliers over ``||W||^2``, from their least, or 1, that speaks against
# a solution. Where contexts nearly share an embedding it passes; so it only ends steps by Cholesky factors.
DIVERGED = 1e3
# Multipliers and slacks at the start, in units of those that would do for constraints that are no trouble.
START = 100.0
# Added to the diagonal, in units of the largest entry of K, that factors exist: by Cholesky, and by orthogonal
# transformations, which see its square root.
SHIFT, SHIFT_OF_SQUARE = 1e-14, 1e-24


@dataclass(frozen=True, eq=False)
class InteriorPoint:
    """Where the interior-point method ended.

    Attributes
    ----------
    multipliers : Tensor (B, m, U)
        C; 0 where not active, so that rows sum to 0 only nearly.
    weights : Tensor (B, d, U)
        W^T, closer to the solution than ``H^T C``.
    active : Tensor (B, m, U), bool
        The supports, and the entries whose multipliers fell slower than their slacks in the last step.
    steps : Tensor (B,), int64
    """

    multipliers: Tensor
    weights: Tensor
    active: Tensor
    steps: Tensor


@torch.inference_mode()
def interior_point(problem: DualProblem, *, orthogonal: bool = False, most: int = STEPS) -> InteriorPoint:
    """Run the interior-point method.

    Parameters
    ----------
    problem : DualProblem
        No largest eigenvalue of a K may be 0.
    orthogonal : bool
        Factor by orthogonal transformations, several times slower, where conditions are not squared; and go on where
        there seems to be no solution.
    most : int
        Steps at most.

    Returns
    -------
    InteriorPoint

    Notes
    -----
    Source: ours (`svm/dual`); predictor, corrector and start after Mehrotra (1992), active entries after El-Bakry,
    Tapia and Zhang (1994).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> found = interior_point(DualProblem.of(NTPDataset([[2.0]], [[1.0, 0.0]])))
    >>> found.weights.round(decimals=6), found.active.tolist()
    (tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64), [[[True, True]]])
    """
    equations = OrthogonalEquations if orthogonal else CholeskyEquations
    h, support, target, counts = problem.embeddings, problem.support, problem.target, problem.counts
    unit = problem.gram.diagonal(dim1=1, dim2=2).amax(1)[:, None, None]
    shift = (SHIFT_OF_SQUARE if orthogonal else SHIFT) * unit
    number = ((~support) * counts).sum((1, 2)).clamp(min=1.0)

    def inner(x: Tensor, y: Tensor) -> Tensor:
        return (x * y).masked_fill(support, 0.0).sum(1) @ counts

    def room(values: Tensor, changes: Tensor) -> Tensor:
        ratios = (-values / changes).masked_fill(support | (changes >= 0), torch.inf)
        return ratios.amin((1, 2)).clamp(max=1.0)

    # the solution where slacks cost their squares, with slacks and multipliers then made positive
    c, levels, x = equations(problem, torch.where(support, shift, unit)).solve(
        target, torch.zeros_like(target[:, :, 0])
    )
    a, y = (_lift(z, support) for z in (-c, target - levels[:, :, None] - h @ x))
    one, both = torch.ones_like(a), inner(a, y)
    a, y = (START * (z + (0.5 * both / inner(other, one))[:, None, None]) for z, other in ((a, y), (y, a)))
    c = torch.where(support, c, -a)
    steps = torch.zeros_like(number, dtype=torch.int64)
    going, active = torch.ones_like(number, dtype=torch.bool), torch.ones_like(support)
    best, least = torch.full_like(number, torch.inf), number.new_full((2, len(number)), torch.inf)
    since = torch.zeros_like(steps)
    while True:
        a, y = -c.masked_fill(support, -1.0), y.masked_fill(support, 0.0)
        apart, sums = x - h.mT @ c, problem.total(c)
        broken = target - y - problem.scores(x) - levels[:, :, None]
        middle, worst = inner(a, y) / number, broken.abs().amax((1, 2))
        square = x.square().sum(1) @ counts
        gap, excess = number * middle / square, inner(a, target.amax((1, 2), keepdim=True) * one) / square
        since = torch.where(worst < 0.5 * best, 0, since + 1)
        best = torch.minimum(best, worst)
        growth = torch.stack([gap, excess])
        least = torch.minimum(least, growth)
        met = (worst <= MET * target.amax((1, 2))) | (since > STILL)
        going = going & ~((gap <= TOL) & met) & (steps < most)
        going = going & ((growth <= DIVERGED * least.clamp(min=1.0)).all(0) | orthogonal)
        if not bool(going.any()):
            break
        system = equations(problem, y / a + shift)
        base, rate = broken + h @ apart, y / a
        dc = system.solve(base + y.masked_fill(support, 0.0), sums)[0]  # towards products a y of 0
        dy = rate * dc - y
        near, far = room(y, dy)[:, None, None], room(a, -dc)[:, None, None]
        centre = (inner(a - far * dc, y + near * dy) / number / middle) ** 3 * middle
        # and with its second order, towards equal ones
        share = ((centre[:, None, None] + dc * dy) / a - y).masked_fill(support, 0.0)
        dc, rise, dx = system.solve(base - share, sums)
        dx, dy = dx - apart, share + rate * dc
        going = going & dc.isfinite().all(2).all(1) & dx.isfinite().all(2).all(1)
        active = torch.where(going[:, None, None], support | (dy * a < -dc * y), active)
        step = (REACH * torch.minimum(room(y, dy), room(a, -dc)))[:, None]
        c, levels, x, y = (
            torch.where(going.view(-1, *[1] * (z.ndim - 1)), z + step.view(-1, *[1] * (z.ndim - 1)) * dz, z)
            for z, dz in ((c, dc), (levels, rise), (x, dx), (y, dy))
        )
        steps += going
    return InteriorPoint(c.masked_fill(~active, 0.0), x, active, steps)


def _lift(values: Tensor, support: Tensor) -> Tensor:
    """Values raised until none of them off the supports is negative, and most are well above 0."""
    low = values.masked_fill(support, torch.inf).amin((1, 2), keepdim=True)
    return values + (-1.5 * low).clamp(min=0.0)
