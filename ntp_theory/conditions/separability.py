"""NTP-separability, decided from both sides by one minimisation.

Let ``1_S`` be the 0/1 support matrix and Q the cone of multipliers (`ntp_theory.cone`). Minimise over W the squared
distance ``1/2 ||v||^2``, ``v = P_Q(1_S - H W^T)``. This is a squared hinge loss with a free offset by context: it is 0
exactly when W separates (in-support logits 1 + s_j, off-support logits at most s_j). If the minimum is positive, then
at the minimiser v is in Q and ``H^T v = 0``: v *is* a Farkas certificate. By Moreau it is the projection of 1_S on the
cone of all certificates. The question does not change when a context is scaled or all embeddings are mapped by an
invertible matrix, so they are made unit vectors and then whitened: the problem is perfectly conditioned in W.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, overload

import torch
from torch import Tensor

from ..cone import Cone
from ..dataset import NTPDataset, as_dataset
from ..doors import positive, whole
from ..errors import SolverError
from ..exact import Proof, prove_separable
from ..subspace import data_subspace
from ..support import SupportPattern
from .certificates import FarkasCertificate
from .explanation import explain
from .extended import extended_support
from .nested import nested_contexts
from .standing import separates, standing_certificate, standing_direction, stationary, whiten

__all__ = ["Separability", "check_separability"]

# Entries of a certificate; larger ones are made sparse before they are made exact.
SMALL = 600
# Steps spent on a part of the contexts, where only a certificate would be final, before taking more of them.
PARTIAL_ITERATIONS = 300


@dataclass(frozen=True, eq=False, repr=False)
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
    data : NTPDataset
    proof : Proof or None
        The exact decision, if it was asked for.
    """

    separable: bool
    direction: Tensor | None
    margin: float
    certificate: FarkasCertificate | None
    data: NTPDataset
    proof: Proof | None = None

    def __repr__(self) -> str:
        return f"<Separability: {self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """The answer in words."""
        exactly = f"\n{self.proof.summary()}" if self.proof is not None else ""
        if self.certificate is not None:
            return self.certificate.describe() + exactly
        return f"NTP-separable: a direction of margin {self.margin:.6g} per unit norm was found" + exactly

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = 1e-9, *, exact: bool = False) -> bool | Proof:
        """Whether the direction or the certificate stands: in double precision, or exactly, which is then a `Proof`.

        Parameters
        ----------
        tol : float
            For the float answer: largest violation of a rule, where the smallest margin is 1.
        exact : bool
            Make the direction, or a sparse form of the certificate, rational.

        Raises
        ------
        SolverError
            If an exact solve is too large.
        UsageError
            If ``exact`` and python-flint is not installed.

        Examples
        --------
        >>> answer = check_separability(NTPDataset([[3.0], [-1.0]], [[1.0, 0.0], [0.0, 1.0]]))
        >>> answer.verify(), answer.verify(exact=True).status
        (True, 'proved')
        """
        tol = positive("tol", tol)
        if self.certificate is not None:
            if not exact:
                return self.certificate.verify(tol)
            small = len(self.certificate.coefficients) <= SMALL
            return ((not small and explain(self.certificate)) or self.certificate).verify(exact=True)
        assert self.direction is not None
        if exact:
            return prove_separable(self.data, self.direction)
        return separates(self.direction, self.data, self.data.pattern, tol)


def check_separability(data: NTPDataset, *, exact: bool = False, max_iterations: int = 2_000) -> Separability:
    """Whether some W^d has equal in-support logits and pushes every off-support token at least 1 below, Eq. (6).

    Parameters
    ----------
    data : NTPDataset
    exact : bool
        Prove the answer in rational arithmetic (extra ``exact``); it then carries the `Proof`.
    max_iterations : int
        Steps of the accelerated gradient method, two products with the embeddings each, before the linear program of
        `extended_support` is asked.

    Returns
    -------
    Separability
        With a separating direction, or with a Farkas certificate.

    Raises
    ------
    SolverError
        If neither was found, or not proved: the data is within rounding of the boundary.
    UsageError
        If ``exact`` and python-flint is not installed.

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
    as_dataset("data", data)
    whole("max_iterations", max_iterations, at_least=1)
    if exact:
        return _exactly(check_separability(data, max_iterations=max_iterations))
    if data.pattern.num_off_support == 0:
        zero = data.embeddings.new_zeros(data.vocab_size, data.dim)
        return Separability(True, zero, torch.inf, None, data)
    if data.embeddings.dtype is not torch.float64:  # the question is about exact numbers
        answer = check_separability(data.to(dtype=torch.float64), max_iterations=max_iterations)
        direction = None if answer.direction is None else answer.direction.to(data.embeddings.dtype)
        return replace(answer, direction=direction, data=data)
    for chosen in nested_contexts(data):
        found = _decide(data, chosen, max_iterations)
        if found is not None:
            return found
    return _by_program(data)  # slower, but it decides what is close to the boundary


def _by_program(data: NTPDataset) -> Separability:
    extended = extended_support(data)
    if extended.certificate is not None:
        return Separability(False, None, 0.0, extended.certificate, data)
    assert extended.direction is not None
    return Separability(True, extended.direction, 1.0 / float(extended.direction.norm()), None, data)


def _exactly(answer: Separability) -> Separability:
    """The answer with its proof; what one method found may fail where that of the other stands."""
    proof = answer.verify(exact=True)
    if not proof:
        answer = _by_program(answer.data)
        proof = answer.verify(exact=True)
    if not proof:
        raise SolverError(f"no exact answer: {proof.summary()}", status="not certified", best=answer)
    return replace(answer, proof=proof)


def _decide(data: NTPDataset, chosen: Tensor, max_iterations: int) -> Separability | None:
    """The answer that these contexts give for the whole data; None if they do not decide it."""
    whole = len(chosen) == data.num_contexts
    whitened, back, lengths = whiten(data.embeddings[chosen])
    fit = _SquaredHinge(whitened, data.pattern.select(chosen))
    for steps in _rounds(max_iterations if whole else min(PARTIAL_ITERATIONS, max_iterations)):
        fit.iterate(steps)
        if fit.separates():
            if not whole:
                return None
            subspace = data_subspace(data)
            direction = standing_direction(fit.weights @ back, data.embeddings, data.pattern, subspace)
            if direction is not None:
                return Separability(True, direction, 1.0 / float(direction.norm()), None, data)
        if fit.nearly_stationary():
            certificate = standing_certificate(
                stationary(fit.multipliers, whitened, fit.pattern) / lengths[:, None], chosen, data
            )
            if certificate is not None:
                return Separability(False, None, 0.0, certificate, data)
    return None


class _SquaredHinge:
    """Restarted accelerated gradient descent on ``1/2 ||P_Q(1_S - U W^T)||^2`` for orthonormal columns U."""

    def __init__(self, whitened: Tensor, pattern: SupportPattern) -> None:
        self._u, self.pattern = whitened, pattern
        self._target = pattern.mask().to(whitened.dtype)
        self.weights = whitened.new_zeros(pattern.vocab_size, whitened.shape[1])
        self._ahead, self._momentum = self.weights, 1.0
        self._attempt_at = 1e-2
        self._cone = Cone(pattern.mask(), dtype=whitened.dtype)
        self.multipliers, self._thresholds = self._cone.project(self._target)
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
            self.multipliers, self._thresholds = self._cone.project(
                self._target - self._u @ self._ahead.T, self._thresholds
            )
            self._gradient = self.multipliers.T @ self._u

    def separates(self) -> bool:
        """Whether in-support logits differ by less than they lie above the rest: worth a look at the exact rules."""
        logits = self._u @ self.weights.T
        return bool(self.pattern.spread(logits).max() < self.pattern.margins(logits).min())

    def relative_gradient(self) -> float:
        return float(self._gradient.norm() / self.multipliers.norm())

    def nearly_stationary(self) -> bool:
        """Close enough to a minimum for another attempt at a certificate; each attempt asks for more."""
        if self.relative_gradient() > self._attempt_at:
            return False
        self._attempt_at = self.relative_gradient() / 5
        return True


def _rounds(total: int) -> list[int]:
    """Steps between two attempts to decide: short at first, then a tenth of what has been done."""
    rounds, done = [], 0
    while done < total:
        rounds.append(min(max(10, done // 10), total - done))
        done += rounds[-1]
    return rounds
