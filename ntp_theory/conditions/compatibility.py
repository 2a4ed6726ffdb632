"""NTP-compatibility: can one decoder reproduce the log-odds of every context at once?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..subspace import DataSubspace, data_subspace
from .certificates import Contradiction
from .nested import nested_contexts

__all__ = ["Compatibility", "check_compatibility"]

# Log-odds are reproduced when they agree to this many nats, relative to the largest one; interpolation on generators
# that are independent at 1e-6 loses at most that many digits of double precision.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Compatibility:
    """Answer of `check_compatibility`.

    Attributes
    ----------
    compatible : bool
    solution : Tensor (V, d) or None
        W*, the solution of (4) in F, if there is one.
    residual : float
        Largest error of the log-odds of W*, in nats; if not compatible, a certified lower bound on that error for
        *every* W of norm up to ``certificate.norm_bound``'s scale, ``|value| / ||y||_1``.
    certificate : Contradiction or None
        Why not, if not.
    """

    compatible: bool
    solution: Tensor | None
    residual: float
    certificate: Contradiction | None

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
    Source: 2402.18551 Definition 1 (`bias/definition-1`, `bias/data-subspace`). Decided in floating point: generators
    of F within 1e-6 of the span of others count as dependent.

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
        log_odds = _log_odds(data, chosen, subspace)
        solution = subspace.interpolate(log_odds)
        misses = subspace.differences(solution) - log_odds
        residual, largest = (float(torch.cat([x.abs(), x.new_zeros(1)]).max()) for x in (misses, log_odds))
        if residual > TOLERANCE * max(1.0, largest):
            certificate = _contradiction(data, chosen, subspace, log_odds, misses)
            spread = abs(certificate.value) / float(certificate.coefficients.abs().sum())
            return Compatibility(False, None, spread, certificate)
    return Compatibility(True, solution, residual, None)


def _log_odds(data: NTPDataset, chosen: Tensor, subspace: DataSubspace) -> Tensor:
    """log(p_{j,z} / p_{j,a_j}) for every generator of the subspace of some contexts; from the counts if there are any."""
    mass = data.conditionals if data.counts is None else data.counts.to(data.embeddings.dtype)
    logs = torch.zeros(data.num_contexts, data.vocab_size, dtype=mass.dtype, device=mass.device)
    logs[data.pattern.contexts, data.pattern.tokens] = mass.log()
    j = chosen[subspace.contexts]
    return logs[j, subspace.tokens] - logs[j, subspace.anchors]


def _contradiction(
    data: NTPDataset, chosen: Tensor, subspace: DataSubspace, log_odds: Tensor, misses: Tensor
) -> Contradiction:
    """The relation behind the largest miss."""
    y = subspace.dependency(int(misses.abs().argmax()))
    y = torch.where(y.abs() > 1e-12 * y.abs().max(), y, 0.0)
    used = y.nonzero()[:, 0]
    j, z, a = chosen[subspace.contexts[used]], subspace.tokens[used], subspace.anchors[used]
    rows = y[used, None] * data.embeddings[j]
    combined = rows.new_zeros(data.vocab_size, data.dim)
    combined.index_add_(0, z, rows).index_add_(0, a, rows, alpha=-1)
    value = float((y[used] * log_odds[used]).sum())
    return Contradiction(j, z, a, y[used], value, float(combined.norm()), data)
