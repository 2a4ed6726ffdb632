"""Orthonormal coordinates in which a decoder splits into what converges and what diverges, each with digits of its own.

Minimisers lie in the span of the gradients: rows in the row space of H, columns that sum to 0. There F has the
eigenvectors of the in-support Hessian at W* as its basis, so that directions of very different curvature do not mix in
rounding; F_perp has any. Logits are held as differences from the most likely token of their context; those of F_perp
are exactly 0 on the supports.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .dataset import NTPDataset
from .errors import UsageError
from .subspace import data_subspace
from .support import SupportPattern

__all__ = ["SplitCoordinates"]

# Numbers in the largest table.
LARGEST = 2e7


class SplitCoordinates:
    """Bases of F and F_perp, and the logits that they make.

    Parameters
    ----------
    data : NTPDataset
        In double precision, separable, its conditionals those of W* (`Limit.reference`).
    finite : Tensor (V, d)
        W*.

    Attributes
    ----------
    scale : float
        Length, about that of the longest embedding, that embeddings are divided and decoders multiplied by in here.
    longest : float
        Length of the longest embedding after that.
    off : SupportPattern
        The k off-support pairs.
    anchors : Tensor (k,)
        Entry of ``data.pattern`` that each of them is compared with.
    entry_anchors : Tensor (n,)
        The same for the in-support entries.
    finite : Tensor (f,)
        W* in the basis of F.
    finite_off : Tensor (k,)
        Off-support minus anchor logits of W*.
    inside : Tensor (n, f)
        In-support minus anchor logits of the basis of F; 0 for the anchors themselves.
    outside, beyond : Tensor (k, f), Tensor (k, p)
        Off-support minus anchor logits of the bases of F and F_perp.

    Raises
    ------
    UsageError
        If a table would exceed 2e7 numbers.
    """

    def __init__(self, data: NTPDataset, finite: Tensor) -> None:
        self.data, pattern = data, data.pattern
        self.off = SupportPattern.from_complement(pattern)
        likely = _first_of_each(pattern, data.conditionals == pattern.max(data.conditionals)[pattern.contexts])
        self.anchors = likely[self.off.contexts]
        self.entry_anchors = likely[pattern.contexts]

        lengths = data.embeddings.norm(dim=1)
        self.scale = 2.0 ** round(math.log2(float(lengths.max()))) if bool(lengths.any()) else 1.0
        self.longest = float(lengths.max()) / self.scale
        unit = data.embeddings / torch.where(lengths > 0, lengths, 1.0)[:, None]
        _, s, rows = torch.linalg.svd(unit, full_matrices=False)
        self._rows = rows[s > max(unit.shape) * torch.finfo(s.dtype).eps * s[:1]]
        _check_size(data, len(self._rows))
        self._short = data.embeddings / self.scale @ self._rows.T
        basis_f, self._basis_perp = self._bases(unit @ self._rows.T)
        self._basis_f = self._along_curvature(basis_f)
        self.inside = self._differences(self._basis_f, pattern, self.entry_anchors)
        self.outside = self._differences(self._basis_f, self.off, self.anchors)
        self.beyond = self._differences(self._basis_perp, self.off, self.anchors)
        short = self.scale * finite @ self._rows.T
        self.finite = torch.einsum("fvr,vr->f", self._basis_f, short)
        self.finite_off = self._differences(short[None], self.off, self.anchors)[:, 0]

    def gather(self, inside: Tensor, off: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (f,) and (p,) of the gradient in W that has the entries (n,) and (k,) in the logits."""
        in_f: Tensor = self.inside.T @ inside + self.outside.T @ off
        in_perp: Tensor = self.beyond.T @ off
        return in_f, in_perp

    def decoder(self, in_f: Tensor, in_perp: Tensor) -> Tensor:
        """The matrix (V, d) with coordinates (f,) and (p,)."""
        short = torch.einsum("f,fvr->vr", in_f, self._basis_f) + torch.einsum("p,pvr->vr", in_perp, self._basis_perp)
        decoder: Tensor = short @ self._rows / self.scale
        return decoder

    def bases(self, *, columns: bool) -> tuple[Tensor, Tensor]:
        """The bases of F and F_perp as rows (f, V c) and (p, V c): in all c = d columns, or in the row space of H."""
        both = (self._basis_f, self._basis_perp)
        in_f, in_perp = ((basis @ self._rows if columns else basis).flatten(1) for basis in both)
        return in_f, in_perp

    def reduced(self, weights: Tensor, *, columns: bool) -> Tensor:
        """A decoder (V, d) in these columns, in the scale of the coordinates; (V c,)."""
        return self.scale * (weights if columns else weights @ self._rows.T).flatten()

    def expanded(self, weights: Tensor, *, columns: bool) -> Tensor:
        """The decoder (V, d) of such a vector."""
        matrix = weights.reshape(self.data.vocab_size, -1)
        decoder: Tensor = (matrix if columns else matrix @ self._rows) / self.scale
        return decoder

    def _bases(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Orthonormal bases (f, V, r) of F and (p, V, r) of its complement, for rows in the basis of the row space."""
        pattern, v, r = self.data.pattern, self.data.vocab_size, unit.shape[1]
        index = torch.arange(len(pattern.tokens), device=unit.device)
        generators = unit.new_zeros(len(index), v, r)  # spans of F, of one length
        generators[index, pattern.tokens] = unit[pattern.contexts]
        generators[index, pattern.tokens[self.entry_anchors]] -= unit[pattern.contexts]
        frame = torch.cat([unit.new_ones(v, 1), torch.eye(v, v - 1, dtype=unit.dtype, device=unit.device)], 1)
        zero_sum = torch.linalg.qr(frame)[0][:, 1:]
        reduced = torch.einsum("nvr,vu->nur", generators, zero_sum).flatten(1)
        rotation = torch.linalg.svd(reduced, full_matrices=True)[2]
        basis = torch.einsum("kur,vu->kvr", rotation.reshape(len(rotation), v - 1, r), zero_sum)
        f = data_subspace(self.data).dim
        return basis[:f], basis[f:]

    def _along_curvature(self, basis: Tensor) -> Tensor:
        """The basis of F turned to the eigenvectors of the in-support Hessian at W*."""
        data, contexts = self.data, self.data.pattern.contexts
        logits = self._differences(basis, data.pattern, self.entry_anchors)
        mean = logits.new_zeros(data.num_contexts, len(basis))
        mean.index_add_(0, contexts, data.conditionals[:, None] * logits)
        turn = torch.linalg.svd(data.joint.sqrt()[:, None] * (logits - mean[contexts]), full_matrices=False)[2]
        return torch.einsum("gf,fvr->gvr", turn, basis)

    def _differences(self, matrices: Tensor, pairs: SupportPattern, anchors: Tensor) -> Tensor:
        """Logits of k matrices (k, V, r) on pairs, minus those on the entries they are compared with; (pairs, k)."""
        logits = torch.einsum("kvr,jr->jvk", matrices, self._short)
        return logits[pairs.contexts, pairs.tokens] - logits[pairs.contexts, self.data.pattern.tokens[anchors]]


def _first_of_each(pattern: SupportPattern, chosen: Tensor) -> Tensor:
    """The first chosen entry of each context; (m,)."""
    entries = chosen.nonzero()[:, 0]
    first = torch.full((pattern.num_contexts,), len(chosen), device=entries.device)
    return first.scatter_reduce_(0, pattern.contexts[entries], entries, "amin")


def _check_size(data: NTPDataset, rank: int) -> None:
    pairs, unknowns = data.num_contexts * data.vocab_size, (data.vocab_size - 1) * rank
    if max(pairs, unknowns) * unknowns > LARGEST:
        raise UsageError(
            f"data has {pairs} pairs of context and token and (V - 1) rank(H) = {unknowns} unknowns; this takes a "
            f"table of {max(pairs, unknowns) * unknowns:.1e} numbers, at most {LARGEST:.0e} are allowed"
        )
