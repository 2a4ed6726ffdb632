"""The mean number of kept drafts is a sum of products of min(p, q), with no assumption of independence.

    E[kept]  =  sum_{j=1..gamma}  sum_{x_1..x_j}  prod_{i<=j} min(p_i(x_i), q_i(x_i))

p_i and q_i are the laws of target and draft after x_1 .. x_(i-1). The j-th summand is the probability that at least j
drafts are kept. With one rate at all positions it is alpha + .. + alpha^gamma (`speculative/expected-tokens`).
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy as sp

from ..kit.decoding import Model, block, generic_tokens, keep, law, smaller, table
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "speculative/exact-acceptance", source="derived", verdict="proved", needs=["speculative/acceptance-rate"]
)


def formula(target: Model, draft: Model, vocab_size: int, drafts: int) -> Fraction:
    total = Fraction(0)
    for length in range(1, drafts + 1):
        for path in itertools.product(range(vocab_size), repeat=length):
            product = Fraction(1)
            for i, x in enumerate(path):
                product *= smaller(target(path[:i])[x], draft(path[:i])[x])
            total += product
    return total


@statement.proves("a path so far weighs m; drafting x next and keeping it weighs m q min(1, p / q) = m min(p, q)")
def one_more() -> bool:
    m = sp.Symbol("m", nonnegative=True)
    drafted = [(p, q) for p, q in generic_tokens() if q != 0]
    return all(sp.cancel(m * q * keep(p, q) - m * smaller(p, q)) == 0 for p, q in drafted)


@statement.proves("E[kept] = sum_j P(kept >= j): each value k is counted once for every j from 1 to k, for all gamma")
def tail_sum() -> bool:
    j, k, gamma = sp.symbols("j k gamma", integer=True, positive=True)
    weight = sp.IndexedBase("w")
    # Both orders of the triangle 1 <= j <= k <= gamma: by rows k, and one row more in both.
    row = split(sp.Sum(weight[k], (j, 1, k)))
    step = sp.Sum(weight[gamma + 1], (j, 1, gamma + 1)).doit()
    return bool(row == k * weight[k] and sp.expand(step - (gamma + 1) * weight[gamma + 1]) == 0)


@statement.proves(
    "equal rates: the summand of j is alpha times that of j - 1, since min(p, q) sums to alpha at every step"
)
def equal_rates() -> bool:
    x, V = sp.symbols("x V", integer=True, positive=True)
    least, m, alpha = sp.IndexedBase("m"), sp.Symbol("M", positive=True), sp.Symbol("alpha", positive=True)
    total = split(sp.Sum(m * least[x], (x, 1, V))).subs(sp.Sum(least[x], (x, 1, V)), alpha)
    return bool(total == m * alpha)


@statement.confirms("formula and enumeration of all branches", instances="4 rational tables, V = 3, gamma = 3")
def enumerated() -> bool:
    def exact(seed: int) -> bool:
        target, draft = table(seed, 3, 4), table(seed + 100, 3, 3, width=seed % 2)
        kept = law(lambda choose: block(choose, target, draft, 3)[1])
        return bool(sum(k * weight for k, weight in kept.items()) == formula(target, draft, 3, 3))

    return all(exact(seed) for seed in range(4))
