"""`SVMSolution`: an answer to the NTP-SVM that can judge itself."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset
from ..subspace import data_subspace

__all__ = ["SVMSolution"]


@dataclass(frozen=True, eq=False)
class SVMSolution:
    """The max-margin direction ``W_mm`` with its multipliers, and everything needed to check it.

    All measures are recomputed from ``direction``, ``duals`` and the data; nothing is taken from a solver's report.

    Attributes
    ----------
    data : NTPDataset
    direction : Tensor (V, d)
        W_mm: in F_perp, every margin at least 1, of minimum Frobenius norm.
    duals : Tensor (m, V)
        Multipliers alpha_{j,v} >= 0 off the supports, 0 on them, of the problem with objective ``1/2 ||W||^2``.
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
        """gamma = 1 / ||W_mm||, the max-NTP-margin; infinite when there is no off-support token."""
        return 1.0 / self.norm if self.norm else math.inf

    def primal_residual(self) -> float:
        """Largest violation of (6a) and (6b): in-support logits that differ, margins below 1."""
        logits = self.data.embeddings @ self.direction.T
        pattern = self.data.pattern
        inside = pattern.inside(logits)
        unequal = float((pattern.max(inside) - pattern.min(inside)).max())
        short = float((1.0 - pattern.margins(logits)).max())
        return max(unequal, short, 0.0)

    def dual_residual(self) -> float:
        """``||W_mm - P_perp sum alpha_{j,v} (e_z - e_v) h_j^T|| / ||W_mm||``, the stationarity error, relative."""
        return float((self.direction - self._from_duals()).norm()) / self.norm if self.norm else 0.0

    def dual_value(self) -> float:
        """``sum alpha - 1/2 ||P_perp sum alpha (e_z - e_v) h^T||^2``: a lower bound on ``1/2 ||W_mm||^2``."""
        return float(self.duals.sum()) - 0.5 * float(self._from_duals().square().sum())

    def duality_gap(self) -> float:
        """``1/2 ||direction||^2 - dual_value()``, at least the excess of this direction over the minimum."""
        return 0.5 * float(self.direction.square().sum()) - self.dual_value()

    def distance_bound(self) -> float:
        """Upper bound on ``||direction - W_mm||``: ``sqrt(2 gap)`` with the rounding of the gap added.

        The objective is 1-strongly convex. A direction that misses its constraints by rho may undercut the optimal
        value by ``rho sum alpha``; sums of n terms are taken to lose ``eps (log2 n + 4)`` of their size. In double
        precision the bound therefore bottoms out near ``1e-7 ||W_mm||``.
        """
        size = float(self.direction.square().sum()) + float(self.duals.sum())
        eps = torch.finfo(self.direction.dtype).eps
        rounding = size * (self.primal_residual() + eps * (math.log2(max(self.direction.numel(), 2)) + 4))
        return math.sqrt(2.0 * (max(self.duality_gap(), 0.0) + rounding))

    def verify(self, tol: float = 1e-6) -> bool:
        """Whether constraints, stationarity and the distance bound (relative) all hold to ``tol``."""
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

    def summary(self, limit: int = 8) -> str:
        """The answer in words: norm, margin, certificate, the heaviest support vectors by name."""
        active = int((self.duals > 0).sum())
        lines = [
            f"NTP-SVM by {self.method} ({self.iterations} iterations): ||W_mm|| = {self.norm:.8g}, margin {self.margin:.8g}",
            f"certificate: constraints to {self.primal_residual():.1e}, stationarity to {self.dual_residual():.1e}, "
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
        data = NTPDataset._unpack(arrays, meta["dataset"])
        direction, duals = (torch.from_numpy(arrays[name]) for name in ("direction", "duals"))
        return cls(data, direction, duals, str(meta["method"]), int(meta["iterations"]))

    def _from_duals(self) -> Tensor:
        """P_perp sum_{j,v} alpha_{j,v} (e_z - e_v) h_j^T; which z in S_j is taken does not matter in F_perp."""
        pattern = self.data.pattern
        multipliers = -self.duals
        share = self.duals.sum(1) / pattern.sizes
        multipliers[pattern.contexts, pattern.tokens] = share[pattern.contexts]
        return data_subspace(self.data).project_complement(multipliers.T @ self.data.embeddings)
