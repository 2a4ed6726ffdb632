"""Which steps of a run are recorded."""

from __future__ import annotations

from collections.abc import Iterable

from ..doors import whole
from ..errors import UsageError

__all__ = ["Schedule", "recorded_steps"]

Schedule = str | int | Iterable[int]

PER_DECADE = 20


def recorded_steps(record: Schedule, steps: int) -> list[int]:
    """Increasing numbers of the steps to record in a run of ``steps`` steps; step 0 is the start.

    Parameters
    ----------
    record : {"log", "all"}, int or iterable of int
        *log*: 0, about 20 steps a decade with every power of ten, and the last. *all*: every step. A number
        n: 0, n, 2n, ..., and the last. Anything else: these steps and no others.
    steps : int
        Length of the run.

    Returns
    -------
    list of int

    Raises
    ------
    UsageError
        If ``record`` is none of these, or names a step outside the run.

    Examples
    --------
    >>> recorded_steps("log", 15)
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15]
    >>> recorded_steps(4, 10)
    [0, 4, 8, 10]
    """
    steps = whole("steps", steps, at_least=0)
    if isinstance(record, str):
        if record == "all":
            return list(range(steps + 1))
        if record == "log":
            return _logarithmic(steps)
    elif isinstance(record, Iterable):
        chosen = sorted({whole("record entry", k, at_least=0, at_most=steps) for k in record})
        if not chosen:
            raise UsageError("record names no step; it must name at least one")
        return chosen
    else:
        return sorted({*range(0, steps + 1, whole("record", record, at_least=1)), steps})
    raise UsageError(f"record is {record!r}; it must be 'log', 'all', a number of steps, or the steps themselves")


def _logarithmic(steps: int) -> list[int]:
    """The points ``10**(i / 20)`` rounded; those of a longer run begin with the same ones."""
    chosen, i = {0, steps}, 0
    while (point := round(10 ** (i // PER_DECADE) * 10 ** (i % PER_DECADE / PER_DECADE))) <= steps:
        chosen.add(point)
        i += 1
    return sorted(chosen)
