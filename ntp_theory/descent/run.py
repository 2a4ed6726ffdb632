"""`descend`: the one loop that runs every gradient method."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset, as_dataset
from ..doors import as_decoder, as_path, check_function, number, whole
from ..errors import SolverError, UsageError
from ..loss import evaluate
from ..runs import Progress
from .checkpoint import Checkpoint
from .methods.registry import Method, State, find_method
from .record import Schedule, recorded_steps
from .trajectory import Record, Trajectory

__all__ = ["descend", "has_norm", "starting_decoder"]


def descend(
    data: NTPDataset,
    method: str | Method[Any] = "gd",
    *,
    steps: int,
    step_size: float | None = None,
    init: ArrayLike | Tensor | None = None,
    record: Schedule = "log",
    callback: Callable[[Record], bool | None] | None = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 30.0,
) -> Trajectory:
    """Run a gradient method on the cross-entropy and record where it goes.

    Parameters
    ----------
    data : NTPDataset
        Of a `ntp_theory.distributed.ContextShard` all processes make the call and get the same trajectory.
    method : str or Method
        A name in `METHODS`, or a method object.
    steps : int
        Number of steps.
    step_size : float, optional
        Eta of a method given by name; its own choice if not given (for "gd" one over `smoothness_bound`).
    init : Tensor (V, d), optional
        The decoder W_0 to start from; zero if not given.
    record : {"log", "all"}, int or iterable of int
        The steps to record, see `recorded_steps`.
    callback : callable, optional
        Called with each new `Record`; the decoder in it is a copy. If it returns True (on any process) the run ends
        there.
    progress : bool
        Show progress and the time left on a terminal.
    checkpoint : path, optional
        A file in which the run is saved on the way, at its end, and when it is interrupted by whatever exception.
        A process that is killed leaves what was saved last, whole. If the file exists and holds this very run
        (data, method, step size, init, and all steps recorded that should be), the run goes on from there, and
        what it returns is bit for bit what it would have been without the interruption (on the CPU, with the same
        numbers of threads and processes); ``steps`` may be larger than before.
    checkpoint_every : float
        Seconds between two saves.

    Returns
    -------
    Trajectory

    Raises
    ------
    UsageError
        An unknown method, a step size that is not positive and finite, ``init`` of another shape or not
        finite, steps outside the run, seconds that are not, a callback that cannot be called; processes that go
        different ways.
    SolverError
        If the norm of the decoder, and with it the loss, is no longer finite; ``best`` is the last recorded decoder, or
        the start.
    CheckpointError
        If the checkpoint is damaged or belongs to another run, the message naming what differs; if it cannot be
        written.

    Notes
    -----
    Source: 2402.18551 Section 4 (`bias/lemma-2`, `bias/theorem-2`).

    Examples
    --------
    >>> data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    >>> run = descend(data, steps=1000, step_size=1.0, record=[1, 10, 100, 1000])
    >>> [f"{gap:.4f}" for gap in run.gap.tolist()]
    ['0.5616', '0.1315', '0.0136', '0.0013']
    """
    as_dataset("data", data)

    def looked_at() -> tuple[int, list[int], Method[Any], Path | None, float]:
        if callback is not None:
            check_function("callback", callback)
        count = whole("steps", steps, at_least=0)
        path = None if checkpoint is None else as_path("checkpoint", checkpoint)
        every = number("checkpoint_every", checkpoint_every, "a number of seconds >= 0", lambda x: x >= 0.0)
        return count, recorded_steps(record, count), find_method(method, step_size), path, every

    steps, schedule, method, path, every = data.ranks.together(looked_at)
    start = starting_decoder(data, init)
    _check_arguments(data, method, steps, schedule, start)
    step, state = 0, method.init(data, start)
    records: list[Record] = []
    file = None if path is None else Checkpoint(path, method, data, start, every)
    if file is not None:
        if file.exists:
            step, state, records = data.ranks.together(partial(file.load, state, schedule, steps))
        else:
            # what cannot be written is known before the work, not after
            data.ranks.together(partial(file.save, step, state, records))
    wanted, note = set(schedule), ""
    with Progress(steps, method.name, done=step, enabled=progress and data.ranks.first) as shown:
        try:
            while True:
                if step in wanted and not (records and records[-1].step == step):
                    _check_together(step, state.weights, data, method)
                    if not has_norm(state.weights):
                        raise _diverged(step, records, start)
                    loss = evaluate(state.weights, data)
                    elapsed = _log_elapsed(step, state)
                    # copies: a method may write over a decoder that is two steps old, a callback over anything
                    records.append(Record(step, state.weights.clone(), loss, elapsed))
                    note = f"loss above entropy {loss.gap:.3e}"
                    ends = callback is not None and bool(callback(Record(step, state.weights.clone(), loss, elapsed)))
                    if any(data.ranks.gather(ends)):
                        break
                if step == steps:
                    break
                # one assignment: an interruption falls before both stores or after them, at a call or a jump
                step, state = step + 1, _step(method, step, state, records, start)
                shown.update(step, note)
                if file is not None and file.due():
                    file.save(step, state, records)
        finally:
            if file is not None:
                file.save(step, state, records)
    return Trajectory.from_records(records, data, method=method.name, step_size=state.step_size)


def starting_decoder(data: NTPDataset, init: ArrayLike | Tensor | None) -> Tensor:
    """W_0, zero if none is given; its norm must be finite. All processes call this."""
    shape = (data.vocab_size, data.dim)

    def looked_at() -> Tensor:
        if init is None:
            return data.embeddings.new_zeros(shape)
        start = as_decoder(init, shape, data.embeddings, "init").clone()
        if not has_norm(start):
            raise UsageError(f"init has a norm beyond the largest number in {start.dtype}; it must be finite")
        return start

    return data.ranks.together(looked_at)


def has_norm(weights: Tensor) -> bool:
    """Whether a decoder (V, d) has a finite Frobenius norm in its type.

    Its loss is then finite too: entries of embeddings are at most the fourth root of the largest number.
    """
    return math.isfinite(torch.linalg.vector_norm(weights))


def _check_arguments(data: NTPDataset, method: Method[Any], steps: int, schedule: list[int], start: Tensor) -> None:
    """Processes that share the contexts must make the same call."""
    if data.ranks.size > 1:
        numbers = runs.digest({"init": start.cpu().numpy(), "record": np.array(schedule)})
        if len(set(data.ranks.gather((repr(method), steps, numbers)))) > 1:
            raise UsageError("method, step_size, steps, init or record differ between the processes; pass the same")


def _check_together(step: int, weights: Tensor, data: NTPDataset, method: Method[Any]) -> None:
    """Processes that share the contexts must arrive at the same decoder, bit for bit."""
    if data.ranks.size > 1 and len(set(data.ranks.gather(runs.digest({"weights": weights.cpu().numpy()})))) > 1:
        raise UsageError(
            f"decoders differ between the processes at step {step}: method {method.name!r} does not work on contexts "
            "that are shared out; pass data.whole()"
        )


def _log_elapsed(step: int, state: State) -> float:
    """Logarithm of the sum of the step sizes: of a constant one, unless the state keeps count."""
    if (counted := getattr(state, "log_elapsed", None)) is not None:
        return float(counted)
    return math.log(state.step_size) + math.log(step) if step else -math.inf


def _step(method: Method[Any], step: int, state: State, records: list[Record], start: Tensor) -> State:
    """The next state; where a method fails at a decoder that has left the numbers, that is said instead."""
    try:
        stepped: State = method.step(state)
    except Exception as error:  # of a factorisation, a logarithm, an exponential, or a door
        if has_norm(state.weights):
            raise
        raise _diverged(step, records, start) from error
    return stepped


def _diverged(step: int, records: list[Record], start: Tensor) -> SolverError:
    return SolverError(
        f"the norm of the decoder is not finite at step {step}; take a smaller step_size",
        status="not finite",
        best=records[-1].weights if records else start,
    )
