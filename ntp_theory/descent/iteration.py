"""The step of gradient descent in two buffers that take turns, for one run or for several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..softmax import SoftmaxResidual, fitting_view, residuals
from ..support import SupportPattern
from .coordinates import Coordinates

__all__ = ["Iteration", "side_by_side"]


class Iteration:
    """Steps ``W - eta grad CE(W)`` in `Coordinates`; none allocates anything of the size of W or of the logits.

    Several runs are one: the coordinates (V, B r) of B runs stand side by side, and so do the logits (V, B m). Only
    the products know them apart.

    Parameters
    ----------
    datasets : sequence of NTPDataset
        One for each run; of several runs all of one shape (m, V, d), type and device.
    spaces : sequence of Coordinates
        Theirs, all of one kind.
    starts : sequence of Tensor (V, d)
        W_0 of each run.
    step_sizes : sequence of float
        Eta of each run.

    Attributes
    ----------
    origin : Tensor (V, B r)
        The coordinates of W_0.

    Examples
    --------
    >>> data, start = NTPDataset([[1.0]], [[1.0, 0.0]]), torch.zeros(2, 1, dtype=torch.float64)
    >>> iteration = Iteration([data], [Coordinates.of(data)], [start], [0.5])
    >>> iteration.decoder(iteration.step(iteration.origin)).tolist()
    [[0.25], [-0.25]]
    """

    def __init__(
        self,
        datasets: Sequence[NTPDataset],
        spaces: Sequence[Coordinates],
        starts: Sequence[Tensor],
        step_sizes: Sequence[float],
    ) -> None:
        one = len(datasets) == 1
        self._count, self._ranks = len(datasets), datasets[0].ranks
        self._space = spaces[0] if one else Coordinates.stack(spaces)
        self._start = starts[0] if one else torch.stack(list(starts))
        self.origin = _beside(self._space.origin(self._start))
        # in coordinates of the rows' span there are fewer logits than entries of W: no need to divide them
        divisible = one and self._space.basis is None
        ranges = residuals(datasets[0], -step_sizes[0]) if divisible else [_together(datasets, step_sizes)]
        self._view = view = ranges[0][1].view
        self._ops: Any = np if view is Tensor.numpy else torch
        self._product: Any = np.dot if view is Tensor.numpy and one else self._ops.matmul
        shape = self.origin.shape  # in rows, however W_0 may lie in memory
        self._buffers = self.origin.new_empty(shape), self.origin.new_empty(shape)
        self._arrays = [view(buffer) for buffer in self._buffers]
        self._runs = [self._apart(array) for array in self._arrays]
        # what is shared out among processes is summed up before it is added
        self._zero = view(self.origin.new_zeros(shape)) if self._ranks.size > 1 else None
        h = datasets[0].embeddings if one else torch.stack([data.embeddings for data in datasets])
        has_offset = self._space.basis is not None and bool(self._start.any())
        self._offset = view(_beside(self._start @ h.mT)) if has_offset else None
        self._parts = self._prepare(ranges)
        moves: list[Callable[[], None]] = [partial(self._move, *turn) for turn in ((0, 1), (1, 0))]
        recordable = self.origin.is_cuda and self._ranks.size == 1
        self._moves = [_recorded(move, self.origin.device) for move in moves] if recordable else moves

    def step(self, coordinates: Tensor) -> Tensor:
        """The coordinates after one more step; the step after the next writes over them."""
        turn = 1 if coordinates is self._buffers[1] else 0
        if coordinates is not self._buffers[turn]:
            self._buffers[0].copy_(coordinates)
        self._moves[turn]()
        return self._buffers[1 - turn]

    def decoder(self, coordinates: Tensor) -> Tensor:
        """W_k (V, d), of several runs (B, V, d); it may share memory with the coordinates."""
        return self._space.decoder(self._apart(coordinates), self._start)

    def _move(self, source: int, target: int) -> None:
        ops, before, after = self._ops, self._arrays[source], self._arrays[target]
        total = before if self._zero is None else self._zero
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self._parts:
                self._product(self._runs[source], part.features, out=part.runs)
                if self._offset is not None:
                    ops.add(part.logits, self._offset, out=part.logits)
                part.residual(part.logits)
                if part.back is not None:
                    self._product(part.runs, part.back, out=part.changed_runs)
                total = ops.add(total, part.change, out=after)
            if self._zero is not None:
                ops.add(before, self._view(self._ranks.sum(self._buffers[target])), out=after)

    def _prepare(self, ranges: Sequence[tuple[slice, SoftmaxResidual]]) -> list[_Part]:
        count, rows, view = self._count, len(self.origin), self._view
        widths = [count * (contexts.stop - contexts.start) for contexts, _ in ranges]
        memory = self.origin.new_empty(rows * max(widths))
        change = None if self._space.kind == "Gram" else view(self.origin.new_empty(self.origin.shape))
        parts = []
        for (contexts, residual), width in zip(ranges, widths, strict=True):
            features = view(self._space.features[..., contexts, :])
            logits = view(memory[: rows * width].view(rows, width))
            runs, to_logits = self._apart(logits), features.swapaxes(-2, -1)
            if change is None:
                parts.append(_Part(residual, logits, runs, to_logits, None, logits, runs))
            else:
                parts.append(_Part(residual, logits, runs, to_logits, features, change, self._apart(change)))
        return parts

    def _apart(self, array: Any) -> Any:
        """An array (V, B x) of runs side by side as (B, V, x); that of a single run as it is."""
        return array if self._count == 1 else array.reshape(len(array), self._count, -1).swapaxes(0, 1)


@dataclass(frozen=True, eq=False)
class _Part:
    """A range of contexts: their logits (V, B w), what gives and what takes them, and the change they cause."""

    residual: SoftmaxResidual
    logits: Any
    runs: Any
    features: Any
    back: Any
    change: Any
    changed_runs: Any


def _beside(runs: Tensor) -> Tensor:
    """Matrices (B, V, x) side by side: (V, B x); a single one as it is."""
    return runs if runs.ndim == 2 else runs.swapaxes(0, 1).reshape(runs.shape[1], -1)


def side_by_side(datasets: Sequence[NTPDataset]) -> SupportPattern:
    """The supports of the contexts of several datasets of one shape, numbered through."""
    m, patterns = datasets[0].num_contexts, [data.pattern for data in datasets]
    contexts = torch.cat([pattern.contexts + i * m for i, pattern in enumerate(patterns)])
    tokens = torch.cat([pattern.tokens for pattern in patterns])
    return SupportPattern(contexts, tokens, m * len(datasets), datasets[0].vocab_size)


def _together(datasets: Sequence[NTPDataset], step_sizes: Sequence[float]) -> tuple[slice, SoftmaxResidual]:
    """All contexts of all datasets as one range."""
    conditionals = torch.cat([data.conditionals for data in datasets])
    scales = torch.cat([-eta * data.weights for eta, data in zip(step_sizes, datasets, strict=True)])
    pattern = side_by_side(datasets)
    view = fitting_view(scales.device, pattern.num_contexts * pattern.vocab_size)
    return slice(0, datasets[0].num_contexts), SoftmaxResidual(pattern, conditionals, scales, view)


def _recorded(move: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """The same as one CUDA graph: launching its dozen kernels one by one takes longer than small ones run."""
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            move()  # libraries set themselves up, which cannot be recorded
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                move()
        except RuntimeError:
            return move
        return graph.replay
