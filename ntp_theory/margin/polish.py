"""Where Newton steps stall: the NTP-SVM on given active constraints by orthogonal transformations.

Which off-support entries of the multipliers are not zero settles everything: W_mm is the smallest W with logit
``1 + s_j`` on the support and ``s_j`` on the active tokens of each context, one least squares problem for
`ntp_theory.elimination`, which no dependence among constraints troubles; and the multipliers are then corrected, as
little as possible, to ``C^T H = W``. Conditions are not squared, as they are with K.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..elimination import Elimination
from ..support import SupportPattern

__all__ = ["polish"]


def polish(c: Tensor, data: NTPDataset) -> Tensor:
    """Multipliers (m, V) next to ``c`` that solve the equations of its active constraints.

    They are those of the NTP-SVM if the active constraints are; the caller judges.

    Parameters
    ----------
    c : Tensor (m, V)
        Multipliers close to the solution; off-support entries are negative on the active constraints.
    data : NTPDataset

    Returns
    -------
    Tensor (m, V)

    Notes
    -----
    Source: ours (`bias/svm-structure`, `svm/dual`).

    Examples
    --------
    >>> data = NTPDataset([[2.0]], [[1.0, 0.0]])
    >>> (polish(torch.tensor([[0.1, -0.1]], dtype=torch.float64), data).T @ data.embeddings).flatten()
    tensor([ 0.2500, -0.2500], dtype=torch.float64)
    """
    support = data.support
    active = SupportPattern.from_mask(support | (c < 0))
    norms = data.embeddings.norm(dim=1)
    norms = torch.where(norms > 0, norms, 1.0)[:, None]
    unit, scaled = data.embeddings / norms, c * norms
    eliminated = Elimination(unit, active)
    weights = eliminated.fit(active.inside(support / norms)).weights
    correction = eliminated.balance(weights - scaled.T @ unit, -scaled.sum(1))
    scaled = scaled.masked_fill(~active.mask(), 0.0)
    scaled[active.contexts, active.tokens] += correction.to(c.dtype)
    return torch.where(support, scaled, scaled.clamp(max=0.0)) / norms
