"""Greedy speculative decoding emits the tokens of greedy decoding, whatever is drafted.

A drafted token is kept if it is the target's most likely token (ties broken by a fixed rule) after the tokens so far;
at the first mismatch that token is emitted instead, and after a block that is kept whole one such token is added.
Decoding stops after an end token, also inside a block, or at a maximal length. Of several drafted rows, of any
lengths, the one with the longest kept part is used.
"""

from __future__ import annotations

import sympy as sp

from ..kit.decoding import Choose, law
from ..statement import Statement

statement = Statement("speculative/greedy-equivalence", source="derived", verdict="proved")

END = 0


def agrees(choose: Choose, vocab_size: int, longest: int, rows: int, width: int) -> bool:
    """One target, one set of drafts: every answer of the target and every draft is chosen when it is first asked."""
    answers: dict[tuple[int, ...], int] = {}

    def greedy(prefix: tuple[int, ...]) -> int:
        if prefix not in answers:
            answers[prefix] = choose([1] * vocab_size)
        return answers[prefix]

    def stopped(tokens: tuple[int, ...]) -> bool:
        return END in tokens or len(tokens) >= longest

    out: tuple[int, ...] = ()
    while not stopped(out):
        best: tuple[int, ...] = ()
        for _ in range(rows):
            kept: tuple[int, ...] = ()
            for _ in range(choose([1] * (width + 1))):  # a row of any length, empty rows too
                if stopped(out + kept):
                    break
                token = choose([1] * vocab_size)
                if token != greedy(out + kept):
                    break
                kept = (*kept, token)
            best = max(best, kept, key=len)
        out += best
        if not stopped(out):
            out = (*out, greedy(out))
    plain: tuple[int, ...] = ()
    while not stopped(plain):
        plain = (*plain, greedy(plain))
    return out == plain


@statement.proves(
    "one step, any vocabulary: after a greedy prefix with most likely token a, a draft x emits x if x = a, and a "
    "otherwise: a in both cases, so the prefix stays greedy, grows by a token, and the induction goes on; where to "
    "stop depends on the prefix alone, and the kept part of every row is greedy, so also the longest one"
)
def one_step() -> bool:
    a = sp.Symbol("a", integer=True)
    other = a + sp.Symbol("d", integer=True, nonzero=True)  # any token but a

    def emitted(draft: sp.Expr) -> sp.Expr:
        return sp.Piecewise((draft, sp.Eq(draft, a)), (a, True))

    return bool(emitted(a) == a and emitted(other) == a and sp.Eq(other, a) == sp.false)


@statement.confirms(
    "all targets and all drafts, chosen as they are asked for; token 0 ends the text",
    instances="V = 3, one row of up to 2 drafts, up to 4 tokens; V = 2, two rows of up to 2 drafts, up to 3 tokens",
)
def all_models() -> bool:
    one = law(lambda choose: agrees(choose, 3, 4, 1, 2))
    two = law(lambda choose: agrees(choose, 2, 3, 2, 2))
    return set(one) == {True} and set(two) == {True}
