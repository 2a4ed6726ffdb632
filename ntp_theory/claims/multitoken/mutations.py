"""Decoders that are wrong as public ones have been: the enumeration of laws finds each, at the derived distance."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from ...checks import Check
from ...sequence.decoding import Choices, acceptance_rate, block, law, token_verification, total_variation
from ...sequence.decoding.choices import Law
from ...sequence.decoding.verification import Verification
from ..registry import claim, same
from .mutants import argmax_draft, nucleus_match, residual_from_target, shared_number
from .settings import always, emitted, joint, numbered, pairs


def _first(p: Law, q: Law, make: Any = block, **options: Any) -> dict[int, Any]:
    """The law of the first token of a block of one draft."""
    return law(lambda choices: make(choices, always(p), always(q), 1, **options)[0][0])


@claim("speculative/mutation-argmax-draft", source="derived", evidence="exact")
def argmax() -> Iterator[Check]:
    """Drafting argmax q but testing with q is not exact: at q = p the distance is 1 - max p.

    10 drawn pairs, V = 4: the distance is positive, and at q = p as derived; with a drawn draft it is 0.
    """
    found = as_derived = right = 0
    for target, draft in pairs(10, 4, 0):
        p, q = target.law(()), draft.law(())
        found += total_variation(_first(p, q, argmax_draft), numbered(p)) > 0
        as_derived += total_variation(_first(p, p, argmax_draft), numbered(p)) == 1 - max(p)
        right += total_variation(_first(p, q), numbered(p)) == 0
    yield same(10, found, statement="pairs of which it is found")
    yield same(10, as_derived, statement="laws p of which the distance at q = p is 1 - max p")
    yield same(10, right, statement="pairs of which the right decoder is at distance 0")


@claim("speculative/mutation-residual", source="derived", evidence="exact")
def from_target() -> Iterator[Check]:
    """Replacing a refused draft from p itself gives the law min(p, q) + (1 - sum min(p, q)) p.

    10 drawn pairs, V = 4: that law; p = (1/2, 1/2), q = (3/4, 1/4) is off by 1/8, and a blind spot where q is in
    proportion to p wherever p > q.
    """
    as_derived = found = 0
    for target, draft in pairs(10, 4, 0):
        p, q = target.law(()), draft.law(())
        wrong = _first(p, q, verify=residual_from_target)
        lost = 1 - acceptance_rate(p, q)
        as_derived += wrong == numbered([min(a, b) + lost * a for a, b in zip(p, q, strict=True)])
        found += total_variation(wrong, numbered(p)) > 0
    yield same(10, as_derived, statement="pairs with the derived law")
    yield same(10, found, statement="pairs of which it is found")
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    seen, blind = ([half, half], [3 * quarter, quarter]), ([half, half, 0 * half], [quarter, quarter, half])
    for distance, (one, other) in (("1/8", seen), ("0", blind)):
        wrong = _first(one, other, verify=residual_from_target)
        words = f"distance for p = {_show(one)}, q = {_show(other)}"
        yield same(distance, str(total_variation(wrong, numbered(one))), statement=words)


@claim("speculative/mutation-shared-r", source="derived", evidence="exact")
def shared() -> Iterator[Check]:
    """One uniform number for the tests of all places: two tokens, p(0) = a < q(0) = b twice, are off by a (b - a).

    All a < b in sevenths, r integrated exactly; with a number for each place the distance is 0.
    """
    sevenths = [(Fraction(i, 7), Fraction(j, 7)) for j in range(1, 7) for i in range(1, j)]
    as_derived = right = 0
    for a, b in sevenths:
        as_derived += _distance([a, 1 - a], [b, 1 - b], shared_number) == a * (b - a)
        right += _distance([a, 1 - a], [b, 1 - b], token_verification) == 0
    yield same(len(sevenths), as_derived, statement="pairs (a, b) with the derived distance")
    yield same(len(sevenths), right, statement="pairs of which the right decoder is at distance 0")


def _distance(p: Law, q: Law, verify: Verification) -> Any:
    """Of the law of three tokens, two drafts and one more, from the target's."""
    return total_variation(emitted(always(p), always(q), 2, verify), joint(always(p), 3))


@claim("speculative/mutation-nucleus-match", source="derived", evidence="exact")
def nucleus() -> Iterator[Check]:
    """Sample-and-match that throws a mismatching sample away is off by p(1 - p), p the probability of the draft.

    10 drawn laws, V = 4, every token as the draft.
    """
    as_derived = 0
    for target, _ in pairs(10, 4, 0):
        p = target.law(())
        for draft in range(4):
            as_derived += total_variation(_nucleus(p, draft), numbered(p)) == p[draft] * (1 - p[draft])
    yield same(40, as_derived, statement="laws and drafts with the derived distance")


def _nucleus(p: Law, draft: int) -> dict[int, Any]:
    return law(lambda choices: nucleus_match(choices, p, draft))


@claim("medusa/defect-4", source="FasterDecoding/Medusa e2a5d20", evidence="exact")
def nucleus_rows() -> Iterator[Check]:
    """The public nucleus mode gives a draft of probability p the probability p(2 - p); m rows, 1 - (1 - p)^(m + 1).

    10 drawn laws: one row, and 2 and 3 rows with the same draft whose samples are drawn for each row.
    """
    right = 0
    for target, _ in pairs(10, 4, 0):
        p = target.law(())
        for rows in (1, 2, 3):

            def decoder(choices: Choices, p: Law = p, rows: int = rows) -> bool:
                matched = [choices.draw(p) == 0 for _ in range(rows)]
                return any(matched) or choices.draw(p) == 0

            right += law(decoder)[True] == 1 - (1 - p[0]) ** (rows + 1)
    yield same(30, right, statement="laws and numbers of rows with the derived probability")
    value = Fraction("0.24165")
    numbers = [_nucleus([value, 1 - value], 0)[0], value * (1 - value)]
    yield same("0.4249, 0.1833", ", ".join(f"{float(x):.4f}" for x in numbers), statement="predicted, at p = .24165")


@claim("speculative/mutation-hf-32867", source="transformers #32867; checked", evidence="exact")
def greedy_assistant() -> Iterator[Check]:
    """A greedy assistant tested with softmax probabilities: draft law (.8, .2), target (.6, .4), output (3/4, 1/4).

    Enumerated; exact again if the assistant draws from its law, or if its law is taken to be the token for certain.
    """
    p, q = [Fraction(6, 10), Fraction(4, 10)], [Fraction(8, 10), Fraction(2, 10)]
    yield same("(3/4, 1/4)", _show([_first(p, q, argmax_draft)[token] for token in range(2)]), statement="output")
    for words, draft in (("drawn", q), ("certain", [Fraction(1), Fraction(0)])):
        found = _first(p, draft)
        yield same("(3/5, 2/5)", _show([found[token] for token in range(2)]), statement=f"output, draft {words}")


@claim("speculative/code-eagle", source="SafeAILab/EAGLE", evidence="exact")
def eagle() -> Iterator[Check]:
    """Candidates that are certain: accept x with p(x), else set p(x) = 0 and normalise, and try the next one: exact.

    10 drawn laws, V = 4, all lists of up to three candidates in two orders.
    """
    right = 0
    lists = [[0], [3], [0, 1], [2, 0], [0, 1, 2], [3, 1, 0]]
    for target, _ in pairs(10, 4, 0):
        p = target.law(())
        for candidates in lists:
            right += _eagle_law(p, candidates) == numbered(p)
    yield same(10 * len(lists), right, statement="laws and lists with exactly the target's law")


def _eagle_law(p: Any, candidates: list[int]) -> dict[int, Any]:
    def decoder(choices: Choices) -> int:
        left = p.copy()
        for token in candidates:
            if choices.accept(left[token]):
                return token
            left[token] = Fraction(0)
            left = left / left.sum()
        return choices.draw(left)

    return law(decoder)


@claim("speculative/code-llmspeculativesampling", source="feifeibear/LLMSpeculativeSampling", evidence="exact")
def same_seed() -> Iterator[Check]:
    """A generator that is seeded again before every draw gives all places the same number: not exact.

    Its analogue, one number for the tests of a block: three drafts, V = 3, 5 drawn pairs; all are found.
    """
    found = 0
    for target, draft in pairs(5, 3, 3):
        found += total_variation(emitted(target.law, draft.law, 3, shared_number), joint(target.law, 4)) > 0
    yield same(5, found, statement="pairs of which it is found")


@claim("speculative/code-romsto", source="romsto/Speculative-Decoding", evidence="exact")
def romsto() -> Iterator[Check]:
    """Its default, argmax drafts and a softmax test, is neither greedy nor exact; its option draws refused ones from p.

    10 drawn pairs, V = 4: the first differs from both laws, the second from the target's.
    """
    sampling = greedy = option = 0
    for target, draft in pairs(10, 4, 0):
        p, q = target.law(()), draft.law(())
        found = _first(p, q, argmax_draft)
        sampling += found != numbered(p)
        greedy += found != {int(p.argmax()): 1}
        option += _first(p, q, verify=residual_from_target) != numbered(p)
    yield same("10, 10", f"{sampling}, {option}", statement="pairs not exact, by default and with the option")
    yield same(
        True, greedy > 0, statement=f"pairs not greedy ({greedy} of 10; where p >= q at argmax q = argmax p it is)"
    )


def _show(law_x: Law) -> str:
    return f"({', '.join(map(str, law_x))})"
