"""`SVMSolution`: an answer to the NTP-SVM that can judge itself."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import positive
from ..errors import UsageError
from ..exact import Proof, prove_max_margin
from ..exact.max_margin import NEAR
from ..subspace import data_subspace
from .certificate import Certificate, certify, residuals
from .digits import refined
from .files import load_parts, save_parts
from .multipliers import lower_bound, pull, split
from .norms import FROBENIUS, Norm
from .words import headline, summary

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
        W_mm: in F_perp, every margin at least 1, of minimum norm.
    duals : Tensor (m, V)
        Multipliers alpha_{j,v} >= 0 off the supports, 0 on them, of the problem with objective
        ``1/2 ||W||^2``.
    method : str
        What computed it.
    iterations : int
        Iterations of that method.
    geometry : Norm
        The norm that W_mm has the smallest of; Frobenius if not given. In others there may be several such W_mm, and
        ``duals`` are the multipliers of the objective ``||W||``.
    support_duals : Tensor (n,) or None
        Multipliers of the equal in-support logits (6a), as entries of ``C`` on ``data.pattern`` (`svm/dual`): rows of C
        sum to 0, and ``<W_mm, C^T H> = ||W_mm|| ||C^T H||_dual``. In
        Frobenius P_perp takes their place if they are not known.
    tail : Tensor (V, d) or None
        What ``direction`` lacks beyond double precision, of a solution that is `refined`.
    duals_tail : Tensor (m, V) or None
        What the multipliers, as a matrix C, lack beyond double precision, of a solution that is `refined`.
    route : str
        How the method went about it, and why so.

    Notes
    -----
    Source: 2402.18551 Definition 3 (`bias/definition-3`, `svm/dual`); other norms as in 2502.04664
    (`steepest/setting`), their bound on the value ours.

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
    geometry: Norm = FROBENIUS
    support_duals: Tensor | None = None
    tail: Tensor | None = None
    duals_tail: Tensor | None = None
    route: str = ""

    @property
    def norm(self) -> float:
        """||W_mm|| in its norm."""
        return self.geometry.value(self.direction)

    @property
    def margin(self) -> float:
        """The max-NTP-margin gamma = 1 / ||W_mm||; infinite when there is no off-support token."""
        return 1.0 / self.norm if self.norm else math.inf

    def primal_residual(self) -> float:
        """Largest violation of (6a) and (6b), with the tail: in-support logits that differ, margins below 1."""
        direction = self.direction.double()
        uneven, slack = residuals(self.data, direction, torch.zeros_like(direction) if self.tail is None else self.tail)
        return max(float(uneven.max()), -float(slack.min()), 0.0)

    def dual_residual(self) -> float:
        """Relative error of stationarity: ``||W_mm - P_perp sum alpha (e_z - e_v) h^T|| / ||W_mm||``.

        In other norms, where several W may have the same multipliers: ``1 - <W, C^T H> / (||W|| ||C^T H||_dual)``.
        """
        if not self.norm:
            return 0.0
        if self.geometry == FROBENIUS:
            return float((self.direction - self._from_duals()).norm()) / self.norm
        pulled = pull(self.duals, self.support_duals, self.data, self.duals_tail)
        size = self.norm * self.geometry.dual.value(pulled)
        return max(0.0, 1.0 - float((self.direction * pulled).sum()) / size) if size else 1.0

    def dual_value(self) -> float:
        """A lower bound from the multipliers: in Frobenius on ``1/2 ||W_mm||^2``, in other norms on ``||W_mm||``.

        In Frobenius ``sum alpha - 1/2 ||P_perp sum alpha (e_z - e_v) h^T||^2``, so that the bound on ``||W_mm||`` is
        ``sqrt(2 dual_value())``; in other norms ``sum alpha / ||C^T H||_dual``. -inf if a multiplier is negative or
        sits on a support: such multipliers bound nothing.
        """
        if bool((self.duals < 0).any()) or bool(self.data.pattern.inside(self.duals).any()):
            return -math.inf
        if self.geometry != FROBENIUS:
            return lower_bound(self.duals, self.support_duals, self.data, self.geometry)
        return float(self.duals.sum()) - 0.5 * float(self._from_duals().square().sum())

    def duality_gap(self) -> float:
        """At least what W is above the minimum: in Frobenius of ``1/2 ||W||^2``, in other norms of ``||W||``.

        In Frobenius W is the direction made feasible, and the gap ``1/2 ||W||^2 - dual_value()`` is summed from parts
        that are not negative, so that it has digits of its own (`ntp_theory.margin.certificate`); infinite if the
        direction does not separate. In other norms it is ``||direction|| - dual_value()``.
        """
        return self._certificate().gap if self.geometry == FROBENIUS else self.norm - self.dual_value()

    def distance_bound(self) -> float:
        """Upper bound on ``||direction - W_mm||``; infinite if the direction does not separate, and in other norms.

        From feasibility, stationarity and complementary slackness, computed to 104 bits. With a direction in double
        precision it bottoms out near ``5e-8 ||W_mm||``; one with a ``tail`` goes below ``1e-10 ||W_mm||``. Relations
        among in-support constraints that hold up to rounding are taken for exact; infinite if some nearly hold. Other
        norms are not strongly convex: a small gap there says nothing about the distance.
        """
        return self._certificate().distance if self.geometry == FROBENIUS else math.inf

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = 1e-6, *, exact: bool = False) -> bool | Proof:
        """Whether constraints, stationarity and the distance bound (relative) all hold to ``tol``, or exactly.

        In other norms: constraints, and the relative gap.

        Parameters
        ----------
        tol : float
            Above 0.
        exact : bool
            Solve the NTP-SVM in rationals on its active constraints, and check all conditions of optimality. The
            answer is then a `Proof`, whose document holds W_mm, its multipliers and ``||W_mm||^2`` as rationals.

        Raises
        ------
        SolverError
            If there are too many active constraints for an exact solve (some 1500 with the supports).
        UsageError
            If ``tol`` is not positive; if ``exact`` and python-flint is not installed, or the norm is not Frobenius.
        """
        tol = positive("tol", tol)
        if exact and self.geometry != FROBENIUS:
            raise UsageError(f"exact is True for the norm {self.geometry.name!r}; only 'frobenius' has exact proofs")
        if exact:
            if not (max(self.primal_residual(), self.dual_residual()) <= NEAR and self.dual_value() > -math.inf):
                words = f"the direction or the multipliers break a rule by more than {NEAR:g}"
                return Proof("max margin", "refuted", words, None)
            return prove_max_margin(self.data, self.direction, self.duals)
        if self.geometry != FROBENIUS:
            return self.primal_residual() <= tol and self.duality_gap() <= tol * self.norm
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
        return f"<SVMSolution: {headline(self)}>"

    def summary(self, limit: int = 8) -> str:
        """The answer in words: norm, margin, certificate, the heaviest support vectors by name."""
        return summary(self, limit)

    @classmethod
    def from_cone(
        cls, data: NTPDataset, geometry: Norm, direction: Tensor, c: Tensor, method: str, iterations: int
    ) -> SVMSolution:
        """A direction with the multipliers of the element of the cone next to a matrix (m, V)."""
        duals, inside = split(c, data.pattern)
        if geometry == FROBENIUS:
            return cls(data, direction, duals, method, iterations)
        size = geometry.dual.value(pull(duals, inside, data)) or 1.0
        return cls(data, direction, duals / size, method, iterations, geometry, inside / size)

    def refined(self) -> SVMSolution:
        """The same to more digits than a double holds, in ``tail``: a distance bound of ``1e-10 ||W_mm||``.

        The equations of the active constraints, those with a positive multiplier, are solved, residuals to 104 bits.

        Raises
        ------
        SolverError
            If the bound is not reached: constraints that are nearly dependent, or multipliers that were not those of
            W_mm. The direction of the attempt is kept in ``.best``.
        UsageError
            In other norms than Frobenius, and in single precision.

        Examples
        --------
        >>> from ntp_theory.margin import solve_svm
        >>> solution = solve_svm(NTPDataset([[3.0, 1.0]], [[0.5, 0.5, 0.0]])).refined()
        >>> solution.distance_bound() < 1e-13 * solution.norm
        True
        """
        return refined(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the solution with its dataset to one ``.npz`` file."""
        return save_parts(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SVMSolution:
        """Read a solution written by `save`.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or of another kind.
        """
        return cls(**load_parts(path))

    def _certificate(self) -> Certificate:
        if not self.norm and not self.data.pattern.num_off_support:
            return Certificate(0.0, 0.0)
        return certify(
            self.data, self.direction, self.duals, self.support_duals, tail=self.tail, duals_tail=self.duals_tail
        )

    def _from_duals(self) -> Tensor:
        """W as the multipliers have it: ``C^T H``, or P_perp of it, where which z in S_j is taken does not matter."""
        pulled = pull(self.duals, self.support_duals, self.data, self.duals_tail)
        return pulled if self.support_duals is not None else data_subspace(self.data).project_complement(pulled)
