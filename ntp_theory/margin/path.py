"""`solve_svm_path`: the NTP-SVM as contexts are added one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import whole
from ..errors import NotSeparableError, UsageError
from .dual import solve_dual
from .outcome import TOL, answer, check_limits, unconstrained
from .solution import SVMSolution

__all__ = ["solve_svm_path"]


def solve_svm_path(
    data: NTPDataset, sizes: Iterable[int] | None = None, *, tol: float = TOL, max_iterations: int = 100_000
) -> Iterator[SVMSolution]:
    """Solve the NTP-SVM of the first k contexts, for more and more of them; each run starts where the last ended.

    A longer prefix has all constraints of a shorter one, so ``||W_mm||`` can only grow along the path.

    Parameters
    ----------
    data : NTPDataset
        Its contexts in the order in which they are added.
    sizes : iterable of int, optional
        The numbers k of contexts, increasing; 1, ..., m if not given.
    tol, max_iterations
        As in `solve_svm`, for each k.

    Yields
    ------
    SVMSolution
        That of the first k contexts, as by `solve_svm` with ``refine=False``; its ``.data`` is the dataset of these
        contexts, weights scaled to sum to 1.

    Raises
    ------
    NotSeparableError
        When the first k contexts are not separable. The entries of its certificate are one for every longer prefix.
    SolverError
        If a gap was not closed; the best direction (V, d), or None, is kept in ``.best``.
    UsageError
        If an argument is out of range.

    Notes
    -----
    Source: as `solve_svm`; method ours (`svm/dual`).

    Examples
    --------
    >>> data = NTPDataset([[-1.0], [0.5], [1.5], [0.2]], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    >>> [round(solution.norm, 6) for solution in solve_svm_path(data)]
    [0.707107, 1.414214, 1.414214, 3.535534]
    """
    as_dataset("data", data)
    check_limits(tol, max_iterations)
    return _solve(data, _as_sizes(sizes, data.num_contexts), tol, max_iterations)


def _as_sizes(sizes: Iterable[int] | None, m: int) -> list[int]:
    if sizes is None:
        return list(range(1, m + 1))
    try:
        given = list(sizes)
    except TypeError:
        raise UsageError(f"sizes is {sizes!r}; it must be a sequence of whole numbers") from None
    found: list[int] = []
    for i, size in enumerate(given):
        found.append(whole(f"sizes[{i}]", size, at_least=1, at_most=m))
        if i and found[i] <= found[i - 1]:
            raise UsageError(f"sizes[{i}] is {found[i]} after {found[i - 1]}; sizes must increase")
    return found


def _solve(data: NTPDataset, sizes: list[int], tol: float, max_iterations: int) -> Iterator[SVMSolution]:
    last: Tensor | None = None
    for k in sizes:
        part = _first(data, k)
        solution = unconstrained(part)
        if solution is None:
            start = None if last is None else torch.cat([last, last.new_zeros(k - len(last), data.vocab_size)])
            found = solve_dual(part, tol=tol, max_iterations=max_iterations, start=start)
            last = found.multipliers
            try:
                solution = answer(part, found, tol)
            except NotSeparableError as error:
                raise NotSeparableError(f"the first {k} contexts are {error}", error.certificate) from None
        yield solution


def _first(data: NTPDataset, k: int) -> NTPDataset:
    """The dataset of the first k contexts."""
    if k == data.num_contexts:
        return data
    h, pattern = data.embeddings[:k], data.pattern
    more: dict[str, Any] = {
        "token_names": data.token_names,
        "context_names": None if data.context_names is None else data.context_names[:k],
        "device": h.device,
        "dtype": h.dtype,
    }
    inside = slice(int(pattern.sizes[:k].sum()))
    index, shape = torch.stack([pattern.contexts[inside], pattern.tokens[inside]]), (k, data.vocab_size)
    masses = data.conditionals if data.counts is None else data.counts
    rows = torch.sparse_coo_tensor(index, masses[inside], shape, check_invariants=False)
    if data.counts is not None:
        return NTPDataset.from_counts(h, rows, **more)
    return NTPDataset(h, rows, data.weights[:k] / data.weights[:k].sum(), **more)
