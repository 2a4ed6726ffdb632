"""Independent acceptances of rate alpha: gamma drafts give (1 - alpha^(gamma+1)) / (1 - alpha) tokens on average.

This is the mean of a geometric number cut at gamma + 1: k drafts are kept and then one refused with probability
alpha^k (1 - alpha), k < gamma, all are kept with probability alpha^gamma, and one token more is emitted than kept.
Identical laws are not needed: acceptance rates beta_i that are random, independent and of mean alpha are enough.
Independence cannot be left out: if one fair coin decides that all drafts are kept (beta = 1) or none (beta = 0), then
alpha = 1/2, and the mean for gamma = 2 is 2, but the formula says 7/4. In general `speculative/exact-acceptance` holds.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement("speculative/expected-tokens", source="2211.17192", verdict="proved")

alpha, gamma = sp.Symbol("alpha", positive=True), sp.Symbol("gamma", integer=True, nonnegative=True)


def formula(rate: sp.Expr, drafts: sp.Expr) -> sp.Expr:
    return (1 - rate ** (drafts + 1)) / (1 - rate)


@statement.proves("no drafts: one token")
def start() -> bool:
    return bool(sp.simplify(formula(alpha, sp.Integer(0)) - 1) == 0)


@statement.proves(
    "one draft more: of the probability alpha^gamma that all are kept, the part 1 - alpha stays at gamma + 1 tokens "
    "and alpha moves to gamma + 2, so the mean grows by alpha^(gamma+1), as the formula does, for every gamma"
)
def one_more() -> bool:
    all_kept = alpha**gamma
    growth = all_kept * ((1 - alpha) * (gamma + 1) + alpha * (gamma + 2)) - all_kept * (gamma + 1)
    formulas = formula(alpha, gamma + 1) - formula(alpha, gamma)
    return bool(sp.simplify(growth - alpha ** (gamma + 1)) == 0 and sp.simplify(formulas - growth) == 0)


@statement.proves("independent rates of mean alpha: E[beta_1 .. beta_(j+1)] = E[beta_1 .. beta_j] alpha, by summation")
def independent() -> bool:
    # The product so far takes the values s[k] with weights u[k], the next rate t[l] with weights w[l], independently.
    k, m, K, M = sp.symbols("k m K M", integer=True, positive=True)
    s, u, t, w = (sp.IndexedBase(name) for name in "s u t w".split())
    product = sp.Sum(u[k] * w[m] * s[k] * t[m], (m, 1, M), (k, 1, K))
    return bool(split(product) == sp.Sum(u[k] * s[k], (k, 1, K)) * sp.Sum(w[m] * t[m], (m, 1, M)))


@statement.proves("one coin for all drafts, gamma = 2: the mean is 2 and the formula at alpha = 1/2 gives 7/4")
def dependent() -> bool:
    half = sp.Rational(1, 2)
    mean = sum(
        half * sum(rate**kept * (1 - rate if kept < 2 else 1) * (kept + 1) for kept in range(3)) for rate in (0, 1)
    )
    return bool(mean == 2 and formula(half, sp.Integer(2)) == sp.Rational(7, 4))
