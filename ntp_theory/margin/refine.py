"""More digits of W_mm than a double holds: iterative refinement of the equations that the active constraints make.

The factorisation is in double precision and only has to shrink errors; residuals are computed to 104 bits from
embeddings that nothing was rounded off. W is an unknown of its own beside C: where contexts nearly share an embedding,
C is so large that not even ``H^T C`` of its own many digits has those that margins need.

Where the solution shows other constraints to be active, these take the place of the given ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..extended import Extended, exact_product
from .multipliers import cone_element
from .newton import ActiveSystem
from .problem import DualProblem
from .tokenwise import OrthogonalEquations, fits

__all__ = ["refine"]

# Length of the proximal steps, times the largest eigenvalue of K: first long, then, where that is singular, shorter.
# Where contexts nearly share an embedding, factors of K have too few digits left, and those of H take their place.
LENGTHS, LENGTHS_BY_H = (1e12, 1e9), (1e24, 1e28)
# Refinements; the residuals, relative to margins, to W and to C, that end them; and those that will do where they fall
# no further: that is where so many rounds in a row did not halve one of them.
ROUNDS, SMALL, ENOUGH, PATIENCE = 30, 2.0**-76, 2.0**-56, 3
# Times that other constraints may turn out to be active; and in how many of them in a row, without fewer of them than
# ever before, all are exchanged at once. Then it is one at a time, always the last, which cannot go in circles.
MENDS, TOGETHER = 30, 3

# D, r and H^T D of given equations and sums, as of `OrthogonalEquations.solve`.
Solve = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class _Point:
    c: Extended  # (1, m, U)
    levels: Extended  # (1, m)
    weights: Extended  # W^T, (1, d, U)


def refine(data: NTPDataset, duals: Tensor, support_duals: Tensor | None = None) -> tuple[Extended, Extended] | None:
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
    direction : Extended (V, d)
    multipliers : Extended (m, V)
        C.

    None if the residual does not become small, as constraints are nearly dependent, or others go on to be active.

    Notes
    -----
    Source: ours (`svm/dual`); refinement after Wilkinson (1963), exchanges of active constraints after Judice and Pires
    (1994), with the rule of Murty (1974) against circles.

    Examples
    --------
    >>> from fractions import Fraction
    >>> data = NTPDataset([[3.0]], [[1.0, 0.0]])
    >>> direction, _ = refine(data, torch.tensor([[0.0, 0.05]], dtype=torch.float64))
    >>> 6 * Fraction(direction.high[0, 0].item()) - 1 + 6 * Fraction(direction.low[0, 0].item()) < Fraction(1, 10**24)
    True
    """
    problem = DualProblem.of(data)
    active = problem.support | (problem.reduce(duals) > 0)
    start = problem.reduce(cone_element(duals, support_duals, data.pattern))
    for factored in _systems(problem):
        found = _mended(problem, start, active, factored)
        if found is not None:
            rows = found.weights[0].mT[problem.tokens]
            return rows, problem.extended_multipliers(found.c)[0]
    return None


def _systems(problem: DualProblem) -> Iterator[Callable[[Tensor], Solve]]:
    """Ways to solve the equations of active entries in double precision, nearly."""

    def by_gram(active: Tensor, length: float) -> Solve:
        system = ActiveSystem(problem, length / problem.largest)
        system.activate(active)

        def solve(missing: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            more, rise = system.solve(missing, sums)
            return more, rise, system.pull(more)

        return solve

    def by_h(active: Tensor, length: float) -> Solve:
        diagonal = (problem.largest / length)[:, None, None].expand_as(active)
        return OrthogonalEquations(problem, diagonal, active).solve

    yield from (lambda active, length=length: by_gram(active, length) for length in LENGTHS)
    if fits(problem):
        yield from (lambda active, length=length: by_h(active, length) for length in LENGTHS_BY_H)


def _mended(problem: DualProblem, start: Tensor, active: Tensor, factored: Callable[[Tensor], Solve]) -> _Point | None:
    """The solution on active entries that its own signs confirm, or None."""
    fewest, since = active.numel(), 0
    for _ in range(MENDS):
        found = _solve(problem, start, active, factored(active))
        if found is None:
            return None
        point, lack = found
        wanted = problem.support | torch.where(active, point.c.high < 0, lack * problem.lengths[:, :, None] < -ENOUGH)
        wrong = (wanted != active).view(-1).nonzero()[:, 0]
        if not len(wrong):
            return point
        fewest, since = (len(wrong), 0) if len(wrong) < fewest else (fewest, since + 1)
        if since >= TOGETHER:
            wanted = active.clone()
            wanted.view(-1)[wrong[-1]] ^= True
        start, active = point.c.high, wanted
    return None


def _solve(problem: DualProblem, start: Tensor, active: Tensor, solve: Solve) -> tuple[_Point, Tensor] | None:
    """C, W and levels with small residuals, and what all equations lack; None if residuals stay large."""
    h, target = Extended.of(problem.embeddings), Extended.of(problem.target)
    counts = Extended.of(problem.counts[:, None])
    c = Extended.of(start.masked_fill(~active, 0.0))
    weights, levels = exact_product(h.mT, c), Extended.of(torch.zeros_like(start[:, :, 0]))
    least, since = torch.full((3,), torch.inf), 0
    for _ in range(ROUNDS):
        apart = (weights - exact_product(h.mT, c)).rounded()
        lack = (target - exact_product(h, weights) - levels[:, :, None]).rounded()
        rest = lack.masked_fill(~active, 0.0)
        length = float(weights.high.norm()) or 1.0
        sums = exact_product(c, counts).rounded()[:, :, 0]
        uneven = float(sums.abs().max()) / (float(c.high.abs().max()) or 1.0)
        short = float((rest.abs() * problem.lengths[:, :, None]).max())
        worst = torch.tensor([short, float(apart.norm()) / length, uneven])
        since = 0 if bool(((worst < 0.5 * least) & (least > SMALL)).any()) else since + 1
        if bool((worst <= SMALL).all()) or since == PATIENCE or not bool(worst.isfinite().all()):
            return (_Point(c, levels, weights), lack) if bool((worst <= ENOUGH).all()) else None
        least = torch.minimum(least, worst)
        more, rise, pull = solve(rest + problem.embeddings @ apart, sums)
        c, levels = c + Extended.of(more), levels + Extended.of(rise)
        weights = weights + Extended.of(pull - apart)
    return None
