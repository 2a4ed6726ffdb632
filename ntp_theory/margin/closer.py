"""What is tried where rounding keeps the bounds of a solution open: the equations of its active constraints.

These constraints may be those of the dual method, or those that interior points find by orthogonal transformations,
which see what is lost in K where contexts nearly share an embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..dataset import NTPDataset
from .digits import with_tail
from .dual import DualIterate
from .interior import STEPS, interior_point
from .multipliers import split
from .outcome import as_solution
from .problem import DualProblem
from .solution import SVMSolution
from .tokenwise import fits

__all__ = ["closer"]

# A gap from which the active constraints may be read.
NEARLY = 1e-4


def closer(data: NTPDataset, found: DualIterate, bound: float, *, most: int) -> SVMSolution | None:
    """A solution of more digits than a double holds, within ``bound ||W_mm||`` of W_mm; None if none was found.

    Parameters
    ----------
    data : NTPDataset
        In double precision.
    found : DualIterate
        What the dual method has for it.
    bound : float
    most : int
        Steps of interior points at most.
    """
    for start in _starts(data, found, most):
        better = with_tail(start)
        if better is not None and better.distance_bound() <= bound * better.norm:
            return better
    return None


def _starts(data: NTPDataset, found: DualIterate, most: int) -> Iterator[SVMSolution]:
    """Solutions whose active constraints may be those of W_mm."""
    if found.gap <= NEARLY:
        yield as_solution(data, found)
    problem = DualProblem.of(data)
    if most > 0 and fits(problem) and bool(problem.largest > 0):
        inner = interior_point(problem, orthogonal=True, most=min(most, STEPS))
        duals, inside = split(problem.multipliers(inner.multipliers)[0], data.pattern)
        weights = problem.expand(inner.weights.mT)[0]
        yield as_solution(
            data,
            replace(
                found,
                direction=weights,
                duals=duals,
                support_duals=inside,
                iterations=found.iterations + int(inner.steps[0]),
                route=found.route + "; active constraints by interior points and orthogonal factors",
            ),
        )
