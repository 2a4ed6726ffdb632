"""Extended supports: which tokens training cannot drive to zero probability, for any data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, overload

import torch
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import positive
from ..elimination import Elimination
from ..errors import SolverError
from ..exact import Proof, prove_extended_support
from ..subspace import DataSubspace
from ..support import SupportPattern
from .certificates import FarkasCertificate
from .partition import Partition, partitions
from .standing import separates, standing_certificate, standing_direction, whiten

__all__ = ["ExtendedSupport", "extended_support"]


@dataclass(frozen=True, eq=False, repr=False)
class ExtendedSupport:
    """Answer of `extended_support`.

    Attributes
    ----------
    pattern : SupportPattern
        The extended supports by their entries.
    direction : Tensor (V, d) or None
        Equal logits on every extended support, all other tokens at least 1 below: it proves that those can be driven to
        zero probability. None if there are no others.
    certificate : FarkasCertificate or None
        Strictly negative on every off-support pair in the extended supports: it proves that none of them can. None if
        the supports need no extension (the data is NTP-separable).
    data : NTPDataset
    proof : Proof or None
        The exact proof, if it was asked for.

    Notes
    -----
    Single-precision data is decided in double precision, and the certificate refers to it there.
    """

    pattern: SupportPattern
    direction: Tensor | None
    certificate: FarkasCertificate | None
    data: NTPDataset
    proof: Proof | None = None

    def summary(self) -> str:
        """The answer in words."""
        left = self.pattern.num_off_support
        exactly = f"\n{self.proof.summary()}" if self.proof is not None else ""
        if self.certificate is None:
            return f"NTP-separable: all {left} off-support pairs can be driven to zero probability" + exactly
        blocked = int(self.certificate.off_support.sum())
        return f"{blocked} off-support pairs are blocked, {left} can be driven to zero probability" + exactly

    @overload
    def verify(self, tol: float = ..., *, exact: Literal[False] = ...) -> bool: ...
    @overload
    def verify(self, tol: float = ..., *, exact: Literal[True]) -> Proof: ...
    def verify(self, tol: float = 1e-9, *, exact: bool = False) -> bool | Proof:
        """Whether both certificates stand and fit the supports: in double precision, or exactly, as a `Proof`.

        Parameters
        ----------
        tol : float
            For the float answer: largest violation of a rule, where the smallest margin is 1.
        exact : bool

        Raises
        ------
        SolverError
            If an exact solve is too large.
        UsageError
            If ``exact`` and python-flint is not installed.

        Examples
        --------
        >>> answer = extended_support(NTPDataset([[1.0], [2.0], [-1.0]], [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]))
        >>> answer.verify(), answer.verify(exact=True).status
        (True, 'proved')
        """
        tol = positive("tol", tol)
        if exact:
            multipliers = None if self.certificate is None else self.certificate.dense()
            return prove_extended_support(self.data, self.pattern, self.direction, multipliers)
        added = self.support & ~self.data.support
        stands = not bool((self.data.support & ~self.support).any())
        if self.certificate is not None:
            blocked = (self.certificate.dense() < 0) & ~self.data.support
            stands &= self.certificate.verify(tol) and torch.equal(blocked, added)
        if self.direction is not None:
            stands &= separates(self.direction, self.data, self.pattern, tol)
        both = (self.certificate is not None) == bool(added.any())
        return stands and both and (self.direction is not None) == (self.pattern.num_off_support > 0)

    def __repr__(self) -> str:
        return f"<ExtendedSupport: {self.summary().splitlines()[0]}>"

    @property
    def support(self) -> Tensor:
        """The extended supports as a boolean matrix (m, V)."""
        return self.pattern.mask()


def extended_support(data: NTPDataset, *, exact: bool = False) -> ExtendedSupport:
    """The tokens whose probability gradient descent cannot drive to zero, by context, with both proofs.

    Parameters
    ----------
    data : NTPDataset
    exact : bool
        Prove the answer in rational arithmetic (extra ``exact``); it then carries the `Proof`.

    Returns
    -------
    ExtendedSupport

    Raises
    ------
    SolverError
        If the linear program did not give a partition that both certificates confirm, exactly if so asked.
    UsageError
        If ``exact`` and python-flint is not installed.

    Notes
    -----
    Source: ours (`bias/any-data`, `bias/any-data-lp`).

    Examples
    --------
    >>> data = NTPDataset([[1.0], [2.0], [-1.0]], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    >>> extended_support(data).support.tolist()
    [[True, True, True], [True, True, True], [True, True, True]]
    """
    as_dataset("data", data)
    if exact:
        answer = extended_support(data)
        if not (proof := answer.verify(exact=True)):
            raise SolverError(f"no exact answer: {proof.summary()}", status="not certified", best=answer)
        return replace(answer, proof=proof)
    if data.pattern.num_off_support == 0:
        return ExtendedSupport(data.pattern, None, None, data)
    if data.embeddings.dtype is not torch.float64:  # the question is about exact numbers
        answer = extended_support(data.to(dtype=torch.float64))
        direction = None if answer.direction is None else answer.direction.to(data.embeddings.dtype)
        return replace(answer, direction=direction, data=data)
    whitened, back, lengths = whiten(data.embeddings)
    for found in partitions(whitened, data.pattern):
        if (standing := _standing(found, whitened, back, lengths, data)) is not None:
            return standing
    raise SolverError(
        "strict and blocked off-support pairs cannot be told apart in double precision", status="undecided"
    )


def _standing(
    found: Partition, whitened: Tensor, back: Tensor, lengths: Tensor, data: NTPDataset
) -> ExtendedSupport | None:
    """The answer that a partition gives; None if one of its two sides does not stand."""
    blocked = torch.zeros_like(data.support)
    blocked[found.off.contexts[~found.strict], found.off.tokens[~found.strict]] = True
    pattern = SupportPattern.from_mask(data.support | blocked)
    certificate, direction = None, None
    if bool(blocked.any()):
        multipliers = _multipliers(found, whitened, data.pattern, pattern) / lengths[:, None]
        certificate = standing_certificate(multipliers, torch.arange(data.num_contexts, device=lengths.device), data)
        if certificate is None or not bool((multipliers[blocked] < 0).all()):
            return None
    if pattern.num_off_support:
        subspace = DataSubspace(data.embeddings, pattern)
        direction = standing_direction(found.weights @ back, data.embeddings, pattern, subspace)
        if direction is None:
            return None
    return ExtendedSupport(pattern, direction, certificate, data)


def _multipliers(found: Partition, h: Tensor, supports: SupportPattern, extended: SupportPattern) -> Tensor:
    """Multipliers (m, V) with ``H^T C = 0`` and zero row sums to rounding: those of the program, made exact."""
    c = h.new_zeros(supports.num_contexts, supports.vocab_size)
    blocked = ~found.strict
    c[found.off.contexts[blocked], found.off.tokens[blocked]] = -found.multipliers[blocked]
    c[supports.contexts, supports.tokens] = Elimination(h, supports).balance(-(c.T @ h), -c.sum(1))
    exact = torch.zeros_like(c)
    exact[extended.contexts, extended.tokens] = Elimination(h, extended).fit(extended.inside(c)).residual
    return exact
