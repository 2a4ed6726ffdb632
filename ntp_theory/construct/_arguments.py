"""Arguments that several constructions share, checked at the door."""

from __future__ import annotations

import operator
from collections.abc import Iterable

import numpy as np

from ..errors import UsageError


def whole(name: str, value: object, *, at_least: int, at_most: int | None = None) -> int:
    """``value`` as an int in the given range (numpy integers count, booleans and floats do not)."""
    rule = f"a whole number >= {at_least}" + ("" if at_most is None else f" and <= {at_most}")
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{name} is {value!r}; it must be {rule}") from None
    if number < at_least or (at_most is not None and number > at_most):
        raise UsageError(f"{name} is {number}; it must be {rule}")
    return number


def generator(rng: int | np.random.Generator) -> np.random.Generator:
    """The generator itself, or the one seeded by an integer."""
    if isinstance(rng, np.random.Generator):
        return rng
    try:
        return np.random.default_rng(whole("rng", rng, at_least=0))
    except UsageError:
        raise UsageError(
            f"rng is {rng!r}; it must be a whole number >= 0 or a numpy.random.Generator"
        ) from None


def one_of(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse a name that is not in the list."""
    known = tuple(known)
    if value not in known:
        raise UsageError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, known))}")
