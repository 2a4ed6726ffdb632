"""`descend_many`: gradient descent on many datasets, or from many starts, at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset, as_datasets
from ..doors import whole
from ..errors import SolverError, UsageError
from ..loss import LossParts, log_parts, loss_parts, summands
from ..runs import Progress
from .coordinates import Coordinates
from .iteration import Iteration, side_by_side
from .methods.gd import GradientDescent
from .methods.registry import Method, find_method
from .record import Schedule, recorded_steps
from .run import descend, starting_decoder
from .smoothness import default_step_size
from .trajectory import Record, Trajectory

__all__ = ["descend_many"]

# Logits of a batch. More are no faster: what a call costs beside its work has been shared by then.
BATCH = 2**16


def descend_many(
    datasets: NTPDataset | Iterable[NTPDataset],
    method: str | Method[Any] = "gd",
    *,
    steps: int,
    step_size: float | None = None,
    init: Iterable[ArrayLike | Tensor | None] | None = None,
    record: Schedule = "log",
    progress: bool = False,
) -> list[Trajectory]:
    """`descend` on each of many datasets, or on one from many starts; small runs of gradient descent are made together.

    Runs of one shape (m, V, d) share their calls, which take longer than the work of a small run. Other methods, and
    runs that are large by themselves, are made one by one.

    Parameters
    ----------
    datasets : NTPDataset or iterable of NTPDataset
        Of any shapes; a single one is used for every start.
    method, steps, step_size, record, progress
        As for `descend`; a step size that is not given is chosen for each dataset.
    init : iterable of (Tensor (V, d) or None), optional
        A start W_0 for each dataset, or all starts of a single one; None is zero.

    Returns
    -------
    list of Trajectory
        In the order of the datasets, or of the starts. Each is that of its own run up to the rounding of products,
        whose terms may be added in another order.

    Raises
    ------
    UsageError
        As `descend`; something other than datasets, or another number of starts than of datasets.
    SolverError
        If the norm of a decoder, and with it the loss, is no longer finite.

    Notes
    -----
    Source: 2402.18551 Section 4 (`bias/lemma-2`, `bias/theorem-2`).

    Examples
    --------
    >>> datasets = [NTPDataset([[1.0]], [[p, 1.0 - p, 0.0]]) for p in (0.25, 0.5)]
    >>> [f"{run.gap[-1]:.5f}" for run in descend_many(datasets, steps=100, step_size=1.0)]
    ['0.00661', '0.00661']
    """
    steps = whole("steps", steps, at_least=0)
    schedule = recorded_steps(record, steps)
    method = find_method(method, step_size)
    jobs = _jobs(datasets, init)
    found: dict[int, Trajectory] = {}
    for batch in _batches(jobs):
        if len(batch) > 1 and isinstance(method, GradientDescent):
            made = _descend_together(batch, method, schedule, progress)
        else:
            made = [
                descend(job.data, method, steps=steps, init=job.start, record=schedule, progress=progress)
                for job in batch
            ]
        found.update((job.number, run) for job, run in zip(batch, made, strict=True))
    return [found[i] for i in range(len(jobs))]


@dataclass(frozen=True, eq=False)
class _Job:
    """A run to make: its place among all, the dataset, and W_0."""

    number: int
    data: NTPDataset
    start: Tensor

    @cached_property
    def space(self) -> Coordinates:
        return Coordinates.of(self.data)


def _jobs(datasets: NTPDataset | Iterable[NTPDataset], init: Iterable[ArrayLike | Tensor | None] | None) -> list[_Job]:
    try:
        starts = None if init is None else list(init)
    except TypeError:
        raise UsageError(f"init is {init!r}; it must be a sequence of decoders") from None
    if isinstance(datasets, NTPDataset):
        datasets = [datasets] * (1 if starts is None else len(starts))
    datasets = as_datasets(datasets)
    if starts is None:
        starts = [None] * len(datasets)
    if len(starts) != len(datasets):
        raise UsageError(f"init has {len(starts)} starts for {len(datasets)} datasets; it must have one for each")
    pairs = zip(datasets, starts, strict=True)
    return [_Job(number, data, starting_decoder(data, start)) for number, (data, start) in enumerate(pairs)]


def _batches(jobs: Sequence[_Job]) -> list[list[_Job]]:
    """Small runs of one shape in coordinates of one kind, as many at a time as is worth it; the others alone."""
    alike: dict[object, list[_Job]] = {}
    for job in jobs:
        h = job.data.embeddings
        key: object = job.number
        if job.data.ranks.size == 1 and 2 * len(h) * job.data.vocab_size <= BATCH:
            key = (h.shape, job.data.vocab_size, h.dtype, h.device, job.space.kind)
        alike.setdefault(key, []).append(job)
    batches = []
    for some in alike.values():
        most = max(1, BATCH // (some[0].data.num_contexts * some[0].data.vocab_size))
        batches += [some[i : i + most] for i in range(0, len(some), most)]
    return batches


def _descend_together(
    jobs: Sequence[_Job], method: GradientDescent, schedule: Sequence[int], progress: bool
) -> list[Trajectory]:
    datasets, starts = [job.data for job in jobs], [job.start for job in jobs]
    step_sizes = [method.step_size or default_step_size(data) for data in datasets]
    iteration, losses = Iteration(datasets, [job.space for job in jobs], starts, step_sizes), _Losses(datasets)
    records: list[list[Record]] = [[] for _ in jobs]
    coordinates, step = iteration.origin, 0
    with Progress(schedule[-1], f"{len(jobs)} runs of {method.name}", enabled=progress) as shown:
        for wanted in schedule:
            while step < wanted:
                step, coordinates = step + 1, iteration.step(coordinates)
                shown.update(step)
            weights = iteration.decoder(coordinates).contiguous()
            for job, own, w, eta, loss in zip(jobs, records, weights.clone(), step_sizes, losses(weights), strict=True):
                if not math.isfinite(loss.value):
                    raise SolverError(
                        f"the norm of the decoder of run {job.number} is not finite at step {step}; take a "
                        "smaller step_size",
                        status="not finite",
                        best=own[-1].weights if own else job.start,
                    )
                own.append(Record(step, w, loss, math.log(eta) + math.log(step) if step else -math.inf))
    return [
        Trajectory.from_records(own, data, method=method.name, step_size=eta)
        for own, data, eta in zip(records, datasets, step_sizes, strict=True)
    ]


class _Losses:
    """The split losses of the decoders (B, V, d) of several runs, as by `ntp_theory.loss.evaluate`."""

    def __init__(self, datasets: Sequence[NTPDataset]) -> None:
        self._datasets, self._pattern = datasets, side_by_side(datasets)
        self._embeddings = torch.stack([data.embeddings for data in datasets])
        self._log_weights = torch.stack([data.weights.log() for data in datasets])
        self._log_conditionals = torch.cat([data.log_conditionals for data in datasets])
        self._joint = torch.cat([data.joint for data in datasets])
        self._runs = self._pattern.contexts // datasets[0].num_contexts

    def __call__(self, weights: Tensor) -> list[LossParts]:
        logits = (self._embeddings @ weights.mT).flatten(0, 1)
        log_ratio, log_odds, *_ = log_parts(logits, self._pattern, self._log_conditionals)
        divergences, log_tails = summands(log_ratio, log_odds)
        in_support = logits.new_zeros(len(weights)).index_add_(0, self._runs, self._joint * divergences)
        in_support[~torch.linalg.vector_norm(weights, dim=(1, 2)).isfinite()] = torch.nan
        log_tail = torch.logsumexp(self._log_weights + log_tails.view_as(self._log_weights), 1)
        parts = zip(self._datasets, in_support.tolist(), log_tail.tolist(), strict=True)
        return [loss_parts(data, one, other) for data, one, other in parts]
