"""Where the contexts of a dataset are: all in this process, or shared out among several (`ntp_theory.distributed`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from torch import Tensor

from .errors import NTPError, UsageError

__all__ = ["Ranks"]

T = TypeVar("T")


class Ranks:
    """The processes that hold the contexts of a dataset: this one alone.

    Sums and maxima over contexts pass through here on their way from a part of the contexts to all of them. Among
    several processes every call is collective: all make it, in the same order.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are. Process 0 speaks for all: it shows progress, writes files.

    Examples
    --------
    >>> Ranks().gather("here")
    ['here']
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    def sum(self, part: Tensor) -> Tensor:
        """Sum of ``part`` over the processes, the same bits everywhere; written over ``part`` if that is contiguous."""
        return part

    def max(self, part: Tensor) -> Tensor:
        """Largest ``part`` over the processes, entry by entry; written over ``part`` if that is contiguous."""
        return part

    def gather(self, value: T) -> list[T]:
        """What each process passed, in the order of their numbers."""
        return [value]

    def together(self, call: Callable[[], T]) -> T:
        """What ``call`` returns here, if it returns on every process; otherwise an error on all of them.

        A process that leaves with an error of its own would let the others wait for it in their next collective call.
        ``call`` itself must make none.

        Raises
        ------
        NTPError
            What ``call`` raised here.
        UsageError
            What it raised on another process, with the number of that.
        """
        error = result = None
        try:
            result = call()
        except NTPError as raised:
            error = raised
        messages = self.gather(None if error is None else str(error))
        if error is not None:
            raise error
        for rank, message in enumerate(messages):
            if message is not None:
                raise UsageError(f"on process {rank}: {message}")
        return cast(T, result)
