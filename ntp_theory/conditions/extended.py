"""Extended supports: which tokens training cannot drive to zero probability, for any data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..elimination import Elimination
from ..errors import SolverError
from ..subspace import DataSubspace
from ..support import SupportPattern
from .certificates import FarkasCertificate
from .partition import Partition, partition
from .standing import standing_certificate, standing_direction, whiten

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
    """

    pattern: SupportPattern
    direction: Tensor | None
    certificate: FarkasCertificate | None

    def summary(self) -> str:
        """The answer in words."""
        left = self.pattern.num_off_support
        if self.certificate is None:
            return f"NTP-separable: all {left} off-support pairs can be driven to zero probability"
        blocked = int(self.certificate.off_support.sum())
        return f"{blocked} off-support pairs are blocked, {left} can be driven to zero probability"

    def __repr__(self) -> str:
        return f"<ExtendedSupport: {self.summary().splitlines()[0]}>"

    @property
    def support(self) -> Tensor:
        """The extended supports as a boolean matrix (m, V)."""
        return self.pattern.mask()


def extended_support(data: NTPDataset) -> ExtendedSupport:
    """The tokens whose probability gradient descent cannot drive to zero, by context, with both proofs.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    ExtendedSupport

    Raises
    ------
    SolverError
        If the linear program did not give a partition that both proofs confirm.

    Notes
    -----
    Source: ours (`bias/any-data`, `bias/any-data-lp`).

    Examples
    --------
    >>> data = NTPDataset([[1.0], [2.0], [-1.0]], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    >>> extended_support(data).support.tolist()
    [[True, True, True], [True, True, True], [True, True, True]]
    """
    if data.pattern.num_off_support == 0:
        return ExtendedSupport(data.pattern, None, None)
    whitened, back, lengths = whiten(data.embeddings)
    found = partition(whitened, data.pattern)
    blocked = torch.zeros_like(data.support)
    blocked[found.off.contexts[~found.strict], found.off.tokens[~found.strict]] = True
    pattern = SupportPattern.from_mask(data.support | blocked)
    certificate, direction = None, None
    if bool(blocked.any()):
        multipliers = _multipliers(found, whitened, data.pattern, pattern) / lengths[:, None]
        certificate = standing_certificate(multipliers, torch.arange(data.num_contexts, device=lengths.device), data)
        if certificate is None or not bool((multipliers[blocked] < 0).all()):
            raise SolverError("the multipliers of the blocked pairs do not make a certificate", "unverified", found)
    if pattern.num_off_support:
        subspace = DataSubspace(data.embeddings, pattern)
        direction = standing_direction(found.weights @ back, data.embeddings, pattern, subspace)
        if direction is None:
            raise SolverError("the decoder of the strict pairs does not separate them", "unverified", found)
    return ExtendedSupport(pattern, direction, certificate)


def _multipliers(found: Partition, h: Tensor, supports: SupportPattern, extended: SupportPattern) -> Tensor:
    """Multipliers (m, V) with ``H^T C = 0`` and zero row sums to rounding: those of the program, made exact."""
    c = h.new_zeros(supports.num_contexts, supports.vocab_size)
    blocked = ~found.strict
    c[found.off.contexts[blocked], found.off.tokens[blocked]] = -found.multipliers[blocked]
    c[supports.contexts, supports.tokens] = Elimination(h, supports).balance(-(c.T @ h), -c.sum(1))
    exact = torch.zeros_like(c)
    exact[extended.contexts, extended.tokens] = Elimination(h, extended).fit(extended.inside(c)).residual
    return exact
