"""What a run of the dual method comes to: a solution, or the reason why there is none."""

from __future__ import annotations

import numbers

import torch

from ..conditions import check_separability
from ..conditions.standing import ROUNDING
from ..dataset import NTPDataset
from ..doors import whole
from ..errors import NotSeparableError, SolverError, UsageError
from .dual import TOL, DualIterate
from .norms import FROBENIUS, Norm
from .solution import SVMSolution

__all__ = ["TOL", "answer", "as_solution", "check_limits", "unconstrained", "usual_tol"]

# Below this the gap is rounding: it is a difference of two numbers of the size of the objective.
SMALLEST_TOL = 1e-12
# Relative gap that is asked of solvers for other norms; and for Schatten exponents just above 1, where multipliers
# change much with the exponent, which is rounded (`ntp_theory.margin.conic`).
TOL_OF_OTHERS, TOL_NEAR_NUCLEAR, NEAR_NUCLEAR = 1e-8, 1e-6, 1.05


def usual_tol(norm: Norm) -> float:
    """The relative gap that is asked for in a norm if none is given."""
    if norm == FROBENIUS:
        return TOL
    return TOL_NEAR_NUCLEAR if norm.family == "schatten" and 1 < norm.p < NEAR_NUCLEAR else TOL_OF_OTHERS


def check_limits(tol: float, max_iterations: int) -> int:
    """Refuse a tolerance that rounding defeats, and a number of steps that is none; the latter."""
    if not (isinstance(tol, numbers.Real) and not isinstance(tol, bool) and SMALLEST_TOL <= tol < 1):
        raise UsageError(f"tol is {tol!r}; it must be a number from {SMALLEST_TOL:g} up to 1")
    return whole("max_iterations", max_iterations, at_least=1)


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
        If the gap was not closed, or in-support logits differ by more than rounding; the best
        direction (V, d), or None, is in ``.best``.
    """
    if found.certificate is not None:
        raise NotSeparableError(found.certificate.describe(), found.certificate)
    if found.direction is None and (certificate := check_separability(data).certificate) is not None:
        raise NotSeparableError(certificate.describe(), certificate)
    if found.direction is None or found.gap > tol:
        raise SolverError(
            f"the NTP-SVM dual reached a relative gap of {found.gap:.2e} in {found.iterations} iterations, tol is "
            f"{tol:g}; raise tol, or max_iterations if that was the limit",
            status="gap not closed",
            best=found.direction,
        )
    if len(data.pattern.tokens) > data.num_contexts:
        several = (data.pattern.sizes > 1).nonzero()[:, 0]
        h, direction = data.embeddings[several].double(), found.direction
        spread, sizes = data.pattern.select(several).spread(h @ direction.T), h.norm(dim=1) * direction.norm()
        if bool((worse := spread > ROUNDING * sizes).any()):
            name = data.context_name(int(several[worse][0]))
            raise SolverError(
                f"in-support logits after {name} differ by {float(spread[worse][0]):.1e} in the best direction: "
                "in-support constraints are nearly dependent, and double precision cannot tell whether they are",
                status="nearly dependent",
                best=found.direction,
            )
    return as_solution(data, found)


def as_solution(data: NTPDataset, found: DualIterate) -> SVMSolution:
    """The best points of a run, as they are."""
    assert found.direction is not None
    dtype = data.embeddings.dtype
    inside = None if found.support_duals is None else found.support_duals.to(dtype)
    direction, duals = found.direction.to(dtype), found.duals.to(dtype)
    return SVMSolution(data, direction, duals, "dual", found.iterations, support_duals=inside, route=found.route)
