"""Emitting the target's sample, and keeping a draft if it coincides, keeps no more drafts than speculative sampling.

The output law is exact, since the target's sample is emitted either way. The draft is kept with probability
sum_x p(x) q(x), against sum_x min(p(x), q(x)); at p = q this is sum_x p(x)^2 < 1 unless p is deterministic, against 1.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.decoding import Choose, generic_tokens, law, smaller, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "speculative/sample-and-match", source="derived", verdict="proved", needs=["speculative/acceptance-rate"]
)

x, V = sp.symbols("x V", integer=True, positive=True)


@statement.proves("draft and sample are independent: they coincide at x with probability p q, and p q <= min(p, q)")
def fewer() -> bool:
    # A probability is 1 / (1 + s) or 0; the larger of the two bounds the product's factor by 1.
    s = sp.Symbol("s", nonnegative=True)
    lost = all(
        sp.expand(p * q - smaller(p, q) * (p + q - smaller(p, q))) == 0  # p q = min max
        for p, q in generic_tokens()
    )
    return lost and sp.factor(1 - 1 / (1 + s)).is_nonnegative is True


@statement.proves("at p = q: 1 - sum p^2 = sum p (1 - p), a sum of terms >= 0 that vanish only for p = 0 or 1")
def perfect_draft() -> bool:
    p, t = sp.IndexedBase("p"), sp.Symbol("t")
    gap = split(sp.Sum(p[x] * (1 - p[x]), (x, 1, V))).subs(sp.Sum(p[x], (x, 1, V)), 1)
    return bool(gap == 1 - sp.Sum(p[x] ** 2, (x, 1, V)) and sp.solveset(t * (1 - t), t) == sp.FiniteSet(0, 1))


@statement.proves("at p = q speculative sampling keeps sum min(p, p) = sum p = 1")
def against_one() -> bool:
    p = sp.Symbol("p", nonnegative=True)
    return bool(smaller(p, p) == p)


@statement.proves("the token is the target's sample: its law is sum_d q(d) p(x) = p(x)")
def exact_law() -> bool:
    d = sp.Symbol("d", integer=True, positive=True)
    p, q = sp.Symbol("p"), sp.IndexedBase("q")
    return bool(split(sp.Sum(q[d] * p, (d, 1, V))).subs(sp.Sum(q[d], (d, 1, V)), 1) == p)


@statement.confirms("law and rate over all branches", instances="10 pairs of rational laws, V = 4")
def enumerated() -> bool:
    def exact(seed: int) -> bool:
        p, q = table(seed, 4, 1)(()), table(seed + 100, 4, 1)(())

        def match(choose: Choose) -> tuple[int, bool]:
            draft, sample = choose(q), choose(p)
            return sample, draft == sample

        found = law(match)
        kept = sum((weight for (_, same), weight in found.items() if same), Fraction(0))
        emitted = [sum(w for (token, _), w in found.items() if token == t) for t in range(4)]
        return emitted == list(p) and bool(kept == sum(a * b for a, b in zip(p, q, strict=True)))

    return all(exact(seed) for seed in range(10))
