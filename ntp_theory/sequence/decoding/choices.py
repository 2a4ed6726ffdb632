"""Where a decoder's random choices come from: a generator of random numbers, or all answers one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...doors import generator, instance, shown
from ...errors import UsageError

__all__ = ["Choices", "Law", "Sampled", "law", "total_variation"]

Law = Sequence[Any] | NDArray[Any]
"""Probabilities (v,), floats or fractions."""
Outcome = TypeVar("Outcome", bound=Hashable)


class Choices(ABC):
    """What a stochastic decoder asks whenever something is left to chance."""

    @abstractmethod
    def draw(self, probabilities: Law) -> int:
        """One of the indices of a law, never one of probability 0."""

    @abstractmethod
    def accept(self, probability: Any) -> bool:
        """Yes with a probability."""


class Sampled(Choices):
    """Choices at random.

    Parameters
    ----------
    rng : int or numpy.random.Generator

    Examples
    --------
    >>> choices = Sampled(0)
    >>> [choices.draw([0.5, 0.0, 0.5]) for _ in range(8)]
    [2, 0, 0, 0, 2, 2, 2, 2]
    """

    def __init__(self, rng: int | np.random.Generator = 0) -> None:
        self.generator = generator(rng)

    def draw(self, probabilities: Law) -> int:
        """One of the indices of a law, never one of probability 0."""
        below = np.cumsum(np.asarray(probabilities, dtype=float))
        # random() < 1, so the number is below the last sum, and the first sum above it belongs to a positive entry
        return int(np.searchsorted(below, self.generator.random() * below[-1], side="right"))

    def accept(self, probability: Any) -> bool:
        """Yes with a probability."""
        return bool(self.generator.random() < float(probability))


class _Branch(Choices):
    """One run of a decoder: the answers of a script first, then the first answers that are possible."""

    def __init__(self, script: tuple[int, ...]) -> None:
        self.script, self.made = script, 0
        self.weight: Any = 1
        self.others: list[tuple[int, ...]] = []

    def draw(self, probabilities: Law) -> int:
        if self.made == len(self.script):
            first, *others = (index for index, weight in enumerate(probabilities) if weight > 0)
            self.others += [(*self.script, other) for other in others]
            self.script = (*self.script, first)
        answer = self.script[self.made]
        self.made += 1
        self.weight = self.weight * probabilities[answer]
        return answer

    def accept(self, probability: Any) -> bool:
        return self.draw([1 - probability, probability]) == 1


def law(decoder: Callable[[Choices], Outcome]) -> dict[Outcome, Any]:
    """The probability of every outcome of a decoder: it is run once for every way that its choices can turn out.

    Where probabilities are fractions the law is exact, and a decoder is right or wrong by equality (from
    `speculative/enumeration`).

    Parameters
    ----------
    decoder : callable
        From `Choices` to an outcome that can be a key; all else that it does must be determined.

    Returns
    -------
    dict of outcome to probability
        Of the type of the probabilities that were drawn with.

    Examples
    --------
    >>> from fractions import Fraction
    >>> half = Fraction(1, 2)
    >>> law(lambda choices: choices.draw([half, half]) + choices.accept(half))
    {0: Fraction(1, 4), 1: Fraction(1, 2), 2: Fraction(1, 4)}
    """
    found: dict[Outcome, Any] = {}
    scripts: list[tuple[int, ...]] = [()]
    while scripts:
        branch = _Branch(scripts.pop())
        outcome = decoder(branch)
        found[outcome] = found.get(outcome, 0) + branch.weight
        scripts += reversed(branch.others)
    return found


def check_law(name: str, law: Law) -> None:
    """Refuse what is not a list of probabilities, as far as its entries one by one tell."""
    try:
        wrong = [p for p in law if not p >= 0]
    except TypeError:
        raise UsageError(f"{name} is {shown(law)}; it must be probabilities, numbers >= 0") from None
    if wrong:
        raise UsageError(f"{name} has {wrong[0]}; it must be probabilities, numbers >= 0")


def total_variation(one: Mapping[Outcome, Any], other: Mapping[Outcome, Any]) -> Any:
    """Half the sum of the differences of two laws: the largest difference in the probability of any event.

    Examples
    --------
    >>> total_variation({"a": 0.75, "b": 0.25}, {"a": 0.5, "c": 0.5})
    0.5
    """
    instance("one", one, Mapping)
    instance("other", other, Mapping)
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in {**one, **other}) / 2
