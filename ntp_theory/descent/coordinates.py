"""Where gradient descent is cheapest: in the entries of W, or in coordinates of the span of the embeddings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..dataset import NTPDataset

__all__ = ["Coordinates"]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """``W_k = W_0 + C_k B`` with logits ``W_0 H^T + C_k F^T``, where C_k (V, r) is what the steps change.

    Gradients are combinations of the m embeddings, so when m < d the decoder stays in an affine space of fewer
    dimensions than it has entries. With R (V, m) the residual -eta pi (softmax - p), a step is

    ==========  ===================  ==============  ============  ==================
    kind        B                    F               C moves by    operations / (m V)
    ==========  ===================  ==============  ============  ==================
    entries     none: C_k is W_k     H               R F           4 d
    orthogonal  Q^T (m, d)           T^T, H^T = Q T  R F           4 m
    Gram        H                    H H^T           R             2 m
    ==========  ===================  ==============  ============  ==================

    Attributes
    ----------
    kind : str
        "entries", "orthogonal" or "Gram".
    features : Tensor (m, r)
        F; of several runs (B, m, r).
    basis : Tensor (r, d) or None
        B; of several runs (B, r, d).

    Examples
    --------
    >>> Coordinates.of(NTPDataset([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]])).features
    tensor([[4., 0.],
            [0., 1.]], dtype=torch.float64)
    """

    kind: str
    features: Tensor
    basis: Tensor | None

    @classmethod
    def of(cls, data: NTPDataset) -> Coordinates:
        """The cheapest coordinates for a dataset that keep enough digits.

        Rounding of logits grows with the condition of H; in coordinates of the Gram matrix, with its square. They are
        taken while that is at most a quarter of the digits.
        """
        h = data.embeddings
        # with contexts in other processes, the decoder moves in more directions than are known here
        if data.num_contexts >= data.dim or data.ranks.size > 1:
            return cls.entries(h)
        gram = cls.gram(h)
        spectrum = torch.linalg.eigvalsh(gram.features)
        few_lost = spectrum[0] > spectrum[-1] * torch.finfo(h.dtype).eps ** 0.25
        return gram if bool(few_lost) else cls.orthogonal(h)

    @classmethod
    def entries(cls, embeddings: Tensor) -> Coordinates:
        """The entries of W."""
        return cls("entries", embeddings, None)

    @classmethod
    def orthogonal(cls, embeddings: Tensor) -> Coordinates:
        """Coordinates in an orthonormal basis of the span of the embeddings."""
        q, triangle = torch.linalg.qr(embeddings.T)
        return cls("orthogonal", triangle.T.contiguous(), q.T.contiguous())

    @classmethod
    def gram(cls, embeddings: Tensor) -> Coordinates:
        """Coefficients of the embeddings themselves."""
        return cls("Gram", embeddings @ embeddings.T, embeddings)

    @classmethod
    def stack(cls, spaces: Sequence[Coordinates]) -> Coordinates:
        """Those of several runs, all of one kind."""
        bases = [space.basis for space in spaces if space.basis is not None]
        features = torch.stack([space.features for space in spaces])
        return cls(spaces[0].kind, features, torch.stack(bases) if bases else None)

    def origin(self, start: Tensor) -> Tensor:
        """C_0 (..., V, r) for W_0 (..., V, d)."""
        return start if self.basis is None else start.new_zeros(*start.shape[:-1], self.features.shape[-1])

    def decoder(self, coordinates: Tensor, start: Tensor) -> Tensor:
        """W_k (..., V, d) from C_k and W_0."""
        return coordinates if self.basis is None else start + coordinates @ self.basis
