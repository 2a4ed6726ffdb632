"""Where logits of free features go as the ridge vanishes: from supports, conditionals and weights alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import number, positive
from ..errors import UsageError
from ..margin import SVMSolution, solve_svm
from .factors import gram_matrices
from .split import SplitLogits

__all__ = ["FreeLimit", "centred_supports", "predict_free"]

# Singular values and multipliers below this, relative to the largest, are taken for 0.
NOTHING = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class FreeLimit:
    """The prediction ``L = L_in + t L_mm + offset + bend / t + O(t^-2)``, ``t = log(1/ridge)``.

    Attributes
    ----------
    data : NTPDataset
        With free embeddings.
    finite : Tensor (V, m)
        L_in: centred logarithms of the conditionals on the supports, 0 off them.
    direction : Tensor (V, m)
        L_mm: equal on each support, larger by 1 than off it, of smallest nuclear norm; 0 if all supports are full.
        There may be several.
    supports : Tensor (V, m)
        S~, the supports as zeros and ones, centred by column.
    closed_form : bool
        Whether L_mm is S~, which the signs of ``U T^T`` certify, ``S~ = U s T^T``.
    offset, bend : Tensor (V, m) or None
        The next terms, if the closed form holds with all signs strict and S~ has full rank min(V - 1, m); 0 if all
        supports are full. Otherwise multipliers are zero or not unique, and they are not known here.
    svm : SVMSolution
        L_mm with its certificate.

    Notes
    -----
    Source: 2408.15417 as recalled (`geometry/ufm-limit`, `geometry/finite-part`, `geometry/lmm`,
    `geometry/svd-certificate`). The offset is derived: with multipliers ``alpha = -U T^T`` off the supports,
    stationarity says ``pi_j q_{v,j} = ridge alpha_{v,j}``, so that the margins are
    ``t + log(pi_j e^(mean of log p_j) / alpha_{v,j})``. The bend is the first-order change of alpha, that of the polar
    factor at ``t S~`` on adding ``L_in + offset``. Where a multiplier is 0 the margin grows like ``t + log t``, and the
    slope is off L_mm by the order of ``1 / t``.

    Examples
    --------
    >>> from ntp_theory.geometry import UnconstrainedFeatures
    >>> problem = UnconstrainedFeatures([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]])
    >>> limit = problem.limit()
    >>> slope = problem.solve(1e-8).slopes[0]
    >>> bool((slope - limit.direction).norm() < 0.01 * limit.direction.norm())
    True
    """

    data: NTPDataset
    finite: Tensor
    direction: Tensor
    supports: Tensor
    closed_form: bool
    offset: Tensor | None
    bend: Tensor | None
    svm: SVMSolution

    @property
    def norm(self) -> float:
        """``||L_mm||_*``; 1 over it is the largest margin of logits of nuclear norm 1."""
        return self.svm.norm

    def logits(self, ridge: float) -> Tensor:
        """The predicted minimiser at a small ridge (V, m), up to the order of ``log(1/ridge)^-2``.

        Raises
        ------
        UsageError
            If the offset is not known, or the ridge is not below 1.

        Examples
        --------
        >>> from ntp_theory.geometry import UnconstrainedFeatures
        >>> limit = UnconstrainedFeatures([[1.0, 0.0]]).limit()  # ridge^-1 up to a logarithm: margins grow like its log
        >>> near, far = (limit.logits(ridge)[:, 0] for ridge in (1e-50, 1e-100))
        >>> round(float((far - near)[0] - (far - near)[1]) / math.log(1e50), 2)
        1.0
        """
        offset, bend, t = self._terms(ridge)
        return self.finite + t * self.direction + offset + bend / t

    def slope(self, ridge: float) -> Tensor:
        """The predicted ``dL / d log(1/ridge)`` (V, m), up to the order of ``log(1/ridge)^-3``; raises as `logits`."""
        _, bend, t = self._terms(ridge)
        return self.direction - bend / t**2

    def _terms(self, ridge: float) -> tuple[Tensor, Tensor, float]:
        if self.offset is None or self.bend is None:
            raise UsageError("the offset is None: the closed form with strict signs and full rank does not hold here")
        ridge = number("ridge", ridge, "a number above 0 and below 1", lambda x: 0.0 < x < 1.0)
        return self.offset, self.bend, math.log(1.0 / ridge)

    def grams(self, ridge: float | None = None) -> tuple[Tensor, Tensor]:
        """Predicted Gram matrices of words (V, V) and contexts (m, m): of L_mm, or at a ridge of `logits` (with scale).

        Those of L_mm are the limit up to a factor; it is approached like ``1 / log(1/ridge)``.
        """
        return gram_matrices(self.direction if ridge is None else self.logits(ridge))

    def loss_bound(self, ridge: float) -> float:
        """Upper bound on CE - H: ``ridge (V - 1 + ||L_in||_* + ||L_mm||_* log(1/ridge))``, for a ridge up to 1."""
        finite = float(torch.linalg.matrix_norm(self.finite, "nuc"))
        radius = max(math.log(1.0 / positive("ridge", ridge)), 0.0)
        return (self.data.vocab_size - 1) * math.exp(-radius) + ridge * (finite + self.norm * radius)

    def summary(self) -> str:
        """The prediction in words."""
        shape = f"{self.data.vocab_size} tokens, {self.data.num_contexts} contexts"
        form = "the centred supports, certified by signs" if self.closed_form else "found by a solver"
        rest = "known" if self.offset is not None else "not known"
        return (
            f"{shape}: logits ~ L_in + log(1/ridge) L_mm + offset\n"
            f"||L_mm||_* = {self.norm:.6g}, {form}, within {max(self.svm.duality_gap(), 0.0):.1e}; offset {rest}"
        )

    def __repr__(self) -> str:
        return f"FreeLimit(norm={self.norm:.4g}, closed_form={self.closed_form}, offset={self.offset is not None})"


def centred_supports(data: NTPDataset) -> Tensor:
    """The matrix ``S~ = (I - 1 1^T / V) S`` (V, m).

    Notes
    -----
    Source: 2408.15417 (`geometry/symmetric`).

    Examples
    --------
    >>> centred_supports(NTPDataset([[1.0]], [[0.5, 0.5, 0.0, 0.0]])).flatten().tolist()
    [0.5, 0.5, -0.5, -0.5]
    """
    supports = as_dataset("data", data).support.cpu().double().T
    return supports - supports.mean(0)


def predict_free(data: NTPDataset) -> FreeLimit:
    """The limit of the problem with the supports, conditionals and weights of a dataset with free embeddings."""
    svm, supports, finite = solve_svm(data, norm="nuclear"), centred_supports(data), SplitLogits(data).finite.mT
    closed = svm.method == "closed form"
    offset, bend = _next_terms(data, supports, finite) if closed else (None, None)
    return FreeLimit(data, finite, svm.direction, supports, closed, offset, bend, svm)


def _next_terms(data: NTPDataset, supports: Tensor, finite: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
    if bool(data.support.all()):  # nothing diverges: L_in is the limit
        return torch.zeros_like(finite), torch.zeros_like(finite)
    u, s, vt = torch.linalg.svd(supports, full_matrices=False)
    rank, inside = int((s > NOTHING * s[0]).sum()), data.support.T
    u, s, vt = u[:, :rank], s[:rank], vt[:rank]
    multipliers = -(u @ vt).masked_fill(inside, -1.0)
    if rank < min(data.vocab_size - 1, data.num_contexts) or not float(multipliers.min()) > NOTHING:
        return None, None
    pattern = data.pattern
    means = pattern.sum(data.log_conditionals) / pattern.sizes
    offset = _logits((data.weights.log() + means - multipliers.log()).masked_fill(inside, 0.0))
    # first-order change of the polar factor U T^T of S~, in the singular bases and, on one side at most, beyond them
    added = finite + offset
    inner = u.mT @ added @ vt.mT
    turned = u @ ((inner - inner.mT) / (s[:, None] + s)) @ vt
    turned += (added - u @ (u.mT @ added)) @ vt.mT @ (vt / s[:, None])
    turned += (u / s) @ u.mT @ (added - added @ vt.mT @ vt)
    return offset, _logits((turned / multipliers).masked_fill(inside, 0.0))


def _logits(margins: Tensor) -> Tensor:
    """Level on the supports with these margins off them, columns summing to 0."""
    return margins.mean(0) - margins
