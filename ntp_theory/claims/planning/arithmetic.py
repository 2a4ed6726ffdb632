"""Multiplication with filler zeros: texts that can be read back, and what the zeros are worth to small models."""

from __future__ import annotations

from collections.abc import Iterator

from ...checks import Check
from ...sequence.measures import Evaluation
from ...sequence.models import model_for
from ...sequence.objectives import Myopic, TeacherForcing
from ...sequence.tasks import Multiplication
from ...sequence.training import Settings, train
from ..registry import Budget, at_most, claim, same, shared

# Of the runs: few digits, paddings without and with filler zeros, steps of 128 products.
DIGITS, PADDINGS, STEPS = 2, (2, 6), 1000
# Held-out products that a run is judged by.
COUNT = 1000
# Digits and padding: that of the public code with and without fillers, and one beyond what 64 bits hold.
SHAPES = ((5, 5), (5, 10), (20, 25))


@shared
def trained(myopic: bool, padding: int) -> Evaluation:
    """What a model of 3 layers of width 64 says in the end of products of two digits, one seed."""
    task = Multiplication(DIGITS, padding)
    objective = Myopic(TeacherForcing()) if myopic else TeacherForcing()
    settings = Settings(learning_rate=2e-3, schedule="cosine", warmup=min(100, STEPS // 4))
    result = train(model_for(task, layers=3), task, objective, steps=STEPS, settings=settings, evaluate_count=COUNT)
    return result.evaluations[-1]


@claim(
    "planning/multiplication",
    source="FutureGPT2-public notebook",
    evidence="exact",
    standard="And 2 digits, 3 layers, 128,000 products, one seed, plain and myopic (hidden states cut), without filler "
    "zeros and with 4 a factor: the zeros gain nothing, with neither. Reported for 5 digits and 124M parameters: they "
    "take a plain model from 0.36 to 0.99 and a myopic one from 0.38 to 0.06; not to be seen at this size.",
)
def multiplication(budget: Budget) -> Iterator[Check]:
    """The text ``x*y=xy``, digits in reverse and factors padded with zeros, determines the factors and the product.

    All pairs of factors below 100, and 500 drawn ones for each of three sizes, 20 digits among them: written and read
    back, the product against that of whole numbers.
    """
    every, task = [(x, y) for x in range(100) for y in range(100)], Multiplication(2, 4)
    yield same(0, _wrong(task, every), statement=f"texts of {len(every)} that are read otherwise, {task!r}")
    for digits, padding in SHAPES:
        task = Multiplication(digits, padding)
        wrong = _wrong(task, task.factors(task.sample(500)))
        yield same(0, wrong, statement=f"texts of 500 that are read otherwise, {task!r}")
    if budget == "quick":
        return
    for name, myopic in (("plain", False), ("myopic", True)):
        bare, padded = (trained(myopic, padding) for padding in PADDINGS)
        words = (
            f"{name}: accuracy {bare.free:.3f}, loss {bare.loss:.4f} at padding {PADDINGS[0]}; {padded.free:.3f}, "
            f"{padded.loss:.4f} at {PADDINGS[1]}; what the zeros gain"
        )
        # three standard errors of a difference of two shares
        slack = 3 * (2 * 0.25 / COUNT) ** 0.5
        yield at_most(0.0, padded.free - bare.free, slack=slack, evidence="measured", statement=words)


def _wrong(task: Multiplication, factors: list[tuple[int, int]]) -> int:
    """How many are not read back as they were, or have a product which is not theirs."""
    wrong = 0
    for x, y in factors:
        text = task.format((x, y))
        wrong += task.parse(text) != (x, y) or int(text.partition("=")[2][::-1]) != x * y
    return wrong
