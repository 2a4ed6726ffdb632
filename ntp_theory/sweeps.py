"""Many independent jobs on any executor: processes here, a Dask cluster, MPI, whatever speaks `concurrent.futures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from copy import deepcopy
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np
import torch

from .doors import check_function, generator, whole
from .errors import UsageError
from .runs import Progress

__all__ = ["processes", "sweep"]

Job = TypeVar("Job")
Result = TypeVar("Result")


def sweep(
    function: Callable[..., Result],
    jobs: Iterable[Job],
    *,
    rng: int | np.random.Generator | None = None,
    executor: Executor | None = None,
    batch: int = 1,
    progress: bool = False,
    title: str = "sweep",
) -> list[Result]:
    """``[function(job) for job in jobs]``, done by an executor.

    Parameters
    ----------
    function : callable
        Called with a job, and with the generator of the job if there is an ``rng``. An executor that works in other
        processes imports it, so it is defined at the top of a module.
    jobs : iterable
    rng : int or numpy.random.Generator, optional
        Every job has a stream of its own, spawned from it, so that no result depends on the executor, on the order
        in which jobs are done, or on whether one is done twice.
    executor : concurrent.futures.Executor, optional
        Such as `processes`, ``client.get_executor()`` of Dask or ``mpi4py.futures.MPIPoolExecutor``; it is left open.
        Without one, the work is done here.
    batch : int
        Jobs handed over at a time: enough to outweigh the hand-over, few enough to share the work out evenly.
    progress : bool
        Show progress on a terminal.
    title : str
        What is running, for the progress.

    Returns
    -------
    list
        The results, in the order of the jobs.

    Raises
    ------
    UsageError
        If ``function`` cannot be called, ``jobs`` not gone through, ``executor`` not handed jobs, or ``batch`` is not a
        whole number from 1. What ``function`` raises is raised here, and jobs that have not begun are called off.

    Examples
    --------
    >>> sweep(lambda size, rng: int(rng.integers(size)), [10, 1000], rng=0)
    [8, 662]
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     sweep(lambda size, rng: int(rng.integers(size)), [10, 1000], rng=0, executor=pool)
    [8, 662]
    """
    if not (executor is None or callable(getattr(executor, "submit", None))):
        raise UsageError(f"executor is {executor!r}; it must be a concurrent.futures.Executor")
    check_function("function", function)
    if not isinstance(jobs, Iterable):
        raise UsageError(f"jobs is {jobs!r}; it must be iterable")
    jobs, batch = list(jobs), whole("batch", batch, at_least=1)
    streams = [()] * len(jobs) if rng is None else [(stream,) for stream in generator(rng).spawn(len(jobs))]
    calls: list[tuple[Any, ...]] = [(job, *stream) for job, stream in zip(jobs, streams, strict=True)]
    batches = [calls[i : i + batch] for i in range(0, len(calls), batch)]
    results: list[Result] = []
    futures = [] if executor is None else [executor.submit(_run, function, part) for part in batches]
    answers = (partial(_run, function, part) for part in batches) if executor is None else (f.result for f in futures)
    try:
        with Progress(len(jobs), title, enabled=progress) as shown:
            for answer in answers:
                results += answer()
                shown.update(len(results))
    finally:
        for future in futures:
            future.cancel()
    return results


def processes(count: int) -> ProcessPoolExecutor:
    """An executor of this many processes on this machine, each with one thread.

    Parameters
    ----------
    count : int

    Returns
    -------
    concurrent.futures.ProcessPoolExecutor
        To be closed, best by ``with``. The processes are spawned, so a script needs the usual
        ``if __name__ == "__main__":``; each takes some seconds to start.

    Raises
    ------
    UsageError
        If ``count`` is not a whole number from 1.

    Examples
    --------
    >>> with processes(2) as pool:
    ...     sweep(abs, [-1, 2, -3], executor=pool)
    [1, 2, 3]
    """
    count = whole("count", count, at_least=1)
    # one thread each: the matrices are small, and threads of several processes would wait for each other
    return ProcessPoolExecutor(count, get_context("spawn"), torch.set_num_threads, (1,))


def _run(function: Callable[..., Result], calls: Sequence[tuple[Any, ...]]) -> list[Result]:
    """The results of some calls, on copies of their streams: a batch may be done twice, after the loss of a worker."""
    return [function(job, *deepcopy(stream)) for job, *stream in calls]
