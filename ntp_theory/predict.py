"""`predict`: where training must end up, computed from the data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .conditions import Compatibility, check_compatibility
from .dataset import NTPDataset
from .finite_part import InSupportLoss
from .margin import SVMSolution, solve_svm
from .subspace import data_subspace

__all__ = ["Case", "Limit", "predict"]

Case = Literal["separable-compatible", "separable-incompatible", "partially-separable", "finite"]


@dataclass(frozen=True, eq=False)
class Limit:
    """The limit of gradient descent on a dataset: ``W_k ~ finite + log(k) direction``.

    Attributes
    ----------
    data : NTPDataset
    case : str
        "separable-compatible": the loss goes to the entropy (2402.18551, Theorem 2); "separable-incompatible": it
        diverges along W_mm, to a larger infimum (`bias/any-data`); "finite": full supports, a finite minimiser.
    entropy, infimum : float
        H and inf CE, nats.
    finite : Tensor (V, d)
        W* in F: the log-odds solution if compatible, the minimiser of CE_F otherwise.
    direction : Tensor (V, d) or None
        W_mm, or None if nothing diverges.
    margin : float
        gamma = 1/||W_mm||.
    duals : Tensor (m, V)
        Multipliers alpha of the NTP-SVM.
    support : Tensor (m, V), bool
        Tokens whose probability does not go to 0.
    loss_constant : float
        lim eta k (CE - inf CE) = ||W_mm||^2 (`bias/sharp-gd-loss`).
    finite_constant : Tensor (V, d)
        lim eta k (P_F W_k - W*) (`bias/sharp-gd-finite`).
    compatibility : Compatibility
    svm : SVMSolution
        The certificate of ``direction``.
    """

    data: NTPDataset
    case: Case
    entropy: float
    infimum: float
    finite: Tensor
    direction: Tensor | None
    margin: float
    duals: Tensor
    support: Tensor
    loss_constant: float
    finite_constant: Tensor
    compatibility: Compatibility
    svm: SVMSolution

    def summary(self) -> str:
        """The prediction in words."""
        lines = [
            f"case: {self.case}",
            f"entropy H = {self.entropy:.8g} nats, inf CE = {self.infimum:.8g} nats "
            f"({self.infimum / math.log(2):.6g} bits)",
            f"finite part: ||W*|| = {float(self.finite.norm()):.6g} on F of dimension {data_subspace(self.data).dim}",
        ]
        if self.direction is not None:
            lines += [
                f"direction: ||W_mm|| = {self.svm.norm:.8g}, max-NTP-margin {self.margin:.8g}, "
                f"certified to {self.svm.distance_bound():.1e}",
                f"gradient descent: eta k (CE - inf CE) -> {self.loss_constant:.6g}, "
                f"eta k ||P_F W_k - W*|| -> {float(self.finite_constant.norm()):.6g}, "
                f"d||W_k||/dlog k -> {self.svm.norm:.6g}",
            ]
        else:
            lines.append("no direction: the minimiser is finite and gradient descent converges to it")
        return "\n".join(lines)


def predict(data: NTPDataset, *, tol: float = 1e-12) -> Limit:
    """Where gradient descent on ``data`` must end up.

    Parameters
    ----------
    data : NTPDataset
    tol : float
        Relative duality gap of the NTP-SVM.

    Returns
    -------
    Limit

    Raises
    ------
    NotSeparableError
        If the data is not NTP-separable, with the Farkas certificate.
    SolverError
        If a part could not be computed to the accuracy asked for.

    Notes
    -----
    Source: 2402.18551 Theorem 2 (`bias/theorem-2`); incompatible data and all constants are ours (`bias/any-data`,
    `bias/sharp-gd-loss`, `bias/sharp-gd-finite`). The constants assume that every active constraint of the NTP-SVM has
    a positive multiplier (`bias/sharp-gd-expansion`).

    Examples
    --------
    >>> limit = predict(NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    >>> limit.case, round(limit.loss_constant, 6)
    ('separable-compatible', 1.333333)
    """
    svm = solve_svm(data, tol=tol)
    compatibility = check_compatibility(data)
    loss = InSupportLoss(data)
    if compatibility.solution is not None:
        finite, infimum = compatibility.solution, data.entropy
    else:
        finite = loss.minimise()
        infimum = loss.value(finite)
    diverges = data.pattern.num_off_support > 0
    separable_case: Case = "separable-compatible" if compatibility.compatible else "separable-incompatible"
    return Limit(
        data=data,
        case=separable_case if diverges else "finite",
        entropy=data.entropy,
        infimum=infimum,
        finite=finite,
        direction=svm.direction if diverges else None,
        margin=svm.margin,
        duals=svm.duals,
        support=data.support,
        loss_constant=svm.norm**2,
        finite_constant=_finite_constant(data, loss, finite, svm.duals),
        compatibility=compatibility,
        svm=svm,
    )


def _finite_constant(data: NTPDataset, loss: InSupportLoss, finite: Tensor, duals: Tensor) -> Tensor:
    """``-H_F^{-1} P_F sum_{j,v} alpha_{j,v} (e_v - p_bar_j) h_j^T`` (`bias/sharp-gd-finite`)."""
    pattern = data.pattern
    pull = duals.clone()
    total = duals.sum(1)
    pull[pattern.contexts, pattern.tokens] = -total[pattern.contexts] * loss.probabilities(finite)
    force = data_subspace(data).project(pull.T @ data.embeddings)
    if not bool(torch.any(force)):
        return torch.zeros_like(force)
    return -loss.solve_hessian(finite, force)
