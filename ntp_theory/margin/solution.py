"""`SVMSolution`: an answer to the NTP-SVM that can judge itself."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import torch
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset
from ..errors import CheckpointError
from ..exact import Proof, prove_max_margin
from ..exact.max_margin import NEAR
from ..subspace import data_subspace

__all__ = ["SVMSolution"]


@dataclass(frozen=True, eq=False, repr=False)
class SVMSolution:
    """The max-margin direction ``W_mm`` with its multipliers, and everything needed to check it.

    All measures are recomputed from ``direction``, ``duals`` and the data; nothing is taken from a solver's
    report.

    Attributes
    ----------
    data : NTPDataset
    direction : Tensor (V, d)
        W_mm: in F_perp, every margin at least 1, of minimum Frobenius norm.
    duals : Tensor (m, V)
        Multipliers alpha_{j,v} >= 0 off the supports, 0 on them, of the problem with objective
        ``1/2 ||W||^2``.
    method : str
        What computed it.
    iterations : int
        Iterations of that method.

    Notes
    -----
    Source: 2402.18551 Definition 3 (`bias/definition-3`, `svm/dual`).

    Examples
    --------
    >>> from ntp_theory.margin import solve_svm
    >>> solution = solve_svm(NTPDataset([[2.0]], [[1.0, 0.0]]))
    >>> solution.direction.flatten().tolist(), round(solution.margin, 12)
    ([0.25, -0.25], 2.828427124746)
    """

    data: NTPDataset
    direction: Tensor
    duals: Tensor
    method: str
    iterations: int

    @property
    def norm(self) -> float:
        """||W_mm||, Frobenius."""
        return float(self.direction.norm())

    @property
    def margin(self) -> float:
        """The max-NTP-margin gamma = 1 / ||W_mm||; infinite when there is no off-support token."""
        return 1.0 / self.norm if self.norm else math.inf

    def primal_residual(self) -> float:
        """Largest violation of (6a) and (6b): in-support logits that differ, margins below 1."""
        return self._violation(self.direction)

    def dual_residual(self) -> float:
        """Relative error of stationarity: ``||W_mm - P_perp sum alpha (e_z - e_v) h^T|| / ||W_mm||``."""
        return float((self.direction - self._from_duals()).norm()) / self.norm if self.norm else 0.0

    def dual_value(self) -> float:
        """``sum alpha - 1/2 ||P_perp sum alpha (e_z - e_v) h^T||^2``: a lower bound on ``1/2 ||W_mm||^2``.

        -inf if a multiplier is negative or sits on a support: such multipliers bound nothing.
        """
        if bool((self.duals < 0).any()) or bool(self.data.pattern.inside(self.duals).any()):
            return -math.inf
        return float(self.duals.sum()) - 0.5 * float(self._from_duals().square().sum())

    def duality_gap(self) -> float:
        """``1/2 ||direction||^2 - dual_value()``: at least what a feasible direction is above the minimum."""
        return 0.5 * float(self.direction.square().sum()) - self.dual_value()

    def distance_bound(self) -> float:
        """Upper bound on ``||direction - W_mm||``; infinite if the direction does not separate.

        The direction is first made feasible: projected on F_perp and scaled to margin 1. The objective is
        1-strongly convex, so the feasible point is within ``sqrt(2 gap)`` of W_mm, gap its own duality gap;
        the way to it is added. Sums of n terms are taken to lose ``eps (log2 n + 4)`` of their size; in
        double precision the bound therefore bottoms out near ``1e-7 ||W_mm||``.
        """
        inside = data_subspace(self.data).project_complement(self.direction)
        logits = self.data.embeddings @ inside.T
        margin = float(self.data.pattern.margins(logits).min())
        if not margin > 0:
            return math.inf
        feasible = inside / margin
        square = float(feasible.square().sum())
        eps = torch.finfo(feasible.dtype).eps * (math.log2(feasible.numel()) + 4)
        lost = self._violation(feasible) + eps * max(1.0, float(logits.abs().max()) / margin)
        gap = max(0.5 * square - self.dual_value(), 0.0) + (square + float(self.duals.sum())) * lost
        return float((self.direction - feasible).norm()) + math.sqrt(2.0 * gap)

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = 1e-6, *, exact: bool = False) -> bool | Proof:
        """Whether constraints, stationarity and the distance bound (relative) all hold to ``tol``, or exactly.

        Parameters
        ----------
        tol : float
        exact : bool
            Solve the NTP-SVM in rationals on its active constraints, and check all conditions of optimality. The
            answer is then a `Proof`, whose document holds W_mm, its multipliers and ``||W_mm||^2`` as rationals.

        Raises
        ------
        SolverError
            If there are too many active constraints for an exact solve (some 1500 with the supports).
        UsageError
            If ``exact`` and python-flint is not installed.
        """
        if exact:
            if not (max(self.primal_residual(), self.dual_residual()) <= NEAR and self.dual_value() > -math.inf):
                words = f"the direction or the multipliers break a rule by more than {NEAR:g}"
                return Proof("max margin", "refuted", words, None)
            return prove_max_margin(self.data, self.direction, self.duals)
        near = self.distance_bound() <= tol * self.norm if self.norm else True
        return self.primal_residual() <= tol and self.dual_residual() <= tol and near

    def support_vectors(self, limit: int | None = None) -> list[tuple[str, str, float]]:
        """Active constraints as (context name, off-support token name, multiplier), heaviest first."""
        contexts, tokens = self.duals.nonzero(as_tuple=True)
        values = self.duals[contexts, tokens]
        order = values.argsort(descending=True, stable=True)[:limit]
        return [
            (self.data.context_name(j), self.data.token_name(v), alpha)
            for j, v, alpha in zip(
                contexts[order].tolist(), tokens[order].tolist(), values[order].tolist(), strict=True
            )
        ]

    def __repr__(self) -> str:
        return f"<SVMSolution: {self.summary().splitlines()[0]}>"

    def summary(self, limit: int = 8) -> str:
        """The answer in words: norm, margin, certificate, the heaviest support vectors by name."""
        active = int((self.duals > 0).sum())
        lines = [
            f"NTP-SVM by {self.method} ({self.iterations} iterations): "
            f"||W_mm|| = {self.norm:.8g}, margin {self.margin:.8g}",
            f"certificate: constraints to {self.primal_residual():.1e}, "
            f"stationarity to {self.dual_residual():.1e}, "
            f"gap {self.duality_gap():.1e}, ||W - W_mm|| <= {self.distance_bound():.1e}",
            f"{active} of {self.data.pattern.num_off_support} (context, token) constraints carry a multiplier"
            + (", the heaviest:" if active else ""),
        ]
        lines += [
            f"  after {context}: {token} held off with multiplier {alpha:.4g}"
            for context, token, alpha in self.support_vectors(limit)
        ]
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the solution with its dataset to one ``.npz`` file."""
        arrays, meta = self.data._pack()
        arrays |= {"direction": self.direction.cpu().numpy(), "duals": self.duals.cpu().numpy()}
        return runs.save_arrays(
            path,
            "svm-solution",
            arrays,
            {"dataset": meta, "method": self.method, "iterations": self.iterations},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SVMSolution:
        """Read a solution written by `save`.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or of another kind.
        """
        arrays, meta = runs.load_arrays(path, "svm-solution")
        try:
            data = NTPDataset._unpack(arrays, meta["dataset"])
            direction, duals = (torch.from_numpy(arrays[name]) for name in ("direction", "duals"))
            return cls(data, direction, duals, str(meta["method"]), int(meta["iterations"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: saved solution is incomplete or damaged ({error})") from error

    def _violation(self, weights: Tensor) -> float:
        """Largest violation of (6a) and (6b) by a decoder."""
        logits = self.data.embeddings @ weights.T
        pattern = self.data.pattern
        inside = pattern.inside(logits)
        unequal = float((pattern.max(inside) - pattern.min(inside)).max())
        short = float((1.0 - pattern.margins(logits)).max())
        return max(unequal, short, 0.0)

    def _from_duals(self) -> Tensor:
        """P_perp sum alpha_{j,v} (e_z - e_v) h_j^T; which z in S_j is taken does not matter in F_perp."""
        pattern = self.data.pattern
        multipliers = -self.duals
        share = self.duals.sum(1) / pattern.sizes
        multipliers[pattern.contexts, pattern.tokens] = share[pattern.contexts]
        return data_subspace(self.data).project_complement(multipliers.T @ self.data.embeddings)
