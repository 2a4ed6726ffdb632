"""The attention-SVM as a conic program, for the norms that need one."""

from __future__ import annotations

import warnings
from typing import Any

import cvxpy
import numpy as np
import torch
from torch import Tensor

from ..errors import SolverError
from ..margin.conic import norm_expression
from ..margin.norms import Norm

__all__ = ["solve_selection_program"]

cp: Any = cvxpy  # much of it has no types

# Gap asked of the solver.
GAP = 1e-10


def solve_selection_program(normals: Tensor, geometry: Norm) -> tuple[Tensor, Tensor]:
    """The matrix of least norm with products of at least 1 with all normals, and its multipliers.

    Parameters
    ----------
    normals : Tensor (k, d, d)
    geometry : Norm

    Returns
    -------
    weights : Tensor (d, d)
    multipliers : Tensor (k,)
        Both to the accuracy of the solver, not checked.

    Raises
    ------
    SolverError
        If it found none.
    """
    weights = cp.Variable(tuple(normals.shape[1:]))
    flat = normals.flatten(1).numpy()
    margins = flat @ cp.vec(weights, order="C") >= 1
    size, more = norm_expression(weights, geometry)
    problem = cp.Problem(cp.Minimize(size), [margins, *more])
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")  # `SelectionSVM.gap` says how far
            problem.solve(solver="CLARABEL", tol_gap_abs=GAP, tol_gap_rel=GAP, tol_feas=GAP)
    except cvxpy.error.SolverError as error:
        raise SolverError(f"Clarabel found no selection of least norm: {error}") from error
    if weights.value is None:
        raise SolverError("Clarabel found no selection of least norm", status=str(problem.status))
    return torch.from_numpy(weights.value), torch.from_numpy(np.asarray(margins.dual_value, dtype=np.float64))
