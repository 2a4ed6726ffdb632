"""What a run of the dual method comes to: a solution, or the reason why there is none."""

from __future__ import annotations

import torch

from ..conditions import check_separability
from ..dataset import NTPDataset
from ..errors import NotSeparableError, SolverError, UsageError
from .dual import DualIterate
from .solution import SVMSolution

__all__ = ["TOL", "answer", "check_limits", "unconstrained"]

# Below this the gap is rounding: it is a difference of two numbers of the size of the objective.
SMALLEST_TOL = 1e-12
# Relative gap that is reached on all but extreme data.
TOL = 1e-10


def check_limits(tol: float, max_iterations: int) -> None:
    """Refuse a tolerance that rounding defeats, and a number of steps that is none."""
    if not (isinstance(tol, (int, float)) and SMALLEST_TOL <= tol < 1):
        raise UsageError(f"tol is {tol!r}; it must be a number from {SMALLEST_TOL:g} up to 1")
    if not (isinstance(max_iterations, int) and max_iterations > 0):
        raise UsageError(f"max_iterations is {max_iterations!r}; it must be a positive whole number")


def unconstrained(data: NTPDataset) -> SVMSolution | None:
    """W_mm = 0 where every token follows every context; None where there are margins to keep."""
    if data.pattern.num_off_support:
        return None
    zero = data.embeddings.new_zeros(data.vocab_size, data.dim)
    return SVMSolution(data, zero, torch.zeros_like(data.support, dtype=zero.dtype), "closed form", 0)


def answer(data: NTPDataset, found: DualIterate, tol: float) -> SVMSolution:
    """The solution that was found, or the reason why there is none.

    Parameters
    ----------
    data : NTPDataset
    found : DualIterate
        What the dual method has for it.
    tol : float
        Relative duality gap that was to be reached.

    Raises
    ------
    NotSeparableError
        With the Farkas certificate.
    SolverError
        If the gap was not closed; what was found is kept in ``.best``.
    """
    if found.certificate is not None:
        raise NotSeparableError(found.certificate.describe(), found.certificate)
    if found.direction is None and (certificate := check_separability(data).certificate) is not None:
        raise NotSeparableError(certificate.describe(), certificate)
    if found.direction is None or found.gap > tol:
        raise SolverError(
            f"the NTP-SVM dual reached a relative gap of {found.gap:.2e} in {found.iterations} iterations, "
            f"tol is {tol:g}; raise max_iterations or tol",
            status="iteration limit",
            best=found,
        )
    dtype = data.embeddings.dtype
    inside = None if found.support_duals is None else found.support_duals.to(dtype)
    direction, duals = found.direction.to(dtype), found.duals.to(dtype)
    return SVMSolution(data, direction, duals, "dual", found.iterations, support_duals=inside, route=found.route)
