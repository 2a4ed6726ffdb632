"""Gradient descent on many small datasets at once: one tensor for all, each dataset with its own step size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...dataset import NTPDataset
from ...descent.smoothness import default_step_size
from . import definitions as define

__all__ = ["Batch"]


class Batch:
    """Datasets padded to a common shape (n, m, V, d).

    Contexts and coordinates that a dataset lacks are zero and tokens that it lacks have logit -inf, so they stay out
    of every sum.

    Parameters
    ----------
    datasets : sequence of NTPDataset

    Attributes
    ----------
    step_sizes : list of float
        Eta, one over the smoothness bound of each dataset.

    Examples
    --------
    >>> small, large = NTPDataset([[1.0]], [[1.0, 0.0]]), NTPDataset([[2.0, 0.0]], [[0.5, 0.5, 0.0]])
    >>> ((first, second),) = Batch([small, large]).descend([1])
    >>> first.tolist(), second.shape
    ([[1.0], [-1.0]], torch.Size([3, 2]))
    """

    def __init__(self, datasets: Sequence[NTPDataset]) -> None:
        self._datasets = datasets
        self.step_sizes = [default_step_size(data) for data in datasets]
        n, m = len(datasets), max(data.num_contexts for data in datasets)
        v, d = max(data.vocab_size for data in datasets), max(data.dim for data in datasets)
        zeros = torch.zeros(n, m, max(v, d), dtype=torch.float64)
        self._embeddings, self._pull = zeros[..., :d].clone(), zeros[..., :d].clone()
        self._probabilities, self._absent = zeros[..., :v].clone(), zeros[..., :v].clone()
        self._sides = torch.stack([self._absent, self._absent])  # indicators of the support and of the rest
        for i, (data, eta) in enumerate(zip(datasets, self.step_sizes, strict=True)):
            contexts, tokens, dims = slice(data.num_contexts), slice(data.vocab_size), slice(data.dim)
            self._embeddings[i, contexts, dims] = data.embeddings
            self._pull[i, contexts, dims] = -eta * data.weights[:, None] * data.embeddings
            self._probabilities[i, contexts, tokens] = define.probabilities(data)
            self._sides[0, i, contexts, tokens] = data.support.to(torch.float64)
            self._sides[1, i, contexts, tokens] = (~data.support).to(torch.float64)
            self._absent[i, :, data.vocab_size :] = -torch.inf

    def descend(self, steps: Sequence[int]) -> list[list[Tensor]]:
        """Decoders (V, d) of every dataset after so many steps from zero, for each of the increasing ``steps``."""
        weights = self._embeddings.new_zeros(len(self._datasets), self._absent.shape[2], self._embeddings.shape[2])
        done, records = 0, []
        for step in steps:
            for _ in range(step - done):
                weights = self._step(weights)
            done = step
            records.append([w[: data.vocab_size, : data.dim] for w, data in zip(weights, self._datasets, strict=True)])
        return records

    def _step(self, weights: Tensor) -> Tensor:
        softmax = torch.softmax(torch.baddbmm(self._absent, self._embeddings, weights.mT), 2)
        inside, off = (self._sides * softmax).sum(3, keepdim=True)
        # softmax - p, but with 1 = inside + off: after a single next token only the tail is left
        residual = torch.addcmul(softmax, self._probabilities, inside, value=-1)
        residual.addcmul_(self._probabilities, off, value=-1)
        return torch.baddbmm(weights, residual.mT, self._pull)
