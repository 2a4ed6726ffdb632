"""`predict`: where gradient descent on a log-partition loss must end up, with the constants of the way there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..errors import SolverError, UsageError
from .log_partition import LogPartition, as_partition
from .multipliers import Multipliers, find_multipliers
from .pairs import PairSVM, solve_pairs
from .sequences import TokenSequences

__all__ = ["PartitionLimit", "predict"]

# Newton steps for the finite part, and what is left of the gradient, in units of rounding of its terms.
STEPS, LEFT = 200, 1e-13
# How far from the minimiser the finite part may be, relative.
KNOWN = 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class PartitionLimit:
    """``W(t) ~ direction log t + offset`` along gradient flow; for gradient descent t is eta k.

    Attributes
    ----------
    loss : LogPartition
    support : Tensor (n, C), bool
        Choices whose probability does not go to 0. For attention: tokens in the component of the label.
    basis : Tensor (D, dim F)
        Orthonormal, of ``F = span{A_ic - A_ic' : c, c' in the support of i}``, where W stays finite.
    finite : Tensor (D,)
        W_fin in F, the minimiser of the loss with its sums cut to the supports.
    infimum : float
        inf f, nats.
    svm : PairSVM
        The direction with the certificates of the supports and of itself.
    multipliers : Multipliers
        Of the SVM: those that gradient descent goes to.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`); constants ours (`bias/sharp-gd-loss`, `bias/sharp-gd-finite`,
    `bias/any-data`, by `attention/unification`).

    Examples
    --------
    >>> limit = predict(TokenSequences([[0, 1, 1]], [0]))  # scores of 0 and 1 part by log t, half of it each
    >>> [[round(x, 6) for x in limit.matrix(part)[:, 1].tolist()] for part in (limit.direction, limit.finite)]
    [[0.5, -0.5], [0.0, 0.0]]
    """

    loss: LogPartition
    support: Tensor
    basis: Tensor
    finite: Tensor
    infimum: float
    svm: PairSVM
    multipliers: Multipliers

    @property
    def direction(self) -> Tensor:
        """W_svm, flat; (D,). Zero if nothing diverges."""
        return self.svm.direction

    @property
    def norm(self) -> float:
        """``||W_svm||``, the limit of ``d||W|| / d log t``."""
        return float(self.direction.norm())

    @property
    def diverges(self) -> bool:
        """Whether some probability is driven to 0."""
        return self.svm.svm is not None

    @property
    def loss_constant(self) -> float:
        """``lim t (f - inf f) = ||W_svm||^2``."""
        return self.norm**2

    @property
    def offset(self) -> Tensor:
        """``lim W - W_svm log t`` as far as the data decides it; (D,), F part W_fin."""
        return self.finite + self.multipliers.offset

    def matrix(self, w: Tensor) -> Tensor:
        """A flat vector as a matrix: (V, V) for attention, (V, d) for decoders."""
        return w.reshape(self.loss.shape)

    def inside(self, w: Tensor) -> Tensor:
        """P_F w."""
        inside: Tensor = self.basis @ (self.basis.T @ w)
        return inside

    def finite_constant(self) -> Tensor:
        """``lim t (P_F W - W_fin)``; (D,)."""
        total: Tensor = self._finite_parts.sum((0, 1))
        return total

    def finite_scale(self) -> float:
        """The lengths of what each multiplier adds to `finite_constant`: they may nearly cancel there."""
        return float(self._finite_parts.norm(dim=2).sum())

    @cached_property
    def _finite_parts(self) -> Tensor:
        """``-H_F^{-1} P_F alpha_ic (A_ic - mean over the support of i)``; (n, C, D)."""
        cut = self.loss.restricted(self.support)
        means = torch.einsum("ic,icd->id", cut.scores(self.finite).softmax(1), self.loss.features)
        pull = self.multipliers.values[:, :, None] * (self.loss.features - means[:, None])
        curved = self.basis.T @ cut.hessian(self.finite) @ self.basis
        parts: Tensor = -pull @ self.basis @ torch.linalg.inv(curved) @ self.basis.T
        return parts

    def check_fits(self, loss: LogPartition) -> None:
        """Refuse a loss that this is not the prediction of.

        Raises
        ------
        UsageError
            If it is another.
        """
        pairs = (
            (getattr(loss, part), getattr(self.loss, part)) for part in ("features", "offsets", "targets", "weights")
        )
        if loss is not self.loss and not all(torch.equal(one, other) for one, other in pairs):
            raise UsageError("limit is of another loss; it must be predict of the data of the run")

    def summary(self) -> str:
        """The prediction in words."""
        lines = [
            f"inf f = {self.infimum:.8g} nats; finite part ||W_fin|| = {float(self.finite.norm()):.6g} "
            f"in {self.basis.shape[1]} dimensions"
        ]
        if self.diverges:
            known = "" if self.multipliers.positive else ", some active constraints have multiplier 0: slowly"
            lines.append(
                f"direction: ||W_svm|| = {self.norm:.8g}, certified to {self.svm.distance_bound:.1e}; "
                f"t (f - inf f) -> {self.loss_constant:.6g}{known}"
            )
        else:
            lines.append("no direction: the minimiser is finite")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<PartitionLimit: {self.summary().splitlines()[0]}>"


def predict(data: TokenSequences | LogPartition | NTPDataset) -> PartitionLimit:
    """Where gradient descent must end up: components, finite part, direction, and constants.

    Parameters
    ----------
    data : TokenSequences, LogPartition or NTPDataset
        The latter small and without pairs that only far weights can tell apart; `ntp_theory.predict` is made for it.

    Returns
    -------
    PartitionLimit

    Raises
    ------
    UsageError
        If ``data`` is none of these.
    SolverError
        If a part could not be computed to its accuracy, as the finite part if some targets or weights are tiny.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`) by way of `attention/unification`.

    Examples
    --------
    >>> limit = predict(TokenSequences([[0, 1, 2], [1, 0, 2], [1, 0, 2]], [0, 1, 1]))
    >>> W = limit.matrix(limit.finite)
    >>> round(float((W[1, 2] - W[0, 2]).exp()), 9), round(limit.loss_constant, 6)
    (2.0, 0.666667)
    """
    loss = as_partition(data)
    normals, terms, choices = loss.normals(loss.support)
    support = loss.support.clone()
    if not len(normals):
        nothing = torch.zeros(0, dtype=torch.bool)
        empty = solve_pairs(torch.zeros(1, loss.dim, dtype=torch.float64), [True])
        svm = PairSVM(empty.direction, nothing, empty.extended, None)
    else:
        svm = solve_pairs(normals, loss.support[terms, choices].tolist())
    support[terms, choices] = svm.blocked
    basis = span(normals[svm.blocked])
    finite = _minimise(loss.restricted(support), basis)
    infimum = loss.restricted(support).value(finite)
    return PartitionLimit(
        loss, support, basis, finite, infimum, svm, find_multipliers(loss, support, basis, finite, svm.direction)
    )


def as_limit(limit: object) -> PartitionLimit:
    """A prediction, and nothing else."""
    if not isinstance(limit, PartitionLimit):
        raise UsageError(f"limit is {limit!r}; it must be a PartitionLimit, as predict returns it")
    return limit


def span(vectors: Tensor) -> Tensor:
    """An orthonormal basis (D, r) of the span of the rows."""
    u, s, _ = torch.linalg.svd(vectors.T, full_matrices=False)
    kept: Tensor = u[:, s > max(vectors.shape) * torch.finfo(s.dtype).eps * s.max()] if len(vectors) else u
    return kept


def _minimise(loss: LogPartition, basis: Tensor) -> Tensor:
    """The minimiser in F by a regularised Newton method, with steps halved until the loss does not rise."""
    w = torch.zeros(loss.dim, dtype=torch.float64)
    if not basis.shape[1]:
        return w
    scale = float(loss.features.abs().max())
    for _ in range(STEPS):
        slope = basis.T @ loss.gradient(w)
        if float(slope.norm()) <= LEFT * scale and _distance(loss, basis, w) <= KNOWN * (1 + float(w.norm())):
            return w
        # far from the minimiser curvature may vanish to rounding: what is added goes to 0 with the gradient
        ridge = float(slope.norm()) * scale + LEFT * scale**2
        curved = basis.T @ loss.hessian(w) @ basis + ridge * torch.eye(basis.shape[1], dtype=torch.float64)
        step = -basis @ torch.linalg.solve(curved, slope)
        size, value = 1.0, loss.value(w)
        while loss.value(w + size * step) > value + LEFT * (1 + abs(value)) and size > LEFT:
            size /= 2
        w = w + size * step
    if not math.isfinite(float(w.norm())) or float((basis.T @ loss.gradient(w)).norm()) > 1e3 * LEFT * scale:
        raise SolverError("the finite part was not found: Newton's method did not end", best=w)
    if (left := _distance(loss, basis, w)) > KNOWN * (1 + float(w.norm())):
        raise SolverError(
            f"the finite part is known to about {left:.1g} only: some targets or weights are too small", best=w
        )
    return w


def _distance(loss: LogPartition, basis: Tensor, w: Tensor) -> float:
    """Of w from the minimiser, estimated by the gradient, which is known up to rounding, and the least curvature."""
    slope = float((basis.T @ loss.gradient(w)).norm()) + torch.finfo(w.dtype).eps * float(loss.features.abs().max())
    weakest = float(torch.linalg.eigvalsh(basis.T @ loss.hessian(w) @ basis)[0])
    return slope / weakest if weakest > 0 else math.inf
