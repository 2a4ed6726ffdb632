"""`predict`: where training must end up, computed from the data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from scipy.special import wrightomega
from torch import Tensor

from .asymptotics import ActiveConstraints, finite_constant, limit_multipliers, mean_offset
from .conditions import (
    Compatibility,
    Separability,
    check_compatibility,
    check_separability,
    extended_support,
)
from .dataset import NTPDataset, as_dataset
from .doors import positive
from .errors import NotSeparableError, SolverError, UsageError
from .finite_part import InSupportLoss
from .infimum import infimum_bounds
from .margin import SVMSolution, solve_svm
from .margin.dual import solve_dual
from .margin.outcome import answer
from .plateau import Plateau
from .subspace import data_subspace
from .support import SupportPattern

__all__ = ["Case", "Limit", "in_double", "predict"]

# Ill-conditioned data may stop the NTP-SVM solver above the gap asked for; this much is accepted.
ACCEPTED_GAP = 1e-10
# Distance to W_mm, relative, that such a gap certifies, 1e-5; rounding may double it.
DISTANCE = 2e-5
# Steps of the NTP-SVM solver where `solve_svm` is not asked.
MAX_ITERATIONS = 10_000

Case = Literal["separable-compatible", "separable-incompatible", "partially-separable", "finite"]


@dataclass(frozen=True, eq=False, repr=False)
class Limit:
    """The limit of gradient descent on a dataset: ``W_k ~ finite + log(k) direction``.

    Attributes
    ----------
    data : NTPDataset
    case : str
        "separable-compatible": the loss goes to the entropy (2402.18551, Theorem 2); "separable-incompatible": it
        goes to a larger infimum; "partially-separable": only some off-support tokens can be driven to zero probability;
        "finite": none can, and the minimiser is finite (`bias/any-data`).
    entropy, infimum : float
        H and inf CE, nats.
    infimum_bounds : tuple of float
        Certified numbers below and above inf CE, nats (`ntp_theory.infimum`).
    finite : Tensor (V, d)
        W* in F: the log-odds solution if compatible, the minimiser of CE_F otherwise.
    direction : Tensor (V, d) or None
        W_mm, or None if nothing diverges.
    margin : float
        gamma = 1/||W_mm||.
    duals : Tensor (m, V)
        Multipliers alpha of the NTP-SVM: ``lim eta k pi_j softmax_v``. Where they are not unique (repeated
        contexts), those that gradient descent goes to; ``svm.duals`` are the solver's own.
    support : Tensor (m, V), bool
        Tokens whose probability does not go to 0.
    loss_constant : float
        lim eta k (CE - inf CE) = ||W_mm||^2 (`bias/sharp-gd-loss`).
    finite_constant : Tensor (V, d)
        lim eta k (P_F W_k - W*) (`bias/sharp-gd-finite`).
    compatibility : Compatibility
    separability : Separability
    svm : SVMSolution
        The certificate of ``direction``.
    reference : NTPDataset
        The compatible and separable dataset that training cannot tell from the data: the same embeddings and weights,
        supports ``support``, and conditionals p_bar, the softmax at W*. Since the gradient of CE restricted to these
        supports vanishes at W*, both losses have the same gradient everywhere, and CE - inf CE of the data is the
        entropy gap of the reference. The data itself if it is compatible and separable.

    Notes
    -----
    Everything is decided and computed in double precision; tensors come back in the type of the data, while ``svm`` and
    ``separability`` speak of the same numbers in double precision.
    """

    data: NTPDataset
    case: Case
    entropy: float
    infimum: float
    infimum_bounds: tuple[float, float]
    finite: Tensor
    direction: Tensor | None
    margin: float
    duals: Tensor
    support: Tensor
    loss_constant: float
    finite_constant: Tensor
    compatibility: Compatibility
    separability: Separability
    svm: SVMSolution
    reference: NTPDataset

    @cached_property
    def active(self) -> ActiveConstraints:
        """The active constraints of the NTP-SVM, with the rates of their slow modes (`bias/sharp-gd-duals`)."""
        return ActiveConstraints(self.svm.data, self.finite.double(), self.duals.double())

    @cached_property
    def offset(self) -> Tensor:
        """``lim W_k - W_mm log(eta k)`` as far as the data decides it (`bias/offset`); (V, d), F part W*."""
        return self.active.offset().to(self.finite.dtype)

    @cached_property
    def mean_offset(self) -> float:
        """``lim <W_k, W_mm> / ||W_mm||^2 - log(eta k)``: the offset along W_mm, a sharp number (`bias/offset`)."""
        return mean_offset(self.svm.data, self.finite.double(), self.duals.double())

    @cached_property
    def angle_bound(self) -> float:
        """Lower bound on ``lim log^2(t) (1 - cos(W, W_mm))``: half the squared offset across W_mm, over ||W_mm||^2.

        Gradient descent and flow turn to W_mm no faster (`bias/sharp-gd-direction`). It is the limit if F and the
        active constraints span all that the data can move; elsewhere inactive constraints, before they fade, add a
        part to the offset that depends on the path.
        """
        if self.direction is None:
            return 0.0
        across = self.offset - self.mean_offset * self.direction
        return float(across.square().sum()) / (2 * self.loss_constant)

    @cached_property
    def margin_gap_constant(self) -> float:
        """``lim eta k (1 - margin(P_perp W_k) / (gamma ||P_perp W_k||))`` with steps of length eta along W_mm.

        For methods that move by a constant length off F (split-normalised descent; normalised descent on one-hot data):
        the active constraint with the smallest offset stays behind the mean by a constant, while the norm grows by eta
        a step (`bias/split-normalised`).
        """
        return self.active.lag() * self.svm.norm if self.direction is not None else 0.0

    def ridge_reach(self, log_ridge: float) -> float:
        """``<W, W_mm> / ||W_mm||^2`` of the ridge minimiser, R with ``R + log R = log(1/ridge) + mean_offset``.

        The first-order error vanishes as it does in `mean_offset` (`bias/ridge-path`).

        Raises
        ------
        UsageError
            If ``log_ridge`` is not a number.
        """
        if not (isinstance(log_ridge, int | float) and not math.isnan(log_ridge)):
            raise UsageError(f"log_ridge is {log_ridge!r}; it must be a number")
        return float(wrightomega(self.mean_offset - log_ridge))

    def plateau(self, step_size: float) -> Plateau:
        """Where normalised gradient descent with steps of length ``step_size`` stops (`bias/ngd-plateau`).

        Raises
        ------
        UsageError
            If ``step_size`` is not a positive finite number, or every context has a single next token: F is {0}, and
            nothing stops.
        """
        step_size = positive("step_size", step_size)
        if data_subspace(self.reference).dim == 0:
            raise UsageError("data has no plateau: every context has one next token, so F is {0}")
        loss, finite, drift = InSupportLoss(self.svm.data), self.finite.double(), self.finite_constant.double()
        curvature, direction = self._steepest
        force = -0.5 * loss.bend(finite, step_size / 2 * direction)
        shift = data_subspace(self.svm.data).project(loss.solve_hessian(finite, force))
        pull = loss.hessian_product(loss.probabilities(finite), drift)
        parity = abs(float((shift * direction).sum())) / (step_size / 2)
        return Plateau(step_size, curvature, parity, shift, force, drift, pull)

    @property
    def curvature(self) -> float:
        """lambda_max(H_F), the largest eigenvalue of the Hessian of CE_F at W*; 0 if F is {0}."""
        return self._steepest[0] if data_subspace(self.reference).dim else 0.0

    @cached_property
    def _steepest(self) -> tuple[float, Tensor]:
        return InSupportLoss(self.svm.data).curvature(self.finite.double())

    @property
    def burn_in(self) -> float:
        """eta k at which the predicted decoder first points along W_mm, exp(-mean_offset); laws need much more."""
        return math.exp(-self.mean_offset)

    def decoder(self, steps: float, step_size: float = 1.0) -> Tensor:
        """The predicted W_k after ``steps`` gradient steps, ``W_mm log(eta k) + offset``; (V, d).

        Raises
        ------
        UsageError
            If ``steps`` or ``step_size`` is not a positive finite number.
        """
        steps, step_size = positive("steps", steps), positive("step_size", step_size)
        if self.direction is None:
            return self.finite
        return self.direction * math.log(step_size * steps) + self.offset

    def __repr__(self) -> str:
        return f"<Limit: {self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """The prediction in words."""
        lower, upper = self.infimum_bounds
        lines = [
            f"case: {self.case}",
            f"entropy H = {self.entropy:.8g} nats, inf CE = {self.infimum:.8g} nats "
            f"({self.infimum / math.log(2):.6g} bits), certified to {upper - lower:.1e}",
            f"finite part: ||W*|| = {float(self.finite.norm()):.6g}, dim F = {data_subspace(self.reference).dim}",
        ]
        if self.direction is not None:
            lines += [
                f"direction: ||W_mm|| = {self.svm.norm:.8g}, max-NTP-margin {self.margin:.8g}, "
                f"certified to {self.svm.distance_bound():.1e}",
                f"gradient descent: eta k (CE - inf CE) -> {self.loss_constant:.6g}, "
                f"eta k ||P_F W_k - W*|| -> {float(self.finite_constant.norm()):.6g}, "
                f"d||W_k||/dlog k -> {self.svm.norm:.6g}",
                f"these laws set in when eta k is far above {self.burn_in:.3g}",
            ]
        else:
            lines.append("no direction: the minimiser is finite and gradient descent converges to it")
        return "\n".join(lines)


def predict(data: NTPDataset, *, tol: float = 1e-12, start: SVMSolution | None = None) -> Limit:
    """Where gradient descent on ``data`` must end up, for any data.

    Parameters
    ----------
    data : NTPDataset
    tol : float
        Relative duality gap to aim at in the NTP-SVM; up to 1e-10 is accepted where rounding ends its progress
        before (``Limit.svm`` tells).
    start : SVMSolution, optional
        Where the NTP-SVM solver starts (`solve_svm`): ``Limit.svm`` of data that is nearly the same.

    Returns
    -------
    Limit

    Raises
    ------
    UsageError
        If ``data`` is no dataset, or ``start`` does not fit it.
    SolverError
        If a part could not be computed to the accuracy asked for.

    Notes
    -----
    Source: 2402.18551 Theorem 2 (`bias/theorem-2`); data that is not compatible and separable, and all constants, are
    ours (`bias/any-data`, `bias/sharp-gd-loss`, `bias/sharp-gd-finite`). The constants assume that every active
    constraint of the NTP-SVM has a positive multiplier (`bias/sharp-gd-expansion`).

    Examples
    --------
    >>> limit = predict(NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    >>> limit.case, round(limit.loss_constant, 6)
    ('separable-compatible', 1.333333)
    >>> limit = predict(NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]]))
    >>> limit.case, limit.direction is None
    ('finite', True)
    """
    as_dataset("data", data)
    wide, dtype = in_double(data), data.embeddings.dtype
    compatibility, separability = check_compatibility(data), check_separability(wide)
    extended = None if separability.separable else extended_support(wide)
    pattern = data.pattern if extended is None else extended.pattern
    if compatibility.solution is not None and separability.separable:
        finite, infimum, reference = compatibility.solution.double(), wide.entropy, wide
    else:
        loss = InSupportLoss(wide, pattern)
        finite = loss.minimise()
        infimum, reference = loss.value(finite), _with_conditionals(wide, pattern, loss.probabilities(finite))
        finite = data_subspace(reference).project(finite)  # rounding may have led a little out of F
    bounds = infimum_bounds(wide, reference, finite, None if extended is None else extended.certificate)
    svm = _max_margin(reference, tol, start)
    duals = limit_multipliers(reference, finite, svm.direction, svm.duals)
    diverges = pattern.num_off_support > 0
    return Limit(
        data=data,
        case=_case(compatibility, separability, diverges),
        entropy=wide.entropy,
        infimum=infimum,
        infimum_bounds=bounds,
        finite=finite.to(dtype),
        direction=svm.direction.to(dtype) if diverges else None,
        margin=svm.margin,
        duals=duals.to(dtype),
        support=pattern.mask(),
        loss_constant=svm.norm**2,
        finite_constant=finite_constant(reference, finite, duals).to(dtype),
        compatibility=compatibility,
        separability=separability,
        svm=svm,
        reference=data if reference is wide else reference.to(dtype=dtype),
    )


def _max_margin(reference: NTPDataset, tol: float, start: SVMSolution | None) -> SVMSolution:
    try:
        return solve_svm(reference, tol=tol, start=start)
    except NotSeparableError:
        # extended supports come with a direction: the certificate that speaks against it is one up to rounding only
        best = solve_dual(reference, tol=tol, max_iterations=MAX_ITERATIONS, certify=False)
    except SolverError:
        if tol >= ACCEPTED_GAP:
            raise
        return solve_svm(reference, tol=ACCEPTED_GAP)
    return answer(reference, best, max(tol, ACCEPTED_GAP))


def _case(compatibility: Compatibility, separability: Separability, diverges: bool) -> Case:
    if not diverges:
        return "finite"
    if not separability.separable:
        return "partially-separable"
    return "separable-compatible" if compatibility.compatible else "separable-incompatible"


def in_double(data: NTPDataset) -> NTPDataset:
    """The same dataset in double precision: embeddings as they are, masses that sum to 1 there."""
    if data.embeddings.dtype is torch.float64:
        return data
    more: dict[str, Any] = {
        "token_names": data.token_names,
        "context_names": data.context_names,
        "device": data.embeddings.device,
    }
    if data.counts is None:
        return NTPDataset(data.embeddings, data.probabilities, data.weights, **more)
    counts = torch.sparse_coo_tensor(
        data.probabilities.indices(), data.counts, data.support.shape, check_invariants=False
    )
    return NTPDataset.from_counts(data.embeddings, counts, **more)


def _with_conditionals(data: NTPDataset, pattern: SupportPattern, conditionals: Tensor) -> NTPDataset:
    index = torch.stack([pattern.contexts, pattern.tokens])
    conditionals = conditionals.clamp(min=torch.finfo(torch.float32).tiny)  # none may become 0
    rows = torch.sparse_coo_tensor(index, conditionals, (data.num_contexts, data.vocab_size), check_invariants=False)
    return NTPDataset(
        data.embeddings,
        rows,
        data.weights,
        token_names=data.token_names,
        context_names=data.context_names,
        device=data.embeddings.device,
        dtype=data.embeddings.dtype,
    )
