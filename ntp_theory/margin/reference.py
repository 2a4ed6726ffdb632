"""The NTP-SVM written down for cvxpy, as in the paper: the reference that our own solver is held against."""

from __future__ import annotations

import warnings
from typing import Any

import cvxpy as cp
import numpy as np
import torch
from numpy.typing import NDArray

from ..dataset import NTPDataset
from ..errors import SolverError, UsageError
from ..subspace import data_subspace
from .conic import norm_expression
from .norms import FROBENIUS, Norm
from .solution import SVMSolution

__all__ = ["solve_reference"]


def solve_reference(data: NTPDataset, norm: Norm, *, solver: str | None, tol: float) -> SVMSolution:
    """Solve the NTP-SVM with any solver that cvxpy has, and make its answer feasible.

    Parameters
    ----------
    data : NTPDataset
    norm : Norm
    solver : str or None
        A solver installed for cvxpy; Clarabel if not given.
    tol : float
        Relative gap asked of Clarabel; other solvers run with their defaults. The answer is judged by us
        either way.

    Returns
    -------
    SVMSolution
        Its gap is what that solver reached, whatever ``tol`` is.

    Raises
    ------
    UsageError
        If that solver is not installed.
    SolverError
        If it fails or stops without a separating direction.

    Notes
    -----
    Source: 2402.18551 Definition 3 (`bias/definition-3`).
    """
    name = (solver or "CLARABEL").upper()
    installed = cp.installed_solvers()  # type: ignore[no-untyped-call]
    if name not in installed:
        raise UsageError(f"solver is {solver!r}; cvxpy has {', '.join(installed)}")
    h = data.embeddings.detach().cpu().double().numpy()
    pattern = data.pattern.to("cpu")
    contexts, tokens = pattern.contexts.numpy(), pattern.tokens.numpy()
    anchors = pattern.anchors.numpy()
    off_contexts, off_tokens = (~pattern.mask()).numpy().nonzero()
    others = np.ones(len(tokens), dtype=bool)
    others[pattern.starts.numpy()] = False

    w = cp.Variable((data.vocab_size, data.dim))
    logits = w @ h.T

    def differences(j: NDArray[np.int64], v: NDArray[np.int64]) -> Any:
        return logits[anchors[j], j] - logits[v, j]

    equal = [differences(contexts[others], tokens[others]) == 0] if others.any() else []
    apart = differences(off_contexts, off_tokens) >= 1
    objective, constraints = norm_expression(w, norm)
    if norm == FROBENIUS:
        objective = cp.sum_squares(w) / 2  # type: ignore[attr-defined]
    problem = cp.Problem(cp.Minimize(objective), [*equal, apart, *constraints])
    tight = {"tol_gap_rel": tol, "tol_gap_abs": tol, "tol_feas": min(tol, 1e-9)} if name == "CLARABEL" else {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")  # which we find out ourselves
            problem.solve(solver=name, **tight)  # type: ignore[no-untyped-call]
    except cp.SolverError as error:
        raise SolverError(f"{name} failed on the NTP-SVM: {error}", status="solver error") from error
    if w.value is None:
        raise SolverError(f"{name} gave no direction; status {problem.status}", status=str(problem.status))

    found = torch.from_numpy(np.array(w.value)).to(data.embeddings)
    direction = data_subspace(data).project_complement(found)
    margin = float(data.pattern.margins(data.embeddings @ direction.T).min())
    if not margin > 0:
        raise SolverError(
            f"{name} returned a direction of margin {margin:.2e} (status {problem.status}); it does not separate",
            status=str(problem.status),
            best=direction,
        )
    c = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.float64)
    c[off_contexts, off_tokens] = -torch.from_numpy(np.maximum(np.asarray(apart.dual_value), 0.0))
    for constraint in equal:
        c[contexts[others], tokens[others]] = torch.from_numpy(np.asarray(constraint.dual_value))
    c[range(len(c)), anchors] = -c.sum(1)
    iterations = int(problem.solver_stats.num_iters or 0)
    c = c.to(data.embeddings)
    return SVMSolution.from_cone(data, norm, direction / margin, c, f"cvxpy/{name}", iterations)
