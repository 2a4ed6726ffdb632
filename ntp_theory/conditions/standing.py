"""From iterates to answers that stand: candidates are made to meet their equations, and every rule is checked."""

from __future__ import annotations

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..elimination import Elimination
from ..subspace import DataSubspace
from ..support import SupportPattern
from .certificates import FarkasCertificate

__all__ = ["ROUNDING", "separates", "standing_certificate", "standing_direction", "stationary", "whiten"]

# Logits closer than this multiple of ||W|| ||h_j|| are equal but for rounding.
ROUNDING = 1e-13
# Rounding of a Farkas certificate: ||sum_j h_j c_j^T|| against sum |c| ||h||, a few hundred units in the last place.
STATIONARY = 1e-12
# Off-support entries of a certificate smaller than this, relative to the largest entry, are taken for zero.
SIGNIFICANT = 1e-12


def whiten(embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Orthonormal columns U spanning the columns of the embeddings made unit vectors.

    Returns
    -------
    whitened : Tensor (m, r)
        U.
    back : Tensor (r, d)
        ``W = W_u back`` has the logits ``U W_u^T`` on unit embeddings.
    lengths : Tensor (m,)
        Norms of the embeddings, 1 for a zero one: logits on the embeddings themselves are larger by that.
    """
    norms = embeddings.norm(dim=1)
    lengths = torch.where(norms > 0, norms, 1.0)
    u, s, vt = torch.linalg.svd(embeddings / lengths[:, None], full_matrices=False)
    rank = int((s > s[:1] * max(embeddings.shape) * torch.finfo(s.dtype).eps).sum())
    u = torch.where(norms[:, None] > 0, u[:, :rank], 0.0)  # not the rounding that would stand for a zero embedding
    return u, vt[:rank] / s[:rank, None], lengths


def standing_direction(
    weights: Tensor, embeddings: Tensor, pattern: SupportPattern, subspace: DataSubspace
) -> Tensor | None:
    """The candidate with equal in-support logits, scaled to smallest margin 1; None if its margins do not survive."""
    direction = subspace.project_complement(weights)
    logits = embeddings @ direction.T
    margins, lengths = pattern.margins(logits), embeddings.norm(dim=1)
    # nearly dependent constraints are taken for dependent; (6a) may then still be off
    uneven = bool((pattern.spread(logits) > ROUNDING * float(direction.norm()) * lengths).any())
    # the projection of a candidate in F is nothing but rounding of the candidate
    if uneven or bool((margins <= ROUNDING * float(weights.norm()) * lengths).any()):
        return None
    return direction / margins.min()


def separates(direction: Tensor, data: NTPDataset, pattern: SupportPattern, tol: float) -> bool:
    """Whether in-support logits are equal and margins at least 1, to ``tol`` and to the rounding of the direction."""
    h, weights = data.embeddings.double(), direction.double()
    logits = h @ weights.T
    eps = torch.finfo(direction.dtype).eps
    slack = tol + 4 * eps * h.norm(dim=1) * weights.norm(dim=1).max()
    even = bool((pattern.spread(logits) <= slack).all())
    return even and bool((pattern.margins(logits) >= (1 - slack).clamp(min=0.5)).all())


def stationary(multipliers: Tensor, embeddings: Tensor, pattern: SupportPattern) -> Tensor:
    """Multipliers (m, V) near given ones with ``H^T v = 0``, strictly negative off the supports where not zero."""
    inside = pattern.mask()
    free = inside | (multipliers < 0)
    while True:
        face = SupportPattern.from_mask(free)
        v = torch.zeros_like(multipliers)
        v[face.contexts, face.tokens] = Elimination(embeddings, face).fit(face.inside(multipliers)).residual.to(v.dtype)
        kept = free & (inside | (v < -SIGNIFICANT * float(v.abs().max())))
        if torch.equal(kept, free):
            return v
        free = kept  # making v stationary turned small entries positive: leave them out


def standing_certificate(multipliers: Tensor, chosen: Tensor, data: NTPDataset) -> FarkasCertificate | None:
    """Multipliers of some contexts as a certificate for all data; None if they are zero or not stationary there."""
    v = multipliers.new_zeros(data.num_contexts, data.vocab_size)
    v[chosen] = multipliers
    if not bool((v < 0).logical_and(~data.support).any()):
        return None
    norms = data.embeddings.norm(dim=1)
    size = float((v.abs().sum(1) * torch.where(norms > 0, norms, 1.0)).sum())  # a zero embedding may carry all of v
    if float((v.T @ data.embeddings).norm()) > STATIONARY * size:
        return None
    return FarkasCertificate.from_matrix(v, data)
