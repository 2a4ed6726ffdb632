"""Speculative sampling emits the target law, whatever the draft law is.

A draft x ~ q is kept with probability min(1, p(x) / q(x)); if it is refused, the token comes from max(0, p - q),
normalised. Either way it has the law p. A block of gamma drafts ends at its first refusal; if none is refused, one
more token is drawn from p. The tokens of any number of blocks together have the target's joint law.
"""

from __future__ import annotations

import sympy as sp

from ..kit.decoding import block, completed, generic_tokens, joint, keep, larger, law, smaller, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement("speculative/step", source="2211.17192", verdict="proved")

TOKENS = generic_tokens()
refused = sp.Symbol("R", positive=True)  # the probability that the draft is refused, 1 - sum min(p, q)


def kept_part(p: sp.Expr, q: sp.Expr) -> sp.Expr:
    return q * keep(p, q) if q != 0 else sp.Integer(0)


@statement.proves("a token is drafted and kept with probability q min(1, p / q) = min(p, q): p >= q, p <= q, q = 0")
def kept() -> bool:
    return all(sp.cancel(kept_part(p, q) - smaller(p, q)) == 0 for p, q in TOKENS)


@statement.proves("max(0, p - q) sums to 1 - sum min(p, q), the probability of a refusal, for every vocabulary")
def residual_mass() -> bool:
    termwise = all(sp.expand(larger(p - q, 0) - (p - smaller(p, q))) == 0 for p, q in TOKENS)
    x, V = sp.symbols("x V", integer=True, positive=True)
    p, least = sp.IndexedBase("p"), sp.IndexedBase("m")
    total = split(sp.Sum(p[x] - least[x], (x, 1, V))).subs(sp.Sum(p[x], (x, 1, V)), 1)
    return termwise and bool(total == 1 - sp.Sum(least[x], (x, 1, V)))


@statement.proves("kept or refused, a token is emitted with probability p; without refusals p = min(p, q) already")
def emitted() -> bool:
    # Without refusals the sum of max(0, p - q) is 0, so every summand is.
    return all(
        sp.cancel(kept_part(p, q) + refused * (larger(p - q, 0) / refused) - p) == 0
        and sp.expand(p - larger(p - q, 0) - smaller(p, q)) == 0
        for p, q in TOKENS
    )


@statement.proves(
    "blocks: if what follows a token has the target's law, after a kept draft (fewer drafts are left) and after a "
    "refusal (a new block), then token and sequel have it too: induction on the drafts left and on the tokens left"
)
def induction() -> bool:
    sequel = sp.Symbol("r", nonnegative=True)  # the target's probability of what follows this token
    return all(
        sp.cancel(kept_part(p, q) * sequel + refused * (larger(p - q, 0) / refused) * sequel - p * sequel) == 0
        for p, q in TOKENS
    )


@statement.confirms(
    "the joint law of a block, continued by the target, is the target's",
    instances="5 rational tables, V = 3, gamma = 2",
)
def enumerated() -> bool:
    def exact(seed: int) -> bool:
        target, draft = table(seed, 3, 3), table(seed + 100, 3, 3)
        return law(lambda choose: completed(choose, block(choose, target, draft, 2)[0], target, 3)) == joint(target, 3)

    return all(exact(seed) for seed in range(5))
