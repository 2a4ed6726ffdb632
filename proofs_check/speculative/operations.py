"""Speculative decoding costs (1 - alpha)(gamma c + gamma + 1) / (1 - alpha^(gamma+1)) times the operations.

c is what the draft model computes for a token, in units of the target's; acceptances are independent of rate alpha.
A block computes gamma tokens with the draft model and gamma + 1 with the target, for E[tokens] tokens of output. The
factor is never below 1: it is at least 1 + gamma c / (gamma + 1), because a block emits at most gamma + 1 tokens.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement(
    "speculative/operations", source="2211.17192", verdict="proved", needs=["speculative/expected-tokens"]
)

alpha, c, work = sp.symbols("alpha c W", positive=True)
gamma = sp.Symbol("gamma", integer=True, nonnegative=True)
tokens = (1 - alpha ** (gamma + 1)) / (1 - alpha)
factor = (1 - alpha) * (gamma * c + gamma + 1) / (1 - alpha ** (gamma + 1))


@statement.proves("operations of a block over those of E[tokens] tokens one by one")
def ratio() -> bool:
    speculative = gamma * c * work + (gamma + 1) * work
    return bool(sp.simplify(speculative / (tokens * work) - factor) == 0)


@statement.proves("E[tokens] <= gamma + 1: each draft adds alpha^(gamma+1) <= 1, from equality at gamma = 0")
def at_most() -> bool:
    added = sp.simplify(tokens.subs(gamma, gamma + 1) - tokens - alpha ** (gamma + 1))
    u = sp.Symbol("u", nonnegative=True)  # alpha = 1 / (1 + u) in (0, 1]
    slack = 1 - (1 + u) ** (-gamma - 1)
    falls = sp.diff(slack, u).is_nonnegative
    return bool(added == 0 and falls and slack.subs(u, 0) == 0 and sp.simplify(tokens.subs(gamma, 0) - 1) == 0)


@statement.proves("with gamma + 1 in place of E[tokens] the factor is 1 + gamma c / (gamma + 1), its lower bound")
def lower_bound() -> bool:
    bound = (gamma * c + gamma + 1) / (gamma + 1)
    return bool(sp.simplify(bound - 1 - gamma * c / (gamma + 1)) == 0 and (gamma * c / (gamma + 1)).is_nonnegative)
