"""NTP-separability, decided from both sides by one minimisation.

Let ``1_S`` be the 0/1 support matrix and Q the cone of multipliers (`ntp_theory.cone`). Minimise over W the squared
distance ``1/2 ||v||^2``, ``v = P_Q(1_S - H W^T)``. This is a squared hinge loss with a free offset by context: it is 0
exactly when W separates (in-support logits 1 + s_j, off-support logits at most s_j). If the minimum is positive, then at
the minimiser v is in Q and ``H^T v = 0``: v *is* a Farkas certificate. By Moreau it is the projection of 1_S on the
cone of all certificates. The question does not change when a context is scaled or all embeddings are mapped by an
invertible matrix, so they are made unit vectors and then whitened: the problem is perfectly conditioned in W.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..cone import project_cone
from ..dataset import NTPDataset
from ..elimination import Elimination
from ..errors import SolverError
from ..subspace import data_subspace
from ..support import SupportPattern
from .certificates import FarkasCertificate
from .nested import nested_contexts

__all__ = ["Separability", "check_separability"]

# A margin below this multiple of ||W|| ||h_j|| is rounding, not separation.
ROUNDING = 1e-13
# In-support logits count as equal when they agree to this multiple of the smallest margin.
LEVEL = 1e-8
# Rounding of a Farkas certificate: ||sum_j h_j c_j^T|| against sum |c| ||h||, a few hundred units in the last place.
STATIONARY = 1e-12
# Steps spent on a part of the contexts, where only a certificate would be final, before taking more of them.
PARTIAL_ITERATIONS = 300
# Off-support entries of a certificate smaller than this, relative to the largest entry, are taken for zero.
SIGNIFICANT = 1e-12


@dataclass(frozen=True, eq=False)
class Separability:
    """Answer of `check_separability`.

    Attributes
    ----------
    separable : bool
    direction : Tensor (V, d) or None
        A W^d that satisfies (6a) and (6b) with smallest margin exactly 1, if there is one.
    margin : float
        ``1 / ||direction||``, a certified lower bound on the max-NTP-margin; infinite if there is no off-support
        token at all, and 0 if not separable.
    certificate : FarkasCertificate or None
        Why not, if not.
    """

    separable: bool
    direction: Tensor | None
    margin: float
    certificate: FarkasCertificate | None

    def summary(self) -> str:
        """The answer in words."""
        if self.certificate is not None:
            return self.certificate.describe()
        return f"NTP-separable: a direction of margin {self.margin:.6g} per unit norm was found"


def check_separability(data: NTPDataset, *, max_iterations: int = 20_000) -> Separability:
    """Whether some W^d has equal in-support logits and pushes every off-support token at least 1 below, Eq. (6).

    Parameters
    ----------
    data : NTPDataset
    max_iterations : int
        Steps of the accelerated gradient method; each costs two products with the embeddings.

    Returns
    -------
    Separability
        With a separating direction, or with a Farkas certificate.

    Raises
    ------
    SolverError
        If neither was found: the data is within rounding of the boundary, or more iterations are needed.

    Notes
    -----
    Source: 2402.18551 Definition 2 (`bias/definition-2`); method ours.

    Examples
    --------
    >>> check_separability(NTPDataset([[1.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]])).separable
    True
    >>> answer = check_separability(NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]]))
    >>> print(answer.summary())
    not NTP-separable: a combination of 4 constraints over 2 contexts vanishes (residual 0.0e+00); 2 (context, token) pairs in 2 contexts are blocked, the heaviest:
      after #0: #1 cannot be pushed below the tokens that follow (weight 0.667)
      after #1: #0 cannot be pushed below the tokens that follow (weight 0.333)
    """  # noqa: E501
    if data.pattern.num_off_support == 0:
        zero = data.embeddings.new_zeros(data.vocab_size, data.dim)
        return Separability(True, zero, torch.inf, None)
    for chosen in nested_contexts(data):
        answer = _decide(data, chosen, max_iterations)
        if answer is not None:
            return answer
    raise AssertionError("unreachable: the full set of contexts is decided or raises")


def _decide(data: NTPDataset, chosen: Tensor, max_iterations: int) -> Separability | None:
    """The answer that these contexts give for the whole data; None where only more contexts can tell."""
    whole = len(chosen) == data.num_contexts
    lengths = _lengths(data)[chosen]
    whitened, back = _whiten(data.embeddings[chosen] / lengths[:, None])
    fit = _SquaredHinge(whitened, data.pattern.select(chosen))
    for steps in _rounds(max_iterations if whole else min(PARTIAL_ITERATIONS, max_iterations)):
        fit.iterate(steps)
        if fit.separates():
            if not whole:
                return None
            if (answer := _as_direction(fit.weights @ back, data)) is not None:
                return answer
        if fit.stationary():
            certificate = _as_certificate(fit.certificate() / lengths[:, None], chosen, data)
            if certificate is not None:
                return Separability(False, None, 0.0, certificate)
    if not whole:
        return None
    raise SolverError(
        f"separability is undecided after {max_iterations} steps: distance {float(fit.multipliers.norm()):.2e}, "
        f"relative gradient {fit.relative_gradient():.2e}; the data is close to the boundary, "
        "raise max_iterations",
        status="iteration limit",
        best=fit.weights @ back,
    )


class _SquaredHinge:
    """Restarted accelerated gradient descent on ``1/2 ||P_Q(1_S - U W^T)||^2`` for orthonormal columns U."""

    def __init__(self, whitened: Tensor, pattern: SupportPattern) -> None:
        self._u, self._pattern = whitened, pattern
        self._target = pattern.mask().to(whitened.dtype)
        self.weights = whitened.new_zeros(pattern.vocab_size, whitened.shape[1])
        self._ahead, self._momentum = self.weights, 1.0
        self._attempt_at = 1e-2
        self.multipliers, self._thresholds = project_cone(self._target, pattern)
        self._gradient = self.multipliers.T @ whitened

    def iterate(self, steps: int) -> None:
        for _ in range(steps):
            after = self._ahead + self._gradient
            moved = after - self.weights
            if (self._gradient * moved).sum() < 0:  # momentum points uphill: restart
                self._momentum = 1.0
            momentum = (1 + (1 + 4 * self._momentum**2) ** 0.5) / 2
            self._ahead = after + (self._momentum - 1) / momentum * moved
            self.weights, self._momentum = after, momentum
            self.multipliers, self._thresholds = project_cone(
                self._target - self._u @ self._ahead.T, self._pattern, self._thresholds
            )
            self._gradient = self.multipliers.T @ self._u

    def separates(self) -> bool:
        """Whether in-support logits differ by less than they lie above the rest: worth a look at the exact rules."""
        logits = self._u @ self.weights.T
        return bool(_spread(logits, self._pattern).max() < self._pattern.margins(logits).min())

    def relative_gradient(self) -> float:
        return float(self._gradient.norm() / self.multipliers.norm())

    def stationary(self) -> bool:
        """Close enough to a minimum for another attempt at a certificate; each attempt asks for more."""
        if self.relative_gradient() > self._attempt_at:
            return False
        self._attempt_at = self.relative_gradient() / 5
        return True

    def certificate(self) -> Tensor:
        """Multipliers near the current ones with ``U^T v = 0``, strictly negative off the supports where not zero."""
        inside = self._target > 0
        free = inside | (self.multipliers < 0)
        while True:
            face = SupportPattern.from_mask(free)
            v = torch.zeros_like(self.multipliers)
            v[face.contexts, face.tokens] = (
                Elimination(self._u, face).fit(face.inside(self.multipliers)).residual
            )
            kept = free & (inside | (v < -SIGNIFICANT * float(v.abs().max())))
            if torch.equal(kept, free):
                return v
            free = kept  # making v stationary turned small entries positive: leave them out


def _whiten(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal columns U spanning the columns of H, and the map back: ``W = W_u back`` has ``H W^T = U W_u^T``."""
    u, s, vt = torch.linalg.svd(embeddings, full_matrices=False)
    rank = int((s > s[0] * max(embeddings.shape) * torch.finfo(s.dtype).eps).sum())
    return u[:, :rank].contiguous(), vt[:rank] / s[:rank, None]


def _rounds(total: int) -> list[int]:
    """Steps between two attempts to decide: short at first, then a tenth of what has been done."""
    rounds, done = [], 0
    while done < total:
        rounds.append(min(max(10, done // 10), total - done))
        done += rounds[-1]
    return rounds


def _lengths(data: NTPDataset) -> Tensor:
    """Norms of the embeddings; 1 for a zero one. (m,)."""
    lengths = data.embeddings.norm(dim=1)
    return torch.where(lengths > 0, lengths, 1.0)


def _spread(logits: Tensor, pattern: SupportPattern) -> Tensor:
    """Largest minus smallest in-support logit by context; (m,)."""
    inside = pattern.inside(logits)
    return pattern.max(inside) - pattern.min(inside)


def _as_direction(weights: Tensor, data: NTPDataset) -> Separability | None:
    """The candidate made to satisfy (6a), scaled to margin 1; None if its margins do not survive."""
    direction = data_subspace(data).project_complement(weights)
    logits = data.embeddings @ direction.T
    margins, norm = data.pattern.margins(logits), float(direction.norm())
    margin = float(margins.min())
    # data_subspace takes nearly dependent generators for dependent; (6a) may then still be off
    level = bool(_spread(logits, data.pattern).max() <= LEVEL * margin)
    if not level or bool((margins <= ROUNDING * norm * _lengths(data)).any()):
        return None
    return Separability(True, direction / margin, margin / norm, None)


def _as_certificate(multipliers: Tensor, chosen: Tensor, data: NTPDataset) -> FarkasCertificate | None:
    """The multipliers as a certificate for the whole data; None if they are zero or not stationary there."""
    v = multipliers.new_zeros(data.num_contexts, data.vocab_size)
    v[chosen] = multipliers
    if not bool((v < 0).logical_and(~data.support).any()):
        return None
    size = float((v.abs().sum(1) * data.embeddings.norm(dim=1)).sum())
    if float((v.T @ data.embeddings).norm()) > STATIONARY * size:
        return None
    return FarkasCertificate.from_matrix(v, data)
