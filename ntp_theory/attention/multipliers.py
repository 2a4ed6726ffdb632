"""Multipliers of the SVM that gradient descent goes to, and the offset that goes with them.

At late times the loss above its infimum is a sum of exponentials, ``sum_a a_ic exp(-<n_ic, u>) / t`` at ``W = W_fin +
W_svm log t + u`` with ``a_ic = pi_i exp(score_c - log-sum-exp over the support)`` at W_fin, so u tends to the
minimiser of ``sum a_ic exp(-<n_ic, u>) + <W_svm, u>`` over the span of the active normals, and ``alpha_ic = a_ic
exp(-<n_ic, u>)`` are multipliers of the SVM: ``lim t pi_i softmax_c``. Active constraints whose multipliers are 0 in
every solution have no place in it: they fade, but more slowly than any power of t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from ..errors import SolverError
from .log_partition import LogPartition

__all__ = ["Multipliers", "exponential_offset", "find_multipliers", "multipliers_of"]

# Margins this close to 1 are active; multipliers that cannot exceed this share of the largest are 0.
ACTIVE, NEGLIGIBLE = 1e-6, 1e-5
STEPS, LEFT, ROUNDING = 500, 1e-11, 1e-15


@dataclass(frozen=True, eq=False)
class Multipliers:
    """What `find_multipliers` returns.

    Attributes
    ----------
    values : Tensor (n, C)
        ``lim t pi_i softmax_c`` off the supports, 0 on them.
    offset : Tensor (D,)
        ``lim W - W_svm log t`` in the span of the active normals, orthogonal to F.
    positive : bool
        Whether every active constraint has a positive multiplier, as laws with rates assume.
    rate : float
        Least eigenvalue lambda of ``G diag(alpha)``, G the Gram matrix of the normals: multipliers along gradient
        descent are off by ``O(t^-lambda)`` (`bias/sharp-gd-duals`).
    distance : float
        By how much the least margin of an inactive constraint is above 1; infinite if all are active.
    """

    values: Tensor
    offset: Tensor
    positive: bool
    rate: float
    distance: float


def find_multipliers(
    loss: LogPartition, support: Tensor, basis: Tensor, finite: Tensor, direction: Tensor
) -> Multipliers:
    """The multipliers, from the finite part and the direction.

    Parameters
    ----------
    loss : LogPartition
    support : Tensor (n, C), bool
        Extended supports.
    basis : Tensor (D, dim F)
    finite, direction : Tensor (D,)

    Returns
    -------
    Multipliers

    Raises
    ------
    SolverError
        If no multipliers fit the direction.

    Notes
    -----
    Source: ours (`bias/sharp-gd-duals`, `bias/offset`).
    """
    normals, terms, choices = loss.normals(support)
    off = ~support[terms, choices]
    normals, terms, choices = normals[off], terms[off], choices[off]
    normals = normals - normals @ basis @ basis.T
    level = loss.restricted(support).scores(finite).logsumexp(1)
    masses = loss.weights[terms] * (loss.scores(finite)[terms, choices] - level[terms]).exp()
    return multipliers_of(normals, masses, direction, loss.offsets.shape, (terms, choices))


def multipliers_of(
    normals: Tensor, masses: Tensor, direction: Tensor, shape: tuple[int, ...], places: tuple[Tensor, Tensor]
) -> Multipliers:
    """The multipliers of constraints with given normals (n, D) and masses (n,), at their places in a matrix.

    Raises
    ------
    SolverError
        If no multipliers fit the direction.
    """
    values = torch.zeros(shape, dtype=torch.float64)
    margins = normals @ direction
    active = (margins - 1).abs() <= ACTIVE
    distance = float((margins[~active] - 1).min()) if bool((~active).any()) else math.inf
    normals, masses = normals[active], masses[active]
    if not len(normals):
        return Multipliers(values, torch.zeros_like(direction), True, 1.0, distance)
    u, alpha, positive = exponential_offset(normals, masses, direction)
    values[places[0][active], places[1][active]] = alpha
    root = alpha.sqrt()[:, None] * normals
    spectrum = torch.linalg.eigvalsh(root @ root.T)
    rank = int(torch.linalg.matrix_rank(root, rtol=1e-9))
    return Multipliers(values, u, positive, float(spectrum[-rank:].min()), distance)


def exponential_offset(normals: Tensor, masses: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, bool]:
    """The minimiser u of ``sum_a masses exp(-<n, u>) + <direction, u>``, its terms alpha, and whether all are positive.

    Parameters
    ----------
    normals : Tensor (n, D)
        With ``<n, direction> = 1``.
    masses : Tensor (n,)
    direction : Tensor (D,)
        A combination of the normals with factors of at least 0.

    Returns
    -------
    offset : Tensor (D,)
    multipliers : Tensor (n,)
    positive : bool
        False if some constraint has multiplier 0 in every combination; those are left out.

    Raises
    ------
    SolverError
        If the direction is no such combination.

    Examples
    --------
    >>> n, w = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double(), torch.tensor([0.5, 1.0]).double()
    >>> u, alpha, positive = exponential_offset(n, torch.tensor([1.0, 1.0]).double(), w)
    >>> [round(a, 9) for a in alpha.tolist()], positive
    ([0.25, 1.0], True)
    """
    kept = _can_be_positive(normals, direction)
    alpha = torch.zeros_like(masses)
    n, a = normals[kept], masses[kept]
    left, s, _ = torch.linalg.svd(n.T, full_matrices=False)
    base = left[:, s > 1e-9 * s[0]]
    coordinates, target, x = n @ base, base.T @ direction, torch.zeros(base.shape[1], dtype=n.dtype)

    def value(x: Tensor) -> float:
        return float(a @ (-coordinates @ x).exp() + target @ x)

    for _ in range(STEPS):
        terms = a * (-coordinates @ x).exp()
        slope = target - coordinates.T @ terms
        if float(slope.norm()) <= LEFT * float(target.norm()):
            alpha[kept] = terms
            return base @ x, alpha, bool(kept.all())
        curved = coordinates.T @ (terms[:, None] * coordinates)
        # far from the minimum terms differ by many orders: a little of the trace keeps the system solvable
        curved = curved + 1e-14 * float(curved.trace()) * torch.eye(len(x), dtype=n.dtype)
        step = torch.linalg.solve(curved, -slope)
        size = min(1.0, 3.0 / float((coordinates @ step).abs().max()))
        # the value is a difference of two parts: it is known to rounding of theirs
        rounding = ROUNDING * (float(terms.sum()) + abs(float(target @ x)))
        while size > LEFT and not value(x + size * step) <= value(x) + rounding:
            size /= 2
        x = x + size * step
    raise SolverError("no multipliers were found: Newton's method did not end", best=base @ x)


def _can_be_positive(normals: Tensor, direction: Tensor) -> Tensor:
    """Which constraints have a positive multiplier in some combination that gives the direction."""
    count, size = len(normals), float(direction.norm()) ** 2
    # Unknowns: alpha, and for each how much it reaches, up to 1, of a small share of their sum, which is |w|^2.
    share = NEGLIGIBLE * size
    tolerance = 1e-9 * float(direction.abs().max())
    n, w = normals.numpy(), direction.numpy()
    equal = np.block([[n.T, np.zeros((n.shape[1], count))], [-n.T, np.zeros((n.shape[1], count))]])
    reached = np.block([-np.eye(count), share * np.eye(count)])
    found = linprog(
        np.concatenate([np.zeros(count), -np.ones(count)]),
        A_ub=np.vstack([equal, reached]),
        b_ub=np.concatenate([w + tolerance, -w + tolerance, np.zeros(count)]),
        bounds=[(0, None)] * count + [(0, 1)] * count,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        raise SolverError("the direction is no combination of its active normals", status=str(found.message))
    return torch.from_numpy(found.x[count:] > 0.5)
