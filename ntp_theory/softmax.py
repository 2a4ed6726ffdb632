"""From logits to what gradients are made of, pi (softmax - p), in place and without losing what is small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from .dataset import NTPDataset
from .support import SupportPattern

__all__ = [
    "ENTRIES",
    "ContextRange",
    "SoftmaxResidual",
    "context_ranges",
    "fitting_view",
    "gradient_residuals",
    "residuals",
]

ENTRIES = 2**26  # logits in memory at a time; half a GiB of doubles
FEW = 2**15  # for up to so many entries torch uses one thread anyway, and each call takes twice as long as of numpy


class SoftmaxResidual:
    """Turns logits of some contexts into ``s_j (softmax(l_j) - p_j)``, with a scale s_j for each.

    Where one token follows, its entry is minus the sum of the others, in which nothing cancels: it keeps its relative
    accuracy when the others are 1e-300.

    Parameters
    ----------
    pattern : SupportPattern
        The supports S_j of w contexts.
    conditionals : Tensor (n,)
        p_{j,z} on the entries of the pattern.
    scales : Tensor (w,)
        s_j: pi_j for a gradient, -eta pi_j for a step.
    view : callable
        Shows tensors as the arrays that are worked on, see `fitting_view`.

    Notes
    -----
    Source: 2402.18551 Eq. (2) (`bias/loss`), the tail as in `bias/tail-exact`.

    Examples
    --------
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> pattern = SupportPattern.from_mask(torch.tensor([[True, False, False]]))
    >>> logits = torch.tensor([[0.0], [-300.0], [-690.0]], dtype=torch.float64)
    >>> SoftmaxResidual(pattern, one, one, Tensor.numpy)(logits.numpy())
    >>> logits.T.tolist()
    [[-5.14...e-131, 5.14...e-131, 2.17...e-300]]
    """

    def __init__(
        self, pattern: SupportPattern, conditionals: Tensor, scales: Tensor, view: Callable[[Tensor], Any]
    ) -> None:
        contexts, numpy = pattern.contexts, view is Tensor.numpy
        self.view = view
        # the libraries have the same names for everything but this
        self._ops: Any = np if numpy else torch
        self._largest: Any = np.maximum.reduce if numpy else torch.amax
        self._product: Any = np.dot if numpy else torch.matmul
        self._scales, self._ones = view(scales), view(scales.new_ones(pattern.vocab_size))
        places, alone = pattern.tokens * pattern.num_contexts + contexts, (pattern.sizes == 1)[contexts]
        self._alone, self._contexts_alone = view(places[alone]), view(contexts[alone])
        self._several = view(places[~alone])
        self._targets = view((scales[contexts] * conditionals)[~alone])

    def __call__(self, logits: Any) -> None:
        """Write over logits (V, w), a contiguous array as the view shows it; columns with NaN or +inf become NaN.

        Numpy warns of those, unless told not to.
        """
        ops, entries = self._ops, logits.reshape(-1)
        ops.subtract(logits, self._largest(logits, 0), out=logits)
        ops.exp(logits, out=logits)
        if len(self._alone):
            own = entries[self._alone]
            entries[self._alone] = 0.0
            sums = self._product(self._ones, logits)
            entries[self._alone] = -sums[self._contexts_alone]
            sums[self._contexts_alone] += own
        else:
            sums = self._product(self._ones, logits)
        ops.divide(self._scales, sums, out=sums)
        ops.multiply(logits, sums, out=logits)
        if len(self._several):
            entries[self._several] -= self._targets


def fitting_view(device: torch.device, entries: int) -> Callable[[Tensor], Any]:
    """How to work on tensors with so many entries: by numpy if few or in one thread, where it is faster, or by torch.

    Examples
    --------
    >>> fitting_view(torch.device("cpu"), 100)(torch.zeros(2))
    array([0., 0.], dtype=float32)
    """
    one_thread = entries <= FEW or torch.get_num_threads() == 1
    return Tensor.numpy if device.type == "cpu" and one_thread else Tensor.detach


@dataclass(frozen=True, eq=False)
class ContextRange:
    """Some contexts of a dataset, one after the other.

    Attributes
    ----------
    contexts, entries : slice
        Which, and which entries of the pattern are theirs.
    pattern : SupportPattern
        Their supports; they count from 0.
    """

    contexts: slice
    entries: slice
    pattern: SupportPattern


def context_ranges(data: NTPDataset) -> list[ContextRange]:
    """The contexts of a dataset in as few ranges as have at most `ENTRIES` logits each.

    Examples
    --------
    >>> len(context_ranges(NTPDataset([[1.0], [2.0]], [[0.5, 0.5], [1.0, 0.0]])))
    1
    """
    whole, most = data.pattern, max(1, ENTRIES // data.vocab_size)
    if data.num_contexts <= most:
        return [ContextRange(slice(0, data.num_contexts), slice(0, len(whole.tokens)), whole)]
    starts, found = [*whole.starts[::most].tolist(), len(whole.tokens)], []
    for number, first in enumerate(range(0, data.num_contexts, most)):
        contexts = slice(first, min(first + most, data.num_contexts))
        entries = slice(starts[number], starts[number + 1])
        own = SupportPattern(
            whole.contexts[entries] - first, whole.tokens[entries], contexts.stop - first, data.vocab_size
        )
        found.append(ContextRange(contexts, entries, own))
    return found


def residuals(data: NTPDataset, factor: float = 1.0) -> list[tuple[slice, SoftmaxResidual]]:
    """For each of the `context_ranges`, its contexts and what makes of their logits factor pi (softmax - p).

    Examples
    --------
    >>> [(contexts, residual)] = residuals(NTPDataset([[1.0]], [[0.75, 0.25]]), -4.0)
    >>> logits = torch.zeros(2, 1, dtype=torch.float64)
    >>> residual(residual.view(logits))
    >>> logits.T.tolist()
    [[1.0, -1.0]]
    """
    found, view = [], fitting_view(data.weights.device, data.num_contexts * data.vocab_size)
    for part in context_ranges(data):
        scales = factor * data.weights[part.contexts]
        residual = SoftmaxResidual(part.pattern, data.conditionals[part.entries], scales, view)
        found.append((part.contexts, residual))
    return found


def gradient_residuals(data: NTPDataset) -> list[tuple[slice, SoftmaxResidual]]:
    """`residuals` with factor 1, made once for each dataset.

    Examples
    --------
    >>> data = NTPDataset([[1.0]], [[0.75, 0.25]])
    >>> gradient_residuals(data) is gradient_residuals(data)
    True
    """
    if (found := _made.get(data)) is None:
        found = _made[data] = residuals(data)
    return found


_made: WeakKeyDictionary[NTPDataset, list[tuple[slice, SoftmaxResidual]]] = WeakKeyDictionary()
