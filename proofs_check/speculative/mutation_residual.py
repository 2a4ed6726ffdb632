"""Resampling a refused draft from p, and not from the normalised residual max(0, p - q), is not exact.

The output law is then min(p, q) + (1 - beta) p, beta = sum min(p, q). A token with 0 < p <= q is emitted with
probability (2 - beta) p: too often by (1 - beta) p. So the law is wrong whenever a draft can be refused (beta < 1) and
some token has 0 < p <= q. Only if every token that the target allows has p > q can the law be right, and then exactly
if q is proportional to p there, as for p = (1/2, 1/2, 0), q = (1/4, 1/4, 1/2). The correct residual always is.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Choose, Law, distance, generic_tokens, keep, law, smaller, table, verify
from ..statement import Statement

statement = Statement("speculative/mutation-residual", source="derived", verdict="proved", needs=["speculative/step"])

beta = sp.Symbol("beta", nonnegative=True)


def resampled(p: Law, q: Law) -> dict[int, Fraction]:
    def emit(choose: Choose) -> int:
        x = choose(q)
        kept = keep(p[x], q[x])
        return x if choose([1 - kept, kept]) else choose(p)

    return law(emit)


@statement.proves("a token with p <= q is emitted with probability q (p / q) + (1 - beta) p, in excess by (1 - beta) p")
def excess() -> bool:
    p, q = generic_tokens()[1]
    return bool(sp.expand(sp.cancel(q * keep(p, q)) + (1 - beta) * p - p - (1 - beta) * p) == 0)


@statement.proves("a token with p > q is emitted with q + (1 - beta) p, which is p exactly if q = beta p")
def proportional() -> bool:
    p, q = sp.symbols("p q", positive=True)
    above = q + p
    excess = smaller(above, q) + (1 - beta) * above - above
    return bool(sp.expand(excess - (q - beta * above)) == 0)


@statement.proves("the pair (1/2, 1/2, 0), (1/4, 1/4, 1/2) is not told apart; (1/2, 1/2), (3/4, 1/4) is, with TV 1/8")
def examples() -> bool:
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    blind, p = [half, half, Fraction(0)], [half, half]
    same = resampled(blind, [quarter, quarter, half])
    wrong = resampled(p, [3 * quarter, quarter])
    gaps = distance(same, dict(enumerate(blind))), distance(wrong, dict(enumerate(p)))
    return gaps == (0, Fraction(1, 8))


@statement.confirms("the mutant fails and the correct residual passes", instances="20 pairs of positive laws, V = 4")
def tables() -> bool:
    def told(seed: int) -> bool:
        p, q = table(seed, 4, 1)(()), table(seed + 100, 4, 1)(())
        target = dict(enumerate(p))
        right = law(lambda choose: verify(choose, p, q, choose(q))[1])
        return bool(distance(right, target) == 0 < distance(resampled(p, q), target))

    return all(told(seed) for seed in range(20))
