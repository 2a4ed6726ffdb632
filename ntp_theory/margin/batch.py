"""`solve_svms`: the NTP-SVM of many datasets at once, as for phase diagrams and seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..dataset import NTPDataset, as_datasets
from ..errors import NotSeparableError, SolverError
from .dual import DualIterate, solve_dual, solve_duals
from .outcome import TOL, answer, check_limits, unconstrained
from .problem import DualProblem
from .solution import SVMSolution

__all__ = ["solve_svms"]

# Numbers in the largest arrays of a batch, an m x m block for each of V tokens, and H and W. More are no faster.
ENTRIES = 2**22


def solve_svms(
    datasets: Iterable[NTPDataset], *, tol: float = TOL, max_iterations: int = 100_000
) -> list[SVMSolution | NotSeparableError | SolverError]:
    """Solve the NTP-SVM of each of many datasets; those of one shape (m, V, d) are solved together.

    A small dataset takes far less time in a batch than alone; large ones (m V above some 5000) take about the same.

    Parameters
    ----------
    datasets : iterable of NTPDataset
        Of any shapes.
    tol, max_iterations
        As in `solve_svm`.

    Returns
    -------
    list of SVMSolution, NotSeparableError or SolverError
        In the order of the datasets: the solution as by `solve_svm` with ``refine=False``, or in its place the error
        that says why there is none.

    Raises
    ------
    UsageError
        If an argument is out of range, or something other than a dataset is among the datasets.

    Notes
    -----
    Source: as `solve_svm`; method ours (`svm/dual`).

    Examples
    --------
    >>> datasets = [NTPDataset([[1.0], [h]], [[1.0, 0.0], [0.0, 1.0]]) for h in (-1.0, 1.5)]
    >>> for found in solve_svms(datasets):
    ...     print(type(found).__name__, found.norm if isinstance(found, SVMSolution) else found.certificate.blocked(1))
    SVMSolution 0.707107
    NotSeparableError [('#0', '#1', 0.6)]
    """
    check_limits(tol, max_iterations)
    datasets = as_datasets(datasets)
    answers: dict[int, SVMSolution | NotSeparableError | SolverError] = {}
    alike: dict[object, list[int]] = {}
    for i, data in enumerate(datasets):
        if (zero := unconstrained(data)) is not None:
            answers[i] = zero
        else:
            shape = data.num_contexts, data.vocab_size, data.dim, data.embeddings.device
            alike.setdefault(shape, []).append(i)
    for numbers in alike.values():
        for some in _cut(numbers, datasets[numbers[0]]):
            batch = [datasets[i] for i in some]
            for i, data, found in zip(some, batch, _solve(batch, tol, max_iterations), strict=True):
                answers[i] = _outcome(data, found, tol)
    return [answers[i] for i in range(len(datasets))]


def _cut(numbers: list[int], like: NTPDataset) -> list[list[int]]:
    """As many at a time as a batch holds, for datasets of one shape."""
    m, v, d = like.num_contexts, like.vocab_size, like.dim
    size = max(1, ENTRIES // (m * m * v + (m + v) * d))
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]


def _solve(batch: list[NTPDataset], tol: float, max_iterations: int) -> list[DualIterate]:
    if len(batch) == 1:
        return [solve_dual(batch[0], tol=tol, max_iterations=max_iterations)]
    found = solve_duals(DualProblem.stack(batch), batch, tol=tol, max_iterations=max_iterations)
    return [_finish(data, one, tol, max_iterations) for data, one in zip(batch, found, strict=True)]


def _finish(data: NTPDataset, found: DualIterate, tol: float, max_iterations: int) -> DualIterate:
    """What stays open goes on alone, equal tokens and equal contexts merged."""
    left = max_iterations - found.iterations
    if found.gap <= tol or found.certificate is not None or found.multipliers is None or left <= 0:
        return found
    alone = solve_dual(data, tol=tol, max_iterations=left, start=found.multipliers)
    best = found if found.gap < alone.gap else alone
    return replace(best, iterations=found.iterations + alone.iterations)


def _outcome(data: NTPDataset, found: DualIterate, tol: float) -> SVMSolution | NotSeparableError | SolverError:
    try:
        return answer(data, found, tol)
    except (NotSeparableError, SolverError) as error:
        return error.with_traceback(None)  # which would keep the whole batch in memory
