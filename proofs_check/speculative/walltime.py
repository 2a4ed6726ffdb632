"""Speculative decoding is faster by the factor (1 - alpha^(gamma+1)) / ((1 - alpha)(gamma c + 1)).

Acceptances are independent, of rate alpha. A run of the draft model takes c times as long as a run of the target, and
the target checks all gamma drafts in the time of one run. Consequence: with alpha > c one draft is already worth it,
with factor (1 + alpha) / (1 + c) > 1; with alpha <= c no number of drafts is.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement(
    "speculative/walltime", source="2211.17192", verdict="proved", needs=["speculative/expected-tokens"]
)

alpha, c, time = sp.symbols("alpha c T", positive=True)
gamma, blocks = sp.Symbol("gamma", integer=True, nonnegative=True), sp.Symbol("N", integer=True, positive=True)
tokens = (1 - alpha ** (gamma + 1)) / (1 - alpha)
factor = (1 - alpha ** (gamma + 1)) / ((1 - alpha) * (gamma * c + 1))


@statement.proves("N blocks: N E[tokens] tokens take N E[tokens] T one by one, and N (gamma c T + T) in blocks")
def ratio() -> bool:
    drafting, checking = gamma * c * time, time
    return bool(sp.simplify(blocks * tokens * time / (blocks * (drafting + checking)) - factor) == 0)


@statement.proves("one draft: the factor is (1 + alpha) / (1 + c), and exceeds 1 by (alpha - c) / (1 + c)")
def one_draft() -> bool:
    one = sp.cancel(factor.subs(gamma, 1))
    return bool(sp.cancel(one - (1 + alpha) / (1 + c)) == 0 and sp.cancel(one - 1 - (alpha - c) / (1 + c)) == 0)


@statement.proves(
    "alpha <= c, alpha < 1: E[tokens] <= gamma c + 1, since each draft adds alpha^(gamma+1) <= alpha <= c to the left "
    "and c to the right, from equality at gamma = 0"
)
def never() -> bool:
    added = sp.simplify(tokens.subs(gamma, gamma + 1) - tokens)
    # alpha = 1 / (1 + u) and c = alpha + s; a power of a number in (0, 1] is at most 1
    u, s = sp.symbols("u s", nonnegative=True)
    rest = ((alpha + s) - alpha * alpha**gamma).subs(alpha, 1 / (1 + u))
    lower = s + (1 - (1 + u) ** (-gamma)) / (1 + u)
    grows = sp.diff(1 - (1 + u) ** (-gamma), u).is_nonnegative
    return bool(
        sp.simplify(added - alpha ** (gamma + 1)) == 0
        and sp.simplify(rest - lower) == 0
        and grows
        and (1 - (1 + u) ** (-gamma)).subs(u, 0) == 0
        and sp.simplify(tokens.subs(gamma, 0) - 1) == 0
    )
