"""`solve_svm`: the one door to the NTP-SVM."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ..conditions import check_separability
from ..dataset import NTPDataset
from ..errors import NotSeparableError, SolverError, UsageError
from .closer import closer
from .digits import REFINED
from .dual import solve_dual
from .multipliers import cone_element
from .norms import FROBENIUS, Norm, as_norm
from .outcome import TOL, answer, check_limits, unconstrained, usual_tol
from .solution import SVMSolution

__all__ = ["solve_svm"]

# Distance bound of a solution in double precision, relative, above which more digits are worth a try.
PRECISE = 1e-7
# Length of W times that of the embeddings, margins being 1, from which logits may round off more than such a bound
# allows, and it is computed to see.
LOUD = 10.0


def solve_svm(
    data: NTPDataset,
    *,
    method: Literal["auto", "dual", "cvxpy"] = "auto",
    norm: str | Norm = "frobenius",
    tol: float | None = None,
    refine: bool | None = None,
    solver: str | None = None,
    max_iterations: int = 100_000,
    start: SVMSolution | None = None,
) -> SVMSolution:
    """Solve ``min ||W||`` subject to equal in-support logits (6a) and margins of at least 1 (6b).

    Parameters
    ----------
    data : NTPDataset
    method : {"auto", "dual", "cvxpy"}
        "dual" is our structured dual method, which "auto" takes for Frobenius; for other norms it takes a closed form
        where that is the answer, and otherwise gives a program made small to HiGHS (`max`, `sum`) or Clarabel. "cvxpy"
        states the paper's program as it stands.
    norm : str or Norm
        Norm of the objective: "frobenius", "max" (largest entry), "sum" (of all entries), "spectral", "nuclear",
        "token" (longest row), or by its exponent, as "entrywise-1.5", "schatten-3", "tokenwise-1". Programs of Schatten
        norms are semidefinite, of size V + d; some 50 + 50 take a minute.
    tol : float, optional
        Relative duality gap to reach, in [1e-12, 1); smaller ones are lost in rounding. Up to 1e-10 answers go on down
        to rounding, which costs little; above, they are given as soon as the gap is reached. 1e-10 if not given, and
        1e-8 for other norms than Frobenius; 1e-6 for Schatten norms with p above 1 and below 1.05, which may not reach
        less. With ``method="cvxpy"`` it is asked of the solver, and not enforced.
    refine : bool, optional
        Give W_mm to more digits than a double holds, the rest of them in ``.tail``: a certified distance bound of
        ``1e-10 ||W_mm||``, or an error (`SVMSolution.refined`). If not given, that is tried where rounding would keep
        the bound above ``1e-7 ||W_mm||``, unless ``tol`` is above 1e-10 or the data in single precision.
    solver : str, optional
        With ``method="cvxpy"``: any solver installed for cvxpy; Clarabel if not given.
    max_iterations : int
        Steps of the dual method; some 15 to 150 are usual. Other methods have limits of their own.
    start : SVMSolution, optional
        Of data with as many contexts and tokens, and embeddings not far from these: the dual method starts at its
        multipliers. It changes how many steps are made, not what is certified; from far away they get more.

    Returns
    -------
    SVMSolution
        With multipliers, and with residuals, gap and distance bound recomputed from scratch. In other norms than
        Frobenius the direction may not be unique: its norm is certified, not its distance from others as good; there
        ``method="auto"`` answers in double precision, whatever the type of the data.

    Raises
    ------
    NotSeparableError
        With the Farkas certificate.
    SolverError
        If the gap was not closed, or in-support constraints are nearly dependent; the best direction, or
        None, is in ``.best``.
    UsageError
        If an argument is out of range.

    Notes
    -----
    Source: 2402.18551 Definition 3 (`bias/definition-3`); dual ours (`svm/dual`). Other norms: 2502.04664
    (`steepest/setting`), 2408.15417 (`geometry/lmm`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> solution = solve_svm(data)
    >>> print(f"{solution.norm**2:.6f}", solution.verify())
    1.333333 True
    >>> print(f"{solve_svm(data, norm='nuclear').norm:.6f} {solve_svm(data, norm='max').norm:.6f}")
    1.154701 0.500000
    """
    geometry = as_norm(norm)
    if tol is None:
        tol = usual_tol(geometry)
    _check_arguments(data, method, geometry, refine, solver, start)
    max_iterations = check_limits(tol, max_iterations)
    if (zero := unconstrained(data)) is not None:
        return replace(zero, geometry=geometry)
    if method == "cvxpy":
        from .reference import solve_reference  # cvxpy is slow to import and rarely needed

        _separating(data)
        return solve_reference(data, geometry, solver=solver, tol=tol)
    if geometry != FROBENIUS:
        from .program import solve_program

        wide = data if data.embeddings.dtype is torch.float64 else data.to(dtype=torch.float64)
        return solve_program(wide, geometry, _separating(wide), tol=tol)
    return _solve_frobenius(data, tol=tol, refine=refine, max_iterations=max_iterations, start=start)


def _solve_frobenius(
    data: NTPDataset, *, tol: float, refine: bool | None, max_iterations: int, start: SVMSolution | None
) -> SVMSolution:
    """The answer of the dual method, to more digits where they are asked for or rounding keeps its bound open."""
    begin = (
        None
        if start is None
        else cone_element(start.duals, start.support_duals, start.data.pattern).to(data.embeddings)
    )
    found = solve_dual(data, tol=tol, max_iterations=max_iterations, start=begin)
    digits, bound = refine is not False and _in_double(data), REFINED if refine else PRECISE
    left = max_iterations - found.iterations
    try:
        solution = answer(data, found, tol)
    except SolverError:
        # rounding may keep the gap open although the active constraints can be known
        better = closer(data, found, bound, most=left) if digits else None
        if better is None:
            raise
        return better
    if refine or (digits and tol <= TOL and _is_rough(solution, found.gap)):
        better = closer(data, found, bound, most=left)
        if better is not None:
            return better
    return solution.refined() if refine else solution


def _is_rough(solution: SVMSolution, gap: float) -> bool:
    """Whether the bound of a solution is above what is `PRECISE`, which is computed only where that may be."""
    lengths = (rows.norm(dim=1).max() for rows in (solution.direction, solution.data.embeddings))
    # the square of the distance to W_mm, relative, is at most the gap
    suspect = gap > 0.9 * PRECISE**2 or float(math.prod(lengths)) > LOUD
    return suspect and not solution.distance_bound() <= PRECISE * solution.norm


def _in_double(data: NTPDataset) -> bool:
    return data.embeddings.dtype is torch.float64


def _separating(data: NTPDataset) -> Tensor:
    """A separating direction, or the reason why there is none as an error."""
    found = check_separability(data)
    if found.direction is None:
        assert found.certificate is not None
        raise NotSeparableError(found.certificate.describe(), found.certificate)
    return found.direction


def _check_arguments(
    data: object, method: str, norm: Norm, refine: bool | None, solver: str | None, start: object
) -> None:
    if not isinstance(data, NTPDataset):
        raise UsageError(f"data is {data!r}; it must be an NTPDataset")
    if method not in ("auto", "dual", "cvxpy"):
        raise UsageError(f"method is {method!r}; it must be 'auto', 'dual' or 'cvxpy'")
    if method == "dual" and norm != FROBENIUS:
        raise UsageError(f"method is 'dual' but norm is {norm.name!r}; the dual method is for 'frobenius'")
    if refine is not None and not isinstance(refine, bool):
        raise UsageError(f"refine is {refine!r}; it must be True, False or None")
    if refine and (norm != FROBENIUS or method == "cvxpy"):
        raise UsageError("refine is True; it goes with the norm 'frobenius' and our own method")
    if refine and not _in_double(data):
        raise UsageError(f"refine is True; it needs data in float64, not {data.embeddings.dtype}")
    if solver is not None and not (isinstance(solver, str) and solver):
        raise UsageError(f"solver is {solver!r}; it must be the name of a solver installed for cvxpy")
    if solver is not None and method != "cvxpy":
        raise UsageError(f"solver is {solver!r}; it goes with method='cvxpy'")
    if start is None:
        return
    if not isinstance(start, SVMSolution) or start.geometry != FROBENIUS or start.duals.shape != data.support.shape:
        shape = tuple(data.support.shape)
        raise UsageError(f"start is {start!r}; it must be a solution in Frobenius with multipliers of shape {shape}")
    if norm != FROBENIUS or method == "cvxpy":
        raise UsageError("start is given; it goes with the norm 'frobenius' and our own method")
