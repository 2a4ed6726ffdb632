"""Solutions of the NTP-SVM to more digits than a double holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ..errors import SolverError, UsageError
from .norms import FROBENIUS
from .refine import refine

if TYPE_CHECKING:  # which offers both as a method, or to `ntp_theory.margin.closer`
    from .solution import SVMSolution

__all__ = ["REFINED", "refined", "with_tail"]

# Distance bound of a refined solution, relative to ||W_mm||.
REFINED = 1e-10


def refined(solution: SVMSolution) -> SVMSolution:
    """What `SVMSolution.refined` returns, or raises."""
    if solution.geometry != FROBENIUS:
        raise UsageError(f"norm is {solution.geometry.name!r}; only solutions in 'frobenius' can be refined")
    if solution.data.embeddings.dtype is not torch.float64:
        raise UsageError(f"data is in {solution.data.embeddings.dtype}; only solutions in float64 can be refined")
    if not solution.norm:
        return solution
    better = with_tail(solution) or solution
    reached = better.distance_bound() / better.norm
    if not reached <= REFINED:
        words = f"refinement reached a relative distance bound of {reached:.1e}, not {REFINED:g}"
        raise SolverError(words, status="not refined", best=better.direction)
    return better


def with_tail(solution: SVMSolution) -> SVMSolution | None:
    """A solution on the active constraints of another, with tails; None if these constraints do not allow it."""
    found = refine(solution.data, solution.duals, solution.support_duals)
    if found is None:
        return None
    (direction, c), pattern = found, solution.data.pattern
    duals = (-c.high).clamp(min=0.0)
    duals[pattern.contexts, pattern.tokens] = 0.0
    return replace(
        solution,
        direction=direction.high,
        tail=direction.low,
        duals=duals,
        support_duals=pattern.inside(c.high),
        duals_tail=c.low,
    )
