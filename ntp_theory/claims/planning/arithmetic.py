"""Multiplication with filler zeros: texts that can be read back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ...checks import Check
from ...sequence.tasks import Multiplication
from ..registry import claim, same

# Digits and padding: that of the public code with and without fillers, and one beyond what 64 bits hold.
SHAPES = ((5, 5), (5, 10), (20, 25))


@claim("planning/multiplication", source="FutureGPT2-public notebook", evidence="exact")
def multiplication() -> Iterator[Check]:
    """The text ``x*y=xy``, digits in reverse and factors padded with zeros, determines the factors and the product.

    All pairs of factors below 100, and 500 drawn ones for each of three sizes, 20 digits among them: written and read
    back, the product against that of whole numbers.
    """
    every, task = list(itertools.product(range(100), repeat=2)), Multiplication(2, 4)
    yield same(0, _wrong(task, every), statement=f"texts of {len(every)} that are read otherwise, {task!r}")
    for digits, padding in SHAPES:
        task = Multiplication(digits, padding)
        wrong = _wrong(task, task.factors(task.sample(500)))
        yield same(0, wrong, statement=f"texts of 500 that are read otherwise, {task!r}")


def _wrong(task: Multiplication, factors: list[tuple[int, int]]) -> int:
    """How many are not read back as they were, or have a product which is not theirs."""
    wrong = 0
    for x, y in factors:
        text = task.format((x, y))
        wrong += task.parse(text) != (x, y) or int(text.partition("=")[2][::-1]) != x * y
    return wrong
