"""Linear equations that tie tokens by one level a context, with a matrix of size m for each token.

    K C_v + D_v C_v + mu = b_v    for every token v,    rows of C sum to what is given.

Interior points of the NTP-SVM (`ntp_theory.margin.interior`) have slack over multiplier for D, and equations on a set
of active entries (`ntp_theory.margin.refine`) nothing. Unlike in `ntp_theory.margin.blocks`, every context is in every
matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .problem import DualProblem

__all__ = ["CholeskyEquations", "OrthogonalEquations", "fits"]

# Entries of the matrices of one problem at most: half a gibibyte, a few times over.
ENTRIES = 2**26


def fits(problem: DualProblem) -> bool:
    """Whether a problem is small enough for matrices of all contexts for each token."""
    _, m, u = problem.support.shape
    return u * m * (m + problem.embeddings.shape[2]) <= ENTRIES


class CholeskyEquations:
    """The equations by Cholesky factors of K + D.

    Parameters
    ----------
    problem : DualProblem
    diagonal : Tensor (B, m, U)
        D, above 0.

    Notes
    -----
    Source: ours (`svm/dual`).

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> problem = DualProblem.of(NTPDataset([[1.0]], [[1.0, 0.0]]))
    >>> equations = CholeskyEquations(problem, torch.ones(1, 1, 2, dtype=torch.float64))
    >>> equations.solve(problem.target, torch.zeros(1, 1, dtype=torch.float64))[:2]
    (tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64), tensor([[0.5000]], dtype=torch.float64))
    """

    def __init__(self, problem: DualProblem, diagonal: Tensor) -> None:
        self._problem, (size, m, u) = problem, diagonal.shape
        blocks = problem.gram[:, None].repeat(1, u, 1, 1)
        blocks.diagonal(dim1=2, dim2=3).add_(diagonal.mT)
        factors, failed = torch.linalg.cholesky_ex(blocks.view(size * u, m, m))
        self._inverses = torch.cholesky_inverse(factors).mT.reshape(size, u, m, m)
        self._inverses[failed.view(size, u) > 0] = torch.nan
        coupling = (self._inverses.view(size, u, m * m).mT @ problem.counts).view(size, m, m)
        self._factor, failed = torch.linalg.cholesky_ex(coupling)
        self._factor[failed > 0] = torch.nan

    def solve(self, values: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """C (B, m, U) with rows that sum to -sums, mu (B, m) and ``H^T C`` (B, d, U), for given sides b (B, m, U)."""
        pull = self._multiply(values)
        rise = torch.cholesky_solve((sums + self._problem.total(pull))[:, :, None], self._factor)
        c = pull - self._multiply(rise.expand_as(values))
        return c, rise[:, :, 0], self._problem.pull(c)

    def _multiply(self, values: Tensor) -> Tensor:
        # rows times symmetric matrices: much faster than matrices times columns
        return (values.mT[:, :, None] @ self._inverses)[:, :, 0].mT


class OrthogonalEquations:
    """The same by orthogonal transformations of ``[D^1/2; H^T]``, whose square is K + D and never formed.

    Parameters
    ----------
    problem : DualProblem
    diagonal : Tensor (B, m, U)
        D, above 0.
    active : Tensor (B, m, U), bool, optional
        Only entries that are active are unknown, and only their equations hold; all if not given.

    Examples
    --------
    >>> from ntp_theory import NTPDataset
    >>> problem = DualProblem.of(NTPDataset([[1.0]], [[1.0, 0.0]]))
    >>> equations = OrthogonalEquations(problem, torch.ones(1, 1, 2, dtype=torch.float64))
    >>> print(equations.solve(problem.target, torch.zeros(1, 1, dtype=torch.float64))[0].round(decimals=12))
    tensor([[[ 0.2500, -0.2500]]], dtype=torch.float64)
    """

    def __init__(self, problem: DualProblem, diagonal: Tensor, active: Tensor | None = None) -> None:
        self._problem, (size, m, u) = problem, diagonal.shape
        self._active = torch.ones_like(problem.support) if active is None else active
        h = problem.embeddings.mT[:, None] * self._active.mT[:, :, None]
        roots = torch.where(self._active, diagonal, 1.0).sqrt().mT
        q, r = torch.linalg.qr(torch.cat([roots.diag_embed(), h], dim=2))
        identity = torch.eye(m).to(h)
        self._inverses = torch.linalg.solve_triangular(r, identity.expand_as(r), upper=True)
        self._basis = q[:, :, m:]  # H^T R^-1
        rows = (self._inverses.mT * self._active.mT[:, :, None]) * problem.counts.sqrt()[:, None, None]
        self._factor = torch.linalg.qr(rows.reshape(size, u * m, m), mode="r").R

    def solve(self, values: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """C (B, m, U) with rows that sum to -sums, mu (B, m) and ``H^T C`` (B, d, U), for given sides b (B, m, U)."""
        pull = self._multiply(self._reduce(values), self._inverses) * self._active
        rise = torch.cholesky_solve((sums + self._problem.total(pull))[:, :, None], self._factor, upper=True)
        half = self._reduce(values - rise)
        return self._multiply(half, self._inverses) * self._active, rise[:, :, 0], self._multiply(half, self._basis)

    def _reduce(self, values: Tensor) -> Tensor:
        rows: Tensor = (values * self._active).mT[:, :, None] @ self._inverses
        return rows

    @staticmethod
    def _multiply(rows: Tensor, matrices: Tensor) -> Tensor:
        return (rows @ matrices.mT)[:, :, 0].mT
