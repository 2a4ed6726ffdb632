"""Exact laws of decoding procedures: a procedure asks ``choose`` for every draw, and all answers are tried."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import sympy as sp

__all__ = [
    "block",
    "completed",
    "distance",
    "generic_tokens",
    "joint",
    "keep",
    "larger",
    "law",
    "residual",
    "smaller",
    "table",
    "verify",
]

# A weight is a Fraction, an integer or a sympy expression; a law is a list of weights, one a token.
Law = Sequence[Any]
Choose = Callable[[Law], int]
Model = Callable[[tuple[int, ...]], Law]
Outcome = TypeVar("Outcome", bound=Hashable)


class _Draws:
    """One run of a procedure: the answers of a script first, then the first answers that are possible."""

    def __init__(self, script: tuple[int, ...]) -> None:
        self.script = script
        self.made: tuple[int, ...] = ()
        self.weight: Any = 1
        self.others: list[tuple[int, ...]] = []

    def choose(self, weights: Law) -> int:
        if len(self.made) < len(self.script):
            answer = self.script[len(self.made)]
        else:
            answer, *others = [k for k, weight in enumerate(weights) if weight != 0]
            self.others += [(*self.made, other) for other in others]
        self.made = (*self.made, answer)
        self.weight = self.weight * weights[answer]
        return answer


def law(procedure: Callable[[Choose], Outcome]) -> dict[Outcome, Any]:
    """The probability of every outcome of a procedure: the sum over its branches of the products of their weights.

    Examples
    --------
    >>> half = Fraction(1, 2)
    >>> law(lambda choose: choose([half, half]) + choose([half, half]))
    {0: Fraction(1, 4), 1: Fraction(1, 2), 2: Fraction(1, 4)}
    """
    found: dict[Outcome, Any] = {}
    todo: list[tuple[int, ...]] = [()]
    while todo:
        draws = _Draws(todo.pop())
        outcome = procedure(draws.choose)
        found[outcome] = found.get(outcome, 0) + draws.weight
        todo += reversed(draws.others)
    return found


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers, or of two expressions whose order follows from the assumptions on their symbols."""
    if not (isinstance(a, sp.Expr) or isinstance(b, sp.Expr)):
        return min(a, b)
    gap = sp.factor(sp.sympify(b) - a)
    if gap.is_nonnegative:
        return a
    if gap.is_nonpositive:
        return b
    raise ValueError(f"the order of {a} and {b} is not decided")


def larger(a: Any, b: Any) -> Any:
    """The larger of two; see ``smaller``."""
    return b if smaller(a, b) is a else a


def generic_tokens() -> list[tuple[sp.Expr, sp.Expr]]:
    """Probabilities (p, q) of one token under target and draft, in each order: p >= q > 0, 0 <= p <= q, and q = 0."""
    p, q = sp.Symbol("p", nonnegative=True), sp.Symbol("q", positive=True)
    return [(q + p, q), (p, p + q), (p, sp.Integer(0))]


def keep(p: Any, q: Any) -> Any:
    """Probability that a drafted token is kept, ``min(1, p / q)``."""
    one = sp.Integer(1) if isinstance(p, sp.Expr) or isinstance(q, sp.Expr) else Fraction(1)
    return smaller(one, p / q)


def residual(p: Law, q: Law) -> list[Any]:
    """``max(0, p - q)``, normalised; it is asked for only where the draft may be refused."""
    parts = [larger(a - b, 0) for a, b in zip(p, q, strict=True)]
    total = sum(parts)
    return [part / total for part in parts]


def verify(choose: Choose, p: Law, q: Law, x: int) -> tuple[bool, int]:
    """One verification of speculative sampling: whether the draft x is kept, and the token that is emitted."""
    kept = keep(p[x], q[x])
    if choose([1 - kept, kept]):
        return True, x
    return False, choose(residual(p, q))


def block(choose: Choose, target: Model, draft: Model, length: int) -> tuple[tuple[int, ...], int]:
    """One block of speculative sampling: the tokens emitted, and how many of them are drafts.

    ``target`` and ``draft`` give the law of the next token after the tokens so far.
    """
    drafts: tuple[int, ...] = ()
    for _ in range(length):
        drafts = (*drafts, choose(draft(drafts)))
    for i, x in enumerate(drafts):
        kept, token = verify(choose, target(drafts[:i]), draft(drafts[:i]), x)
        if not kept:
            return (*drafts[:i], token), i
    return (*drafts, choose(target(drafts))), length


def completed(choose: Choose, tokens: tuple[int, ...], target: Model, length: int) -> tuple[int, ...]:
    """The tokens cut to a length, or continued to it by the target's own draws."""
    while len(tokens) < length:
        tokens = (*tokens, choose(target(tokens)))
    return tokens[:length]


def joint(model: Model, length: int) -> dict[tuple[int, ...], Any]:
    """The law of the first tokens under a model."""
    return law(lambda choose: completed(choose, (), model, length))


def distance(a: Mapping[Outcome, Any], b: Mapping[Outcome, Any]) -> Any:
    """Total variation, ``sum |a - b| / 2``."""
    total = sum((abs(a.get(key, 0) - b.get(key, 0)) for key in {**a, **b}), Fraction(0))
    return total / 2


def table(seed: int, vocab_size: int, length: int, *, width: int | None = None) -> Model:
    """Positive rational laws of the next token after every prefix shorter than ``length``.

    With a ``width`` only the last tokens of the prefix count: 0 gives parallel heads, a law for every position.

    Examples
    --------
    >>> sum(table(0, 3, 2)((1,))), table(0, 3, 3, width=0)((0, 1)) == table(0, 3, 3, width=0)((2, 2))
    (Fraction(1, 1), True)
    """
    numbers = random.Random(seed)
    laws: dict[tuple[int, ...], list[Fraction]] = {}
    for size in range(length):
        for prefix in itertools.product(range(vocab_size), repeat=size if width is None else min(size, width)):
            counts = [numbers.randint(1, 9) for _ in range(vocab_size)]
            laws[(size, *prefix)] = [Fraction(count, sum(counts)) for count in counts]

    def model(prefix: tuple[int, ...]) -> Law:
        seen = prefix if width is None else prefix[len(prefix) - min(len(prefix), width) :]
        return laws[(len(prefix), *seen)]

    return model
