"""The NTP-SVM in norms other than Frobenius: a small convex program for a solver, and an answer that is judged by us.

The program is stated in tokens and levels: ``h_j^T w_v = s_j`` on the supports and ``h_j^T w_v <= s_j - 1`` off them;
constraints couple tokens through the m levels only. It is made small and well scaled first:

- tokens with the same contexts may share a row, for the mean of their rows is feasible and no norm here is larger; the
  row then counts by its number of tokens (`Norm.copies`);
- norms that rotations keep need the row space of H only;
- logits and levels are measured in multiples of what a separating decoder and the length of the embedding make likely.
"""

from __future__ import annotations

import warnings
from typing import Any

import cvxpy
import numpy as np
import torch
from torch import Tensor

from ..conditions.standing import standing_direction
from ..dataset import NTPDataset
from ..errors import SolverError
from ..subspace import data_subspace
from .conic import norm_expression
from .norms import Norm
from .outcome import usual_tol
from .solution import SVMSolution

__all__ = ["solve_program"]

cp: Any = cvxpy  # much of it has no types

# A gap this small, relative, is rounding.
ROUNDING = 1e-12
# What is asked of a solver against the gap wanted: making its answer feasible costs some digits.
SPARE = 1e-3


def solve_program(data: NTPDataset, norm: Norm, separating: Tensor, *, tol: float) -> SVMSolution:
    """The separating decoder of smallest norm, within a relative gap of ``tol``.

    Parameters
    ----------
    data : NTPDataset
        Separable, in double precision, with off-support tokens.
    norm : Norm
    separating : Tensor (V, d)
        A decoder with margins of at least 1.
    tol : float

    Returns
    -------
    SVMSolution

    Raises
    ------
    SolverError
        If the solver fails, or leaves a larger gap; the best direction is kept in ``.best``.

    Notes
    -----
    Source: 2402.18551 Definition 3 and 2502.04664 (`bias/definition-3`, `steepest/setting`).
    """
    if norm.family == "schatten" and (known := _closed_form(data, norm)) is not None:
        return known
    name = "HIGHS" if norm.is_linear else "CLARABEL"
    asked = max(SPARE * tol, ROUNDING)
    weights, c, status, iterations = _solve(data, norm, norm.value(separating), name, asked)
    solution = _judged(data, norm, weights, c, f"program/{name}", iterations)
    if solution is None:
        raise SolverError(f"{name} (status {status}) found no separating direction", status=status, best=weights)
    if not solution.duality_gap() <= tol * solution.norm:
        usual = usual_tol(norm)
        rule = f" to {usual:g}, which is what {name} reaches reliably for p = {norm.p!r}" if tol < usual else ""
        raise SolverError(
            f"the NTP-SVM in the norm {norm.name!r} was solved by {name} (status {status}) to a relative gap of "
            f"{solution.duality_gap() / solution.norm:.2e}, tol is {tol:g}; raise tol{rule}",
            status=status,
            best=solution.direction,
        )
    return solution


def _judged(
    data: NTPDataset, norm: Norm, weights: Tensor, c: Tensor, method: str, iterations: int
) -> SVMSolution | None:
    """Feasible points on both sides, made from any W (V, d) and C (m, V); None if that W does not separate."""
    direction = standing_direction(weights, data.embeddings, data.pattern, data_subspace(data))
    return None if direction is None else SVMSolution.from_cone(data, norm, direction, c, method, iterations)


def _closed_form(data: NTPDataset, norm: Norm) -> SVMSolution | None:
    """For orthogonal embeddings of one length: logits ``S~ = (I - 1 1^T / V) S`` if their multipliers fit, or None.

    With ``S~ = U diag(s) R^T`` the subgradient of the norm is ``U diag(s^(p-1)) R^T``, and it must be at most 0 off the
    supports (`geometry/svd-certificate` at p = 1). Whether all this is so is left to the gap.
    """
    h = data.embeddings
    length = float(h[0].square().sum())
    orthogonal = (h @ h.T - length * torch.eye(len(h), dtype=h.dtype, device=h.device)).abs().max() <= ROUNDING * length
    if length == 0 or norm.p == torch.inf or not bool(orthogonal):
        return None
    supports = data.support.to(h.dtype).T
    u, s, vt = torch.linalg.svd(supports - supports.mean(0), full_matrices=False)
    kept = s > max(supports.shape) * torch.finfo(s.dtype).eps * s[0]
    powers = (s[kept] / s[0]) ** (norm.p - 1)
    found = _judged(data, norm, (u * s) @ vt @ h, ((u[:, kept] * powers) @ vt[kept]).T, "closed form", 0)
    return found if found is not None and found.duality_gap() <= ROUNDING * found.norm else None


def _solve(data: NTPDataset, norm: Norm, scale: float, solver: str, tol: float) -> tuple[Tensor, Tensor, str, int]:
    """W (V, d) and C (m, V) as a solver gives them for the small program, its status and its iterations.

    ``scale`` is about the norm of the answer.
    """
    h, pattern, like = data.embeddings.cpu(), data.pattern.to("cpu"), data.embeddings
    basis = torch.eye(h.shape[1], dtype=h.dtype)
    if norm.is_rotation_invariant:
        _, s, basis = torch.linalg.svd(h, full_matrices=False)
        basis = basis[s > max(h.shape) * torch.finfo(s.dtype).eps * s[0]]
    columns, group, counts = torch.unique(pattern.mask().T, dim=0, return_inverse=True, return_counts=True)
    factors = norm.copies(counts.to(h.dtype))[:, None]
    inside, outside = columns.T.numpy().nonzero(), (~columns.T).numpy().nonzero()
    lengths = scale * h.norm(dim=1, keepdim=True)
    lengths[lengths == 0] = scale

    rows = cp.Variable((len(counts), len(basis)))
    levels = cp.Variable((len(h), 1))
    logits = (scale * h @ basis.T).numpy() @ cp.multiply(1 / factors.numpy(), rows).T
    above = logits - cp.multiply(lengths.numpy(), levels)
    equal, apart = above[inside] == 0, above[outside] <= -1
    value, constraints = norm_expression(rows, norm)
    status, iterations = _run(cp.Problem(cp.Minimize(value), [equal, apart, *constraints]), solver, tol)

    weights = scale * torch.from_numpy(rows.value) / factors @ basis
    c = torch.zeros(len(h), len(counts), dtype=h.dtype)
    c[inside], c[outside] = (-torch.from_numpy(np.asarray(kind.dual_value)) for kind in (equal, apart))
    return weights[group].to(like), (c / counts)[:, group].to(like), status, iterations


def _run(problem: Any, solver: str, tol: float) -> tuple[str, int]:
    """Solve a program to the tolerance; what the solver says of its answer is passed on, not believed."""
    if solver == "HIGHS":  # an interior point method, then a vertex; the simplex method alone takes minutes
        small = max(tol, 1e-10)
        options: dict[str, Any] = {
            "highs_options": {
                "solver": "ipm",
                "primal_feasibility_tolerance": small,
                "dual_feasibility_tolerance": small,
            }
        }
    else:
        options = {"tol_gap_rel": tol, "tol_gap_abs": tol, "tol_feas": tol}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=solver, **options)
    except cp.SolverError as error:
        raise SolverError(f"{solver} failed on the NTP-SVM: {error}", status="solver error") from error
    if any(variable.value is None for variable in problem.variables()):
        raise SolverError(f"{solver} gave no direction; status {problem.status}", status=str(problem.status))
    return str(problem.status), int(problem.solver_stats.num_iters or 0)
