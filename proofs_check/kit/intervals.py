"""Inequalities over boxes by interval arithmetic: the box is halved until every piece is decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import iv

__all__ = ["interval", "positive_on_box"]

Interval = Any


def interval(low: object, high: object | None = None) -> Interval:
    """An interval with decimal or rational ends, rounded outwards."""
    return iv.mpf([_end(low), _end(low if high is None else high)]) if high is not None else _end(low)


def _end(value: object) -> Interval:
    """A number as an interval that has it inside: strings and fractions are rarely floats."""
    numerator, denominator = getattr(value, "numerator", None), getattr(value, "denominator", None)
    if numerator is not None and denominator is not None and not callable(numerator):
        return iv.mpf(int(numerator)) / int(denominator)
    return iv.mpf(value)


def positive_on_box(
    function: Callable[..., Interval], box: Sequence[tuple[float, float]], *, pieces: int = 100_000
) -> bool:
    """Whether ``function`` is positive on a box, by enclosures; False also when the pieces run out.

    Examples
    --------
    >>> positive_on_box(lambda x: x * x - x + 1, [(-2, 2)])
    True
    >>> positive_on_box(lambda x: x * x - x + 0.24, [(-2, 2)])
    False
    """
    todo = [tuple((iv.mpf(a).a, iv.mpf(b).b) for a, b in box)]
    for _ in range(pieces):
        if not todo:
            return True
        piece = todo.pop()
        value = function(*(iv.mpf([a, b]) for a, b in piece))
        if value.a > 0:
            continue
        if value.b <= 0:
            return False
        widest = max(range(len(piece)), key=lambda i: piece[i][1] - piece[i][0])
        a, b = piece[widest]
        middle = iv.mpf([a, b]).mid
        todo += [(*piece[:widest], ends, *piece[widest + 1 :]) for ends in ((a, middle), (middle, b))]
    return False
