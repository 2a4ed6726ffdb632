"""Sizes and costs: what follows by counting."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from ...checks import Check
from ...sequence.models import model_for
from ...sequence.tasks import PathStar
from ..registry import claim, same

# The published run: parameters, fixed graphs, tokens of one, epochs.
PUBLISHED = 10_600_000, 200_000, 31, 100


def _parameters(length: int, num_nodes: int) -> int:
    return sum(p.numel() for p in model_for(PathStar(2, length, num_nodes)).parameters())


def _positions(task: PathStar) -> int:
    """Of the input: the last token of the answer is only predicted."""
    return task.max_length - 1


@claim("pitfalls/small-machines", source="own runs", evidence="exact")
def small_machines() -> Iterator[Check]:
    """The models of the small experiments have 254,656, 265,152 and 203,968 parameters, their inputs 15 or 12 places.

    Counted: G(2, 5) with 9 labels and with 50, five layers of width 64; G(2, 4) with four.
    """
    for length, labels, counted, positions in ((5, 9, 254_656, 15), (5, 50, 265_152, 15), (4, 7, 203_968, 12)):
        words = f"G(2, {length}) with {labels} labels"
        yield same(counted, _parameters(length, labels), statement=f"parameters of the model for {words}")
        yield same(positions, _positions(PathStar(2, length, labels)), statement=f"positions of {words}")


@claim("pitfalls/cost", source="derived", evidence="exact")
def cost() -> Iterator[Check]:
    """The published run costs about 4e16 operations: six a parameter and token.

    The product of its parameters, graphs, tokens and epochs.
    """
    yield same("3.94e+16", f"{6 * math.prod(PUBLISHED):.2e}", statement="6 x parameters x tokens")


@claim("pitfalls/cpu-conclusions", source="own runs", evidence="exact")
def cpu_conclusions() -> Iterator[Check]:
    """The small demonstration costs a thousandth to a three-thousandth of the published run.

    Its operations counted from the model and the task; 576,000 examples.
    """
    ours = 6 * _parameters(5, 9) * _positions(PathStar(2, 5, 9)) * 576_000
    yield same("1.3e+13", f"{ours:.1e}", statement="6 x parameters x tokens of 576,000 examples")
    ratio = 6 * math.prod(PUBLISHED) / ours
    yield same(True, 1000 < ratio < 10**3.5, statement=f"published over small: {ratio:.0f}")


@claim("pitfalls/results-nextlat", source="2511.05963v4 Fig. 6 (digitised)", evidence="exact")
def nextlat() -> Iterator[Check]:
    """20,000 steps of 512 on 200,000 graphs are 51 epochs, and their next-token rows are at chance 1/d.

    The arithmetic, and the printed 49.4, 18.6 and 12.6 % against 1/2, 1/5 and 1/7 within 2 %.
    """
    yield same("256/5", str(Fraction(20_000 * 512, 200_000)), statement="epochs")
    for degree, printed in ((2, "49.4"), (5, "18.6"), (7, "12.6")):
        near = abs(Fraction(printed) - Fraction(100, degree)) <= 2
        yield same(True, near, statement=f"printed {printed} % is within 2 % of chance at d = {degree}")
