"""General-purpose solvers, each called directly on a `Program`, with one tolerance for all its criteria.

Settings other than tolerances and limits are the solver's defaults, but for these, which help it: OSQP starts from a
step size tuned on ``random-100`` for each formulation, PIQP uses its backend for arrow matrices, Clarabel's threads are
limited like everyone's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .formulations import Program

__all__ = ["GENERAL", "Outcome"]

Array = np.ndarray
Ray = tuple[Array, Array, Array]  # the part for x, the multipliers of A, those of G

MANY = 10**7  # iterations; time is the limit
RHO = {"weights": 0.3, "logits": 0.1, "dual": 1.0}


@dataclass(frozen=True)
class Outcome:
    """What a solver returned.

    Attributes
    ----------
    x : Array or None
        Its solution, also when it did not reach its tolerance.
    status : str
        Its own word.
    iterations : int
    ray : tuple or None
        Set if it says that there is no solution; without content if it gives no proof.
    """

    x: Array | None
    status: str
    iterations: int
    ray: Ray | tuple[()] | None = None


def clarabel(program: Program, name: str, tol: float, seconds: float) -> Outcome:
    """Interior point, sparse LDL."""
    import clarabel

    rows, limits, num_equal = _stacked(program)
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads, settings.time_limit = False, 1, seconds
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tol
    settings.tol_infeas_abs = settings.tol_infeas_rel = tol
    cones = [clarabel.ZeroConeT(num_equal)] if num_equal else []
    cones.append(clarabel.NonnegativeConeT(len(limits) - num_equal))
    solution = clarabel.DefaultSolver(program.quadratic, program.linear, rows, limits, cones, settings).solve()
    x, z, status = np.array(solution.x), np.array(solution.z), str(solution.status)
    ray = _ray(program, x, z) if "Infeasible" in status else None
    return Outcome(x, status, solution.iterations, ray)


def osqp(program: Program, name: str, tol: float, seconds: float, *, polish: bool = False) -> Outcome:
    """Operator splitting: one sparse LDL, then many cheap steps."""
    import osqp

    rows, limits, num_equal = _stacked(program)
    lower = np.append(limits[:num_equal], np.full(len(limits) - num_equal, -np.inf))
    solver = osqp.OSQP()
    solver.setup(
        program.quadratic, program.linear, rows, lower, limits, eps_abs=tol, eps_rel=tol,
        eps_prim_inf=tol, eps_dual_inf=tol, rho=RHO[name], polishing=polish, max_iter=MANY, time_limit=seconds,
        verbose=False,
    )  # fmt: skip
    result = solver.solve(raise_error=False)
    status, ray = str(result.info.status), None
    if "infeasible" in status:
        ray = _ray(program, np.asarray(result.dual_inf_cert), np.asarray(result.prim_inf_cert))
    return Outcome(np.asarray(result.x, dtype=float), status, int(result.info.iter), ray)


def osqp_polished(program: Program, name: str, tol: float, seconds: float) -> Outcome:
    """OSQP with its own last step: the linear equations of the constraints that it takes to be active."""
    return osqp(program, name, tol, seconds, polish=True)


def scs(program: Program, name: str, tol: float, seconds: float) -> Outcome:
    """Operator splitting on the homogeneous embedding, with acceleration."""
    import scs

    rows, limits, num_equal = _stacked(program)
    solver = scs.SCS(
        {"P": program.quadratic, "A": rows, "b": limits, "c": program.linear},
        {"z": num_equal, "l": len(limits) - num_equal},
        eps_abs=tol, eps_rel=tol, eps_infeas=tol, max_iters=MANY, time_limit_secs=seconds, verbose=False,
    )  # fmt: skip
    result = solver.solve()
    status = str(result["info"]["status"])
    ray = _ray(program, result["x"], result["y"]) if "infeasible" in status or "unbounded" in status else None
    return Outcome(np.asarray(result["x"]), status, int(result["info"]["iter"]), ray)


def piqp(program: Program, name: str, tol: float, seconds: float) -> Outcome:
    """Proximal interior point, dense kernels on blocks; without a time limit, and without proofs of infeasibility."""
    import piqp

    solver = piqp.SparseSolver()
    settings = solver.settings
    settings.kkt_solver = piqp.KKTSolver.sparse_multistage
    settings.eps_abs = settings.eps_rel = settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = tol
    upper = program.quadratic
    whole = sp.csc_matrix(upper + sp.triu(upper, 1).T)
    constraints = {}
    if len(program.equal[1]):
        constraints |= {"A": sp.csc_matrix(program.equal[0]), "b": program.equal[1]}
    if len(program.below[1]):
        constraints |= {"G": sp.csc_matrix(program.below[0]), "h_u": program.below[1]}
    if np.isfinite(program.upper).any():
        constraints["x_u"] = program.upper
    solver.setup(whole, program.linear, **constraints)
    status = str(solver.solve()).rpartition(".")[2].removeprefix("PIQP_").lower()
    return Outcome(np.array(solver.result.x), status, solver.result.info.iter, () if "infeasible" in status else None)


def _stacked(program: Program) -> tuple[sp.csc_matrix, Array, int]:
    """All constraints as rows, equations first."""
    bounded = np.isfinite(program.upper)
    bounds = sp.identity(len(bounded), format="csr")[bounded]
    rows = sp.csc_matrix(sp.vstack([program.equal[0], program.below[0], bounds]))
    return rows, np.concatenate([program.equal[1], program.below[1], program.upper[bounded]]), len(program.equal[1])


def _ray(program: Program, x: Array, multipliers: Array) -> Ray:
    equal, below = len(program.equal[1]), len(program.below[1])
    return x, multipliers[:equal], multipliers[equal : equal + below]


GENERAL: dict[str, Callable[[Program, str, float, float], Outcome]] = {
    "Clarabel": clarabel,
    "OSQP": osqp,
    "OSQP-polish": osqp_polished,
    "SCS": scs,
    "PIQP": piqp,
}
