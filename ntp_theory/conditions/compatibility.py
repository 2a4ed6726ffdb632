"""NTP-compatibility: can one decoder reproduce the log-odds of every context at once?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..subspace import DataSubspace, data_subspace
from ..support import SupportPattern
from .certificates import Contradiction
from .nested import nested_contexts

__all__ = ["Compatibility", "check_compatibility"]

# Log-odds are reproduced when they agree to this many nats, relative to the largest logarithm; constraints that are
# independent at 1e-6 cost at most that many digits of double precision.
TOLERANCE = 1e-9
# Entries of a certificate smaller than this, relative to the largest, are rounding.
SIGNIFICANT = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class Compatibility:
    """Answer of `check_compatibility`.

    Attributes
    ----------
    compatible : bool
    solution : Tensor (V, d) or None
        W*, the solution of (4) in F, if there is one.
    residual : float
        Largest error of the log-odds of W*, in nats, up to a constant a context; if not compatible,
        ``certificate.value``: no decoder does better than that in every entry.
    certificate : Contradiction or None
        Why not, if not.
    """

    compatible: bool
    solution: Tensor | None
    residual: float
    certificate: Contradiction | None

    def __repr__(self) -> str:
        return f"<Compatibility: {self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """The answer in words."""
        if self.certificate is not None:
            return self.certificate.describe()
        assert self.solution is not None
        return f"NTP-compatible: ||W*|| = {float(self.solution.norm()):.6g}, log-odds met to {self.residual:.1e} nats"


def check_compatibility(data: NTPDataset) -> Compatibility:
    """Whether some W has ``(e_z - e_z')^T W h_j = log(p_{j,z} / p_{j,z'})`` for all in-support pairs, Eq. (4).

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    Compatibility
        With W*, the unique solution in F, or with a contradiction.

    Notes
    -----
    Source: 2402.18551 Definition 1 (`bias/definition-1`, `bias/data-subspace`). Decided in floating point: relations
    between constraints that hold to 1e-6, relative, count as exact.

    Examples
    --------
    >>> check_compatibility(NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [1 / 17, 16 / 17]])).compatible
    True
    >>> check_compatibility(NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [0.5, 0.5]])).compatible
    False
    """
    for chosen in nested_contexts(data):
        whole = len(chosen) == data.num_contexts
        pattern = data.pattern if whole else data.pattern.select(chosen)
        subspace = data_subspace(data) if whole else DataSubspace(data.embeddings[chosen], pattern)
        logs = _log_conditionals(data, chosen[pattern.contexts], pattern.tokens)
        solution, misfit = subspace.interpolate(logs)
        residual = float(misfit.abs().max())
        if residual > TOLERANCE * max(1.0, float(logs.abs().max())):
            certificate = _contradiction(data, chosen, pattern, misfit, logs)
            return Compatibility(False, None, certificate.value, certificate)
    return Compatibility(True, solution, residual, None)


def _log_conditionals(data: NTPDataset, contexts: Tensor, tokens: Tensor) -> Tensor:
    """log p_{j,z} up to a constant by context, from the counts if there are any: ratios of counts are exact data."""
    mass = data.conditionals if data.counts is None else data.counts.to(data.embeddings.dtype)
    logs = mass.new_zeros(data.num_contexts, data.vocab_size)
    logs[data.pattern.contexts, data.pattern.tokens] = mass.log()
    return logs[contexts, tokens]


def _contradiction(
    data: NTPDataset, chosen: Tensor, pattern: SupportPattern, misfit: Tensor, logs: Tensor
) -> Contradiction:
    """The misfit as a certificate on all contexts; entries at rounding level are left out."""
    squares = data.embeddings[chosen].square().sum(1)[pattern.contexts]
    c = torch.where(squares > 0, misfit / squares, misfit)
    used = (c.abs() > SIGNIFICANT * c.abs().max()).nonzero()[:, 0]
    j, z, c = chosen[pattern.contexts[used]], pattern.tokens[used], c[used] / c[used].abs().sum()
    combined = c.new_zeros(data.vocab_size, data.dim)
    combined.index_add_(0, z, c[:, None] * data.embeddings[j])
    return Contradiction(j, z, c, float((c * logs[used]).sum()), float(combined.norm()), data)
