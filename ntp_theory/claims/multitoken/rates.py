"""How many drafts speculative sampling keeps: exactly, by formulas for independent acceptances, and at most."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from ...checks import Check
from ...sequence.decoding import (
    acceptance_rate,
    expected_tokens,
    independent_tokens,
    operations_factor,
    survival,
    total_variation,
    walltime_factor,
)
from ..registry import at_most, claim, same
from .settings import by_place, joint, kept, mean, numbered, pairs

# Reported tokens a forward pass with 1, 2, 3, 4 heads.
REPORTED = {
    "wiki": ("1.00", "1.88", "2.57", "3.12"),
    "books": ("1.00", "1.87", "2.56", "3.09"),
    "code": ("1.00", "1.94", "2.78", "3.50"),
}


@claim("speculative/acceptance-rate", source="2211.17192", evidence="exact")
def rate() -> Iterator[Check]:
    """A draft is kept with probability sum min(p, q) = 1 - TV(p, q).

    20 drawn pairs, V = 4: the enumerated probability, the sum, and 1 - TV.
    """
    right = 0
    for target, draft in pairs(20, 4, 0):
        p, q = target.law(()), draft.law(())
        right += (
            mean(kept(target.law, draft.law, 1))
            == acceptance_rate(p, q)
            == 1 - total_variation(numbered(p), numbered(q))
        )
    yield same(20, right, statement="pairs of which all three are the same fraction")


@claim("speculative/exact-acceptance", source="derived", evidence="exact")
def exact_acceptance() -> Iterator[Check]:
    """E[kept] = sum over j and over texts of j tokens of the product of min(p, q): no independence is assumed.

    5 drawn pairs, V = 3, three drafts: the sum, and the enumeration of all branches.
    """
    right = 0
    for target, draft in pairs(5, 3, 3):
        found = kept(target.law, draft.law, 3)
        tail = [sum(weight for number, weight in found.items() if number >= j) for j in (1, 2, 3)]
        right += tail == survival(target.law, draft.law, 3) and mean(found) == sum(tail)
    yield same(5, right, statement="pairs with the survival, and the mean, that enumeration finds")


@claim("speculative/expected-tokens", source="2211.17192", evidence="exact")
def tokens() -> Iterator[Check]:
    """A block emits (1 - a^(gamma+1)) / (1 - a) tokens if acceptances are independent of rate a, and only then.

    Models without memory: equality in fractions. One fair coin that decides on all drafts: 2, the formula says 7/4.
    """
    right = 0
    for target, draft in pairs(10, 4, 0):
        alpha = acceptance_rate(target.law(()), draft.law(()))
        formula = (1 - alpha**4) / (1 - alpha)
        right += expected_tokens(target.law, draft.law, 3) == independent_tokens(alpha, 3) == formula
    yield same(10, right, statement="models without memory of which the formula is exact")
    one, half = Fraction(1), Fraction(1, 2)

    def target_law(text: tuple[int, ...]) -> Sequence[Fraction]:
        return [one, 0 * one] if text else [half, half]

    def coin(text: tuple[int, ...]) -> Sequence[Fraction]:  # after 1 the draft model and the target agree on nothing
        return [one, 0 * one] if text and text[0] == 0 else [0 * one, one] if text else [half, half]

    rates = survival(target_law, coin, 3)
    yield same("1, 1/2, 1/2", ", ".join(map(str, rates)), statement="drafts after the coin: all of them or none")
    yield same("2", str(1 + rates[1] + rates[2]), statement="tokens of the two drafts after the coin")
    yield same("7/4", str(independent_tokens(half, 2)), statement="by the formula at rate 1/2")


@claim("multitoken/iid-gap", source="derived from Table S2", evidence="exact")
def iid_gap() -> Iterator[Check]:
    """With the rate of the first draft the formula for independent acceptances exceeds the reported tokens a pass.

    Three drafts: 3.65 for code (reported 3.50), 3.34 for Wikipedia (3.12), 3.29 for books (3.09).
    """
    for data, predicted in (("code", "3.65"), ("wiki", "3.34"), ("books", "3.29")):
        first = Fraction(REPORTED[data][1]) - 1
        found = independent_tokens(first, 3)
        yield same(predicted, f"{round(100 * found) / 100:.2f}", statement=f"by the formula, {data}")
        yield same(True, found > Fraction(REPORTED[data][3]), statement=f"more than reported, {data}")


@claim("multitoken/survival", source="derived from Table S2", evidence="exact")
def reported_survival() -> Iterator[Check]:
    """How often the j-th draft is kept follows from reported tokens a pass by differencing.

    Wikipedia .88, .69, .55; books .87, .69, .53; code .94, .84, .72, in fractions.
    """
    for name, said in (("wiki", ".88 .69 .55"), ("books", ".87 .69 .53"), ("code", ".94 .84 .72")):
        found = [Fraction(b) - Fraction(a) for a, b in itertools.pairwise(REPORTED[name])]
        yield same(True, found == [Fraction(x) for x in said.split()], statement=f"survival {said}, {name}")


@claim("speculative/walltime", source="2211.17192", evidence="exact")
def walltime() -> Iterator[Check]:
    """With independent acceptances decoding is (1 - a^(gamma+1)) / ((1 - a)(gamma c + 1)) times as fast.

    A grid of rates, draft lengths and costs, in fractions: the formula; one draft pays exactly where a > c.
    """
    grid = _grid()
    right = sum(walltime_factor(a, g, c) == (1 - a ** (g + 1)) / ((1 - a) * (g * c + 1)) for a, g, c in grid)
    yield same(len(grid), right, statement="settings of which the formula is the factor")
    pays = sum((walltime_factor(a, 1, c) > 1) == (a > c) for a, _, c in grid)
    yield same(len(grid), pays, statement="settings of which one draft pays exactly where the rate is above the cost")


@claim("speculative/operations", source="2211.17192", evidence="exact")
def operations() -> Iterator[Check]:
    """Operations grow by (1 - a)(gamma c + gamma + 1) / (1 - a^(gamma+1)), and never shrink.

    The same grid: the formula, and that no factor is below 1 + gamma c / (gamma + 1).
    """
    grid = _grid()
    right = sum(operations_factor(a, g, c) == (1 - a) * (g * c + g + 1) / (1 - a ** (g + 1)) for a, g, c in grid)
    yield same(len(grid), right, statement="settings of which the formula is the factor")
    above = sum(operations_factor(a, g, c) >= 1 + g * c / (g + 1) for a, g, c in grid)
    yield same(len(grid), above, statement="settings with at least that many operations")


def _grid() -> list[tuple[Fraction, int, Fraction]]:
    ninths = [Fraction(k, 9) for k in range(9)]
    return [(a, g, c) for a in ninths for g in range(1, 6) for c in ninths]


@claim("speculative/acceptance-information", source="derived", evidence="certified")
def information() -> Iterator[Check]:
    """A Bayes-optimal parallel head is refused at the second place with probability at most sqrt(I(X; Y) / 2).

    Three drawn tables, V = 4: the refusals exactly, and the bound from the mutual information of the two tokens.
    """
    for seed, (target, _) in enumerate(pairs(3, 4, 1)):
        both, first = joint(target.law, 2), target.law(())
        second = [sum((w for (_, y), w in both.items() if y == z), Fraction(0)) for z in range(4)]
        rates = survival(target.law, by_place([first, second]), 2)
        mutual = math.fsum(float(w) * math.log(w / (first[x] * second[y])) for (x, y), w in both.items())
        words = f"refused at the second place, table {seed}; at the first never: {rates[0] == 1}"
        # 16 terms, each rounded to some 1e-16
        bound = math.sqrt(mutual / 2)
        yield at_most(bound, float(rates[0] - rates[1]), slack=1e-14, evidence="certified", statement=words)


@claim("speculative/head-not-optimal", source="derived", evidence="exact")
def head_not_optimal() -> Iterator[Check]:
    """A parallel head trained by cross-entropy, the marginal law, need not have the highest acceptance rate.

    p(x) = (.4, .3, .3), y = 0, 1, 1: .52 against .6 for the best head; on 10 drawn tables, V = 4, the best head by the
    linear program, which its dual bound certifies in fractions, is no worse, and better on at least one.
    """
    sure = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]
    weights, laws = [Fraction(2, 5), Fraction(3, 10), Fraction(3, 10)], [sure[0], sure[1], sure[1]]
    head, bound = _best_head(weights, laws)
    found = [_rate(weights, laws, q) for q in (_marginal(weights, laws), head)]
    yield same("13/25, 3/5, 3/5", f"{found[0]}, {found[1]}, {bound}", statement="marginal, best, dual bound")
    certified = better = 0
    for target, _ in pairs(10, 4, 1):
        weights, laws = list(target.law(())), [list(target.law((x,))) for x in range(4)]
        head, bound = _best_head(weights, laws)
        certified += _rate(weights, laws, head) == bound >= _rate(weights, laws, _marginal(weights, laws))
        better += bound > _rate(weights, laws, _marginal(weights, laws))
    yield same(10, certified, statement="tables whose best head reaches its dual bound, no worse than the marginal")
    yield same(True, better > 0, statement=f"better than the marginal on some ({better} of 10)")


Weights = list[Fraction]
Rows = list[list[Fraction]]


def _rate(weights: Weights, laws: Rows, head: Weights) -> Any:
    return sum(w * acceptance_rate(law_y, head) for w, law_y in zip(weights, laws, strict=True))


def _marginal(weights: Weights, laws: Rows) -> Weights:
    columns = zip(*laws, strict=True)
    return [sum((w * p for w, p in zip(weights, column, strict=True)), Fraction(0)) for column in columns]


def _best_head(weights: Weights, laws: Rows) -> tuple[Weights, Fraction]:
    """The head of the highest rate, and a bound on every head's.

    A token's part of the rate is concave in its share, and linear between the probabilities that it has: the share 1 is
    given out along falling slopes, and the slope at which it ends is the multiplier of the bound.
    """
    columns = list(zip(*laws, strict=True))
    pieces = []
    for token, column in enumerate(columns):
        ends = sorted({Fraction(0), *column})
        for low, high in itertools.pairwise(ends):
            slope = sum((w for w, p in zip(weights, column, strict=True) if p > low), Fraction(0))
            pieces.append((slope, token, high - low))
    head, left, last = [Fraction(0)] * len(columns), Fraction(1), Fraction(0)
    for slope, token, width in sorted(pieces, reverse=True):
        last, taken = slope, min(width, left)
        head[token], left = head[token] + taken, left - taken
        if not left:
            break
    bound = last
    for column in columns:
        parts = ((sum(w * min(p, s) for w, p in zip(weights, column, strict=True)), s) for s in (Fraction(0), *column))
        bound += max(part - last * s for part, s in parts)
    return head, bound
