"""Speculative sampling has exactly the law of the target: laws are enumerated in fractions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch

from ...checks import Check
from ...sequence.decoding import (
    Choices,
    block_verification,
    law,
    speculative_sample,
    token_verification,
    total_variation,
)
from ...sequence.decoding.verification import Model
from ...sequence.models import Table
from ..registry import claim, same
from .settings import always, by_place, emitted, joint, kept, matched, mean, numbered, pairs


@claim("speculative/step", source="2211.17192", evidence="exact")
def step() -> Iterator[Check]:
    """Keep x ~ q with probability min(1, p/q), else take x ~ max(0, p - q), normalised: x ~ p, for any q.

    The law of four tokens by blocks of three drafts, in fractions, for 5 pairs of drawn tables.
    """
    exact = sum(emitted(p.law, q.law, 3) == joint(p.law, 4) for p, q in pairs(5, 3, 3))
    yield same(5, exact, statement="laws of blocks that are the target's, by equality of fractions")


@claim("speculative/enumeration", source="derived", evidence="exact")
def enumeration() -> Iterator[Check]:
    """The law of a decoder is the sum over its branches: it is right by equality, not by a p-value.

    The whole decoder on tables of four tokens, with blocks that the limit or an end of sequence cuts; and one draft
    with a test that is off by a thousandth, which is found.
    """
    for verification in ("token", "block"):
        exact = sum(
            _decoded(target, draft, verification) == joint(_after_0(target), 4, eos=3)
            for target, draft in pairs(2, 4, 2)
        )
        yield same(2, exact, statement=f"laws of speculative_sample that are the target's, verification {verification}")
    p, q = [Fraction(1, 2)] * 2, [Fraction(3, 4), Fraction(1, 4)]
    tested = [Fraction(751, 1000), Fraction(249, 1000)]

    def off(choices: Choices) -> int:
        token = choices.draw(q)
        passed, following = token_verification(choices, [p, p], [tested], [token])
        return token if passed else choices.draw(following)

    # token 0 is kept with probability .5 / .751, and is never what a refusal gives
    gap = p[0] - q[0] * p[0] / tested[0]
    yield same(str(gap), str(total_variation(law(off), numbered(p))), statement="distance with a test off by 1/1000")


def _after_0(table: Table) -> Model:
    return lambda text: table.law((0, *text))


def _decoded(target: Table, draft: Table, verification: str) -> dict[tuple[int, ...], Any]:
    """The law of four tokens after the prompt 0, or fewer if 3 ends the text."""

    def decoder(choices: Choices) -> tuple[int, ...]:
        options: Any = {"gamma": 3, "eos": 3, "verification": verification, "rng": choices}
        return speculative_sample(target, draft, torch.tensor([[0]]), 4, **options).texts()[0]

    return law(decoder)


@claim("speculative/parallel-heads", source="derived", evidence="exact")
def parallel_heads() -> Iterator[Check]:
    """Parallel heads are admissible drafts: the law stays exact although a draft does not see those before it.

    Random heads and Bayes-optimal ones (marginal laws) on 5 drawn tables, two drafts, V = 3.
    """
    exact = 0
    for target, other in pairs(5, 3, 2):
        marginal = [Fraction(0)] * 3
        for (_, second), weight in joint(target.law, 2).items():
            marginal[second] += weight
        for first, second_head in ((target.law(()), marginal), (other.law((0,)), other.law((1,)))):
            exact += emitted(target.law, by_place([first, second_head]), 2) == joint(target.law, 3)
    yield same(10, exact, statement="laws with parallel heads that are the target's")


@claim("speculative/block-verification", source="2403.10444; checked", evidence="exact")
def block_verified() -> Iterator[Check]:
    """Verifying a block as a whole keeps more, p = (1/3, 2/3), q = (2/3, 1/3), two drafts: 11/9 and 10/9, both exact.

    That example; and 8 pairs of drawn tables with three drafts: the law is the target's, and no fewer are kept.
    """
    p, q = [Fraction(1, 3), Fraction(2, 3)], [Fraction(2, 3), Fraction(1, 3)]
    for name, verify, expected in (("token", token_verification, "10/9"), ("block", block_verification, "11/9")):
        found = str(mean(kept(always(p), always(q), 2, verify)))
        yield same(expected, found, statement=f"mean number of kept drafts, verification {name}")
        alike = emitted(always(p), always(q), 2, verify) == joint(always(p), 3)
        yield same(True, alike, statement=f"the law is the target's, verification {name}")
    exact = as_many = 0
    for target, draft in pairs(8, 3, 2):  # with two tokens every residual is certain, whatever its weights
        exact += emitted(target.law, draft.law, 3, block_verification) == joint(target.law, 4)
        by_block = mean(kept(target.law, draft.law, 3, block_verification))
        as_many += by_block >= mean(kept(target.law, draft.law, 3))
    yield same(8, exact, statement="drawn pairs with the target's law")
    yield same(8, as_many, statement="drawn pairs of which a block keeps no fewer")


@claim("speculative/sample-and-match", source="derived", evidence="exact")
def sample_and_match() -> Iterator[Check]:
    """Emit the target's own sample and keep the draft if it coincides: sum pq are kept, against sum min(p, q).

    10 drawn pairs, V = 4, in fractions; at p = q it is sum p^2 against 1.
    """
    right = fewer = 0
    for target, draft in pairs(10, 4, 0):
        p, q = target.law(()), draft.law(())
        right += matched(p, q) == sum(p * q)
        fewer += matched(p, q) <= mean(kept(target.law, draft.law, 1))
    yield same(10, right, statement="pairs that match with probability sum pq")
    yield same(10, fewer, statement="pairs that match no more often than speculative sampling keeps")
    p = pairs(1, 4, 0)[0][0].law(())
    found = f"{matched(p, p)} and {mean(kept(always(p), always(p), 1))}"
    yield same(f"{sum(p * p)} and 1", found, statement="matched and kept at p = q")


@claim("speculative/chi-square", source="derived", evidence="exact")
def chi_square() -> Iterator[Check]:
    """To see a total variation TV over K outcomes a chi-square statistic needs about K / (4 TV^2) samples.

    With N of them its mean rises by N sum (q - p)^2 / p, which is K for p uniform and |q - p| = 2 TV / K: 64 outcomes
    take 6,400 samples for .05, and 16 million for .001.
    """
    for words, tv in ((".05", Fraction(1, 20)), (".001", Fraction(1, 1000))):
        p = [Fraction(1, 64)] * 64
        q = [one + (-1) ** k * 2 * tv / 64 for k, one in enumerate(p)]
        shift = sum((b - a) ** 2 / a for a, b in zip(p, q, strict=True))
        yield same(str(tv), str(total_variation(numbered(p), numbered(q))), statement=f"distance, built to be {words}")
        yield same(str(64 / (4 * tv**2)), str(64 / shift), statement=f"samples that raise the mean by K at {words}")
