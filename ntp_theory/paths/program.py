"""Conic programs of norm-ball paths: the quadratic model of the loss over a ball, and the smallest finite minimiser."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy
import torch
from torch import Tensor

from ..errors import SolverError
from ..margin.conic import norm_expression
from ..margin.norms import Norm
from ..split_coordinates import SplitCoordinates
from .newton import Point

__all__ = ["Step", "minimise_model", "smallest"]

cp: Any = cvxpy  # much of it has no types

# Tolerance and longest step of the solver, the next ones where it fails.
ATTEMPTS = ((1e-11, 0.99), (1e-11, 0.9), (1e-8, 0.8))
# Displacements in smaller units do not count against the radius; flatter directions of the model are rounding.
SMALLEST_ROOT, FLAT = 1e-9, 1e-15


@dataclass(frozen=True, eq=False)
class Step:
    """The minimiser of a model.

    Attributes
    ----------
    weights : Tensor (V c,)
        The decoder, feasible to the accuracy of the solver.
    in_f, in_perp : Tensor (f,), Tensor (p,)
        Change of the displacement in F, and of the coordinates of P_perp W.
    multipliers : Tensor (f,)
        The gradient in F at the minimiser.
    gain : float
        By how much the model falls.
    """

    weights: Tensor
    in_f: Tensor
    in_perp: Tensor
    multipliers: Tensor
    gain: float


def minimise_model(point: Point, bases: tuple[Tensor, Tensor], norm: Norm, radius: float, allowed: Tensor) -> Step:
    """Minimise the quadratic model of the loss at a point over a ball.

    Parameters
    ----------
    point : Point
    bases : tuple of Tensor (f, V c), Tensor (p, V c)
        `SplitCoordinates.bases`.
    norm : Norm
    radius : float
    allowed : Tensor (k,)
        How far off-support logits may rise.

    Returns
    -------
    Step

    Raises
    ------
    SolverError
        If the solver fails.

    Notes
    -----
    Decoders are measured in radii and the model in its slope times the radius: both are then of size 1 whatever the
    radius. Displacements in F are measured in roots of their unit, in which their curvature is of size 1.
    """
    x, f = point.frame.coordinates, len(point.in_f)
    root = point.frame.unit**0.5 if point.frame.unit**0.5 > SMALLEST_ROOT else 0.0
    a, b, c = point.hessian()
    values, vectors = torch.linalg.eigh(torch.cat([torch.cat([a, root * b], 1), torch.cat([root * b.T, c], 1)]))
    kept = values > FLAT * values[-1:]
    bend = (values[kept].sqrt() * vectors[:, kept]).T
    slope = torch.cat([root * point.gradient_f, point.gradient_perp])
    counted = torch.cat([torch.full_like(point.in_f, root), torch.ones_like(point.in_perp)]) / radius

    scaled, change, bent = cp.Variable(bases[0].shape[1]), cp.Variable(len(slope)), cp.Variable(len(bend))
    here = torch.cat([point.weights_f, point.in_perp]) / radius
    linked = torch.cat(bases).numpy() @ scaled - cp.multiply(counted.numpy(), change) == here.numpy()
    value, constraints = norm_expression(cp.reshape(scaled, (x.data.vocab_size, -1), order="C"), norm)
    constraints += [linked, value <= 1, bent == bend.numpy() @ change]
    if len(allowed):
        constraints.append(torch.cat([root * x.outside, x.beyond], 1).numpy() @ change <= allowed.numpy())
    model = (slope.numpy() @ change + cp.sum_squares(bent) / 2) / radius
    problem = cp.Problem(cp.Minimize(model), constraints)
    _solve(problem)
    moved = torch.from_numpy(change.value)
    in_f = moved[:f] / root if root else torch.zeros_like(point.in_f)
    multipliers = torch.from_numpy(linked.dual_value)[:f]
    return Step(torch.from_numpy(radius * scaled.value), in_f, moved[f:], multipliers, -radius * problem.value)


def smallest(coordinates: SplitCoordinates, bases: tuple[Tensor, Tensor], norm: Norm) -> Tensor:
    """The decoder (V c,) of least norm with the part in F that W* has, to the accuracy of the solver."""
    finite, v = coordinates.finite, coordinates.data.vocab_size
    size = float(finite.norm())
    scaled = cp.Variable(bases[0].shape[1])
    value, constraints = norm_expression(cp.reshape(scaled, (v, -1), order="C"), norm)
    _solve(cp.Problem(cp.Minimize(value), [bases[0].numpy() @ scaled == (finite / size).numpy(), *constraints]))
    return size * torch.from_numpy(scaled.value)


def _solve(problem: Any) -> None:
    for tol, length in ATTEMPTS:
        options = {"tol_gap_rel": tol, "tol_gap_abs": tol, "tol_feas": tol, "max_step_fraction": length}
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Solution may be inaccurate")
                problem.solve(solver="CLARABEL", **options)
        except cp.SolverError:
            continue
        if all(variable.value is not None for variable in problem.variables()):
            return
    raise SolverError(
        f"CLARABEL failed on a program over a norm ball (status {problem.status})", status=str(problem.status)
    )
