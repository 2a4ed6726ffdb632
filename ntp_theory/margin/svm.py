"""`solve_svm`: the one door to the NTP-SVM."""

from __future__ import annotations

from typing import Literal

import torch

from ..conditions import check_separability
from ..dataset import NTPDataset
from ..errors import NotSeparableError, SolverError, UsageError
from .dual import solve_dual
from .solution import SVMSolution

__all__ = ["solve_svm"]

# Below this the gap is rounding: it is a difference of two numbers of the size of the objective.
SMALLEST_TOL = 1e-12


def solve_svm(
    data: NTPDataset,
    *,
    method: Literal["auto", "dual", "cvxpy"] = "auto",
    norm: Literal["frobenius"] = "frobenius",
    tol: float = 1e-10,
    solver: str | None = None,
    max_iterations: int = 100_000,
) -> SVMSolution:
    """Solve ``min ||W||`` subject to equal in-support logits (6a) and margins of at least 1 (6b).

    Parameters
    ----------
    data : NTPDataset
    method : {"auto", "dual", "cvxpy"}
        "dual" is our structured dual method, which "auto" takes; "cvxpy" states the paper's program as it
        stands.
    norm : {"frobenius"}
        Norm of the objective.
    tol : float
        Relative duality gap to reach, in [1e-12, 1); smaller ones are lost in rounding.
    solver : str, optional
        With ``method="cvxpy"``: any solver installed for cvxpy; Clarabel if not given.
    max_iterations : int
        Steps of the dual method.

    Returns
    -------
    SVMSolution
        With multipliers, and with residuals, gap and distance bound recomputed from scratch.

    Raises
    ------
    NotSeparableError
        With the Farkas certificate.
    SolverError
        If the gap was not closed; the best iterate is kept in ``.best``.
    UsageError
        If an argument is out of range.

    Notes
    -----
    Source: 2402.18551 Definition 3 (`bias/definition-3`); dual ours (`svm/dual`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> solution = solve_svm(data)
    >>> print(f"{solution.norm**2:.6f}", solution.verify())
    1.333333 True
    """
    _check_arguments(method, norm, tol, solver, max_iterations)
    if data.pattern.num_off_support == 0:
        zero = data.embeddings.new_zeros(data.vocab_size, data.dim)
        return SVMSolution(data, zero, torch.zeros_like(data.support, dtype=zero.dtype), "closed form", 0)
    if method == "cvxpy":
        from .reference import solve_reference  # cvxpy is slow to import and rarely needed

        _raise_unless_separable(data)
        return SVMSolution(data, *solve_reference(data, solver=solver, tol=tol))
    found = solve_dual(data, tol=tol, max_iterations=max_iterations)
    if found.certificate is not None:
        raise NotSeparableError(found.certificate.describe(), found.certificate)
    if found.direction is None:
        _raise_unless_separable(data)
    if found.direction is None or found.gap > tol:
        raise SolverError(
            f"the NTP-SVM dual reached a relative gap of {found.gap:.2e} in {found.iterations} iterations, "
            f"tol is {tol:g}; raise max_iterations or tol",
            status="iteration limit",
            best=found,
        )
    direction, duals = (part.to(data.embeddings.dtype) for part in (found.direction, found.duals))
    return SVMSolution(data, direction, duals, "dual", found.iterations)


def _raise_unless_separable(data: NTPDataset) -> None:
    answer = check_separability(data)
    if answer.certificate is not None:
        raise NotSeparableError(answer.certificate.describe(), answer.certificate)


def _check_arguments(method: str, norm: str, tol: float, solver: str | None, max_iterations: int) -> None:
    if method not in ("auto", "dual", "cvxpy"):
        raise UsageError(f"method is {method!r}; it must be 'auto', 'dual' or 'cvxpy'")
    if norm != "frobenius":
        raise UsageError(f"norm is {norm!r}; it must be 'frobenius'")
    if not (isinstance(tol, (int, float)) and SMALLEST_TOL <= tol < 1):
        raise UsageError(f"tol is {tol!r}; it must be a number from {SMALLEST_TOL:g} up to 1")
    if solver is not None and method != "cvxpy":
        raise UsageError(f"solver is {solver!r}; it goes with method='cvxpy'")
    if not (isinstance(max_iterations, int) and max_iterations > 0):
        raise UsageError(f"max_iterations is {max_iterations!r}; it must be a positive whole number")
