"""More digits of W_mm than a double holds: iterative refinement of the equations that the active constraints make.

The factorisation is in double precision and only has to shrink errors; residuals are computed to 96 bits from
embeddings that nothing was rounded off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..extended import Extended, exact_product
from .multipliers import cone_element, split
from .newton import ActiveSystem
from .problem import DualProblem
from .tokenwise import OrthogonalEquations, fits

__all__ = ["refine"]

# Length of the proximal steps, times the largest eigenvalue of K: first long, then, where that is singular, shorter.
# Where contexts nearly share an embedding, factors of K have too few digits left, and those of H take their place.
LENGTHS, LENGTH_BY_H = (1e12, 1e9), 1e24

# D and r of given equations and sums, as of `ActiveSystem.solve`.
Solve = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# Refinements; the residual, relative to the target, that ends them; and the one that will do when it falls no further.
ROUNDS, SMALL, ENOUGH = 30, 2.0**-76, 2.0**-56


def refine(
    data: NTPDataset, duals: Tensor, support_duals: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """W_mm on the active constraints that multipliers point out.

    Parameters
    ----------
    data : NTPDataset
    duals : Tensor (m, V)
        Multipliers of a solution; positive on the constraints taken for active.
    support_duals : Tensor (n,), optional
        Entries of C on the supports; only to begin nearby.

    Returns
    -------
    direction : Tensor (V, d)
    tail : Tensor (V, d)
        What the direction lacks.
    duals : Tensor (m, V)
    support_duals : Tensor (n,)
        Its multipliers.

    None if the residual does not become small, as constraints are nearly dependent, or shows others to be active.

    Notes
    -----
    Source: ours (`svm/dual`); refinement after Wilkinson (1963).

    Examples
    --------
    >>> from fractions import Fraction
    >>> data = NTPDataset([[3.0]], [[1.0, 0.0]])
    >>> direction, tail, *_ = refine(data, torch.tensor([[0.0, 0.05]], dtype=torch.float64))
    >>> 6 * Fraction(direction[0, 0].item()) - 1 + 6 * Fraction(tail[0, 0].item()) < Fraction(1, 10**24)
    True
    """
    problem = DualProblem.of(data)
    active = problem.support | (problem.reduce(duals) > 0)
    for solve in _systems(problem, active):
        found = _solve(problem, problem.reduce(cone_element(duals, support_duals, data.pattern)), active, solve)
        if found is not None:
            c, w = found
            direction, tail = (part[0].mT[problem.tokens] for part in (w.high, w.low))
            return direction, tail, *split(problem.multipliers(c)[0], data.pattern)
    return None


def _systems(problem: DualProblem, active: Tensor) -> Iterator[Solve]:
    """Ways to solve the equations of active entries in double precision, nearly."""
    for length in LENGTHS:
        system = ActiveSystem(problem, length / problem.largest)
        system.activate(active)
        yield system.solve
    if fits(problem):
        diagonal = (problem.largest / LENGTH_BY_H)[:, None, None].expand_as(active)
        equations = OrthogonalEquations(problem, diagonal, active)
        yield lambda missing, sums: equations.solve(missing, sums)[:2]


def _solve(problem: DualProblem, start: Tensor, active: Tensor, solve: Solve) -> tuple[Tensor, Extended] | None:
    """C and W^T = H^T C with the residual of every active equation small, or None."""
    h, target = Extended.of(problem.embeddings), Extended.of(problem.target)
    counts = Extended.of(problem.counts[:, None])
    c = Extended.of(start)
    missing = problem.target - problem.logits(start, careful=True)
    levels = Extended.of(problem.total(missing * problem.support) / problem.total(problem.support.to(start.dtype)))
    before, size = torch.inf, float(problem.target.max())
    for _ in range(ROUNDS):
        w = exact_product(h.mT, c)
        left = target - exact_product(h, w) - levels[:, :, None]
        rest = (left.high + left.low).masked_fill(~active, 0.0)
        worst = float(rest.abs().max()) / size
        if worst <= SMALL or not worst < before:
            rising = left.high.masked_fill(active, torch.inf) < -ENOUGH * size
            wrong = bool(rising.any()) or bool((c.high.masked_fill(problem.support, 0.0) > 0).any())
            return None if worst > ENOUGH or wrong else (c.high, w)
        before = worst
        sums = exact_product(c, counts)
        more, rise = solve(rest, (sums.high + sums.low)[:, :, 0])
        c, levels = c + Extended.of(more), levels + Extended.of(rise)
    return None
