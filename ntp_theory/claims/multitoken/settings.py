"""Tables that the claims on decoding share, and what is asked of their laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ...sequence.decoding import Choices, block, law, token_verification
from ...sequence.decoding.choices import Law
from ...sequence.decoding.verification import Model, Verification
from ...sequence.models import Table

__all__ = ["always", "by_place", "completed", "emitted", "joint", "kept", "matched", "mean", "numbered", "pairs"]


def pairs(count: int, vocab_size: int, memory: int) -> list[tuple[Table, Table]]:
    """Targets and draft models with positive laws."""
    return [
        (Table.random(vocab_size, memory, rng=seed), Table.random(vocab_size, memory, rng=1000 + seed))
        for seed in range(count)
    ]


def always(probabilities: Law) -> Model:
    """A model with the same law after every text."""
    return lambda text: probabilities


def by_place(laws: Sequence[Law]) -> Model:
    """Parallel heads: a law for every place."""
    return lambda text: laws[len(text)]


def completed(
    choices: Choices, tokens: tuple[int, ...], model: Model, length: int, eos: int | None = None
) -> tuple[int, ...]:
    """A text that the model goes on with, token by token, until it is long enough or ends."""
    while len(tokens) < length and not (tokens and tokens[-1] == eos):
        tokens = (*tokens, choices.draw(model(tokens)))
    return tokens


def joint(model: Model, length: int, eos: int | None = None) -> dict[tuple[int, ...], Any]:
    """The law of a text under a model."""
    return law(lambda choices: completed(choices, (), model, length, eos))


def emitted(
    target: Model, draft: Model, gamma: int, verify: Verification = token_verification
) -> dict[tuple[int, ...], Any]:
    """The law of gamma + 1 tokens: those of a block, and the target's own after them."""
    return law(lambda choices: completed(choices, block(choices, target, draft, gamma, verify)[0], target, gamma + 1))


def kept(target: Model, draft: Model, gamma: int, verify: Verification = token_verification) -> dict[int, Any]:
    """The law of how many drafts of a block are kept."""
    return law(lambda choices: block(choices, target, draft, gamma, verify)[1])


def matched(one: Law, other: Law) -> Any:
    """The probability that two draws coincide."""
    return law(lambda choices: choices.draw(one) == choices.draw(other))[True]


def mean(numbers: Mapping[int, Any]) -> Fraction:
    """The mean of a law of numbers."""
    return sum((number * Fraction(weight) for number, weight in numbers.items()), Fraction(0))


def numbered(probabilities: Law) -> dict[int, Any]:
    """The law of one token by token, as `law` gives it."""
    return {token: p for token, p in enumerate(probabilities) if p}
