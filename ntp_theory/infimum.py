"""Bounds on the infimum of the loss, from both sides, whatever the minimiser's quality.

Above: a direction that separates all pairs outside the extended supports takes CE(W + R W^d) to CE_F(W), for any W.

Below: for any conditionals q on the extended supports, ``lse(l) >= <q, l> + entropy(q)`` gives ``CE(W) >= CE_F(W)
>= sum_j pi_j entropy(q_j) + <sum_j pi_j (q_j - p_j) h_j^T, W>``, and the last term vanishes for every W if q is
*stationary*, ``sum_j pi_j (q_j - p_j) h_j^T = 0``. The softmax at a computed minimiser is nearly stationary: the
smallest correction is added, and a little of a stationary point that is positive everywhere, to keep q positive: the
data plus a multiple of the Farkas certificate of the blocked pairs.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .conditions.certificates import FarkasCertificate
from .dataset import NTPDataset
from .finite_part import InSupportLoss
from .subspace import data_subspace
from .support import SupportPattern

__all__ = ["infimum_bounds"]

# Corrections; each takes what the one before left, down to rounding.
ROUNDS = 3


def infimum_bounds(
    data: NTPDataset, reference: NTPDataset, weights: Tensor, certificate: FarkasCertificate | None
) -> tuple[float, float]:
    """Numbers below and above inf CE, nats.

    Parameters
    ----------
    data : NTPDataset
    reference : NTPDataset
        The same embeddings and weights, with the extended supports.
    weights : Tensor (V, d)
        A decoder, best a minimiser of CE_F.
    certificate : FarkasCertificate or None
        Of the blocked pairs; None if there are none.

    Returns
    -------
    lower, upper : float
        ``lower`` is never below H, which bounds the loss of any data.

    Notes
    -----
    In floating point q is stationary up to a residual, taken in extended precision. If its smallest correction c has
    ``|c| <= q / 2``, then q + c is exactly stationary, and its entropy is less by at most ``sum |c| (2 + |log q|)``;
    that is subtracted, twice for rounding in c, and sums of n terms are taken to lose ``eps (log2 n + 4)`` of their
    size. That the residual can be corrected at all is a matter of rank, decided as in `DataSubspace`.

    Source: ours (`bias/any-data`).

    Examples
    --------
    >>> data = NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> from .conditions import extended_support
    >>> certificate = extended_support(data).certificate
    >>> reference = NTPDataset(data.embeddings, [[0.5, 0.5], [0.5, 0.5]])
    >>> minimiser = InSupportLoss(data, reference.pattern).minimise()
    >>> lower, upper = infimum_bounds(data, reference, minimiser, certificate)
    >>> lower <= upper, upper - lower < 1e-12
    (True, True)
    """
    pattern = reference.pattern
    logs = InSupportLoss(data, pattern).log_probabilities(weights.double())
    h, pi = data.embeddings.double(), data.weights.double()
    target = h.new_zeros(data.num_contexts, data.vocab_size)
    target[data.pattern.contexts, data.pattern.tokens] = data.joint.double()
    terms = pattern.inside(target) * logs
    largest = float((h @ weights.double().T).abs().max())
    unit = torch.finfo(h.dtype).eps * (math.log2(len(logs)) + 4) * (1.0 + largest)
    upper = -float(terms.sum()) + unit
    lower = _lower(reference, h, pi, target, pi[pattern.contexts] * logs.exp(), certificate)
    return max(lower - unit, data.entropy - unit), max(upper, data.entropy)


def _lower(
    reference: NTPDataset,
    h: Tensor,
    pi: Tensor,
    target: Tensor,
    joint: Tensor,
    certificate: FarkasCertificate | None,
) -> float:
    """Entropy of a stationary q near the given one, less what its residual may cost; -inf if there is none."""
    pattern, subspace = reference.pattern, data_subspace(reference)
    contexts = pattern.contexts

    def correction(values: Tensor) -> tuple[Tensor, float]:
        """The smallest c that makes values + c stationary, and the residual's share that c leaves."""
        by_token, by_context = _residual(pattern, h, pi, target, values)
        c = subspace.balance(-by_token, -by_context)
        matrix = torch.zeros_like(target)
        matrix[contexts, pattern.tokens] = c
        size = float(by_token.norm()) + float(by_context.norm())
        left = float((matrix.T @ h + by_token).norm()) + float((matrix.sum(1) + by_context).norm())
        return c, left / size if size else 0.0

    interior = pattern.inside(target)
    if certificate is not None:
        ray = pattern.inside(certificate.dense().to(target))
        falling = (ray > 0) & (interior > 0)
        interior = interior - 0.5 * float((interior[falling] / ray[falling]).min()) * ray
    for _ in range(ROUNDS):
        c, left = correction(joint)
        joint = joint + c
    scarce = joint < 16.0 * c.abs()
    share = float((16.0 * c.abs()[scarce] / interior[scarce]).max()) if bool(scarce.any()) else 0.0
    low = (-joint / interior).max()
    share = max(share, 2.0 * float(low.clamp(min=0.0)))
    joint = (joint + share * interior) / (1.0 + share)
    c, left = correction(joint)
    if left > 0.5 or not bool((c.abs() <= 0.5 * joint).all()):
        return -math.inf
    q = joint / pi[contexts]
    cost = (2.0 * c.abs() * (2.0 + q.log().abs())).sum()
    return float(-(joint * q.log()).sum() - cost)


def _residual(pattern: SupportPattern, h: Tensor, pi: Tensor, target: Tensor, joint: Tensor) -> tuple[Tensor, Tensor]:
    """``sum_j (pi_j q_j - pi_j p_j) h_j^T`` by token and ``sum_z pi_j q_{j,z} - pi_j`` by context, in long doubles."""
    excess = -target.cpu().numpy().astype(np.longdouble)
    excess[pattern.contexts.cpu().numpy(), pattern.tokens.cpu().numpy()] += joint.cpu().numpy()
    by_token = np.zeros((target.shape[1], h.shape[1]), dtype=np.longdouble)
    for j, row in enumerate(h.cpu().numpy().astype(np.longdouble)):
        used = excess[j].nonzero()[0]
        by_token[used] += excess[j, used, None] * row
    by_context = excess.sum(axis=1)
    return (torch.from_numpy(by_token.astype(np.float64)).to(h), torch.from_numpy(by_context.astype(np.float64)).to(h))
