"""What the options beta, offset and "another model's keys and values" of the public code do to gradients.

beta: past keys and values are beta K + (1 - beta) sg(K). Scores are linear in keys, so every past gradient is beta
times that of plain attention: beta = 1 is plain, beta = 0 myopic; the value never changes. offset = k: the last k
positions stay live; at offset = T nothing is blocked, at 0 everything. from another model: past keys and values are
those of frozen weights; with the frozen weights equal to the live ones the output is unchanged, which starts the
local myopia bonus at the loss of that model. (Options that are not described here: reverse; zeroed keys are
`planning/bigram`.)
"""

from __future__ import annotations

import sympy as sp

from ..kit.myopic import attend, attended, equated, h, i, n, same, score, sg_u, sg_w, sg_x, u, value, w, x
from ..statement import Statement

statement = Statement(
    "planning/code-options",
    source="FutureGPT2-public 22b86c1",
    verdict="proved",
    needs=["planning/cut-keys-values", "planning/local-bonus"],
)

m = sp.Symbol("m", integer=True, positive=True)
beta = sp.Symbol("beta", real=True)
live = score(i, w, x[i]), value(i, u, x[i])
blocked = score(i, sg_w, sg_x[i]), value(i, sg_u, sg_x[i])
plain, myopic = attend(w, u, x), attend(sg_w, sg_u, sg_x)
between = attended(*(beta * a + (1 - beta) * b for a, b in zip(live, blocked, strict=True)))


@statement.proves("beta: the value is that of plain attention for every beta, once sg(K) = K and sg(V) = V")
def value_of_beta() -> bool:
    return same(equated(between), plain)


@statement.proves("beta: the derivative in a past input is beta times the plain one: all of it at 1, none of it at 0")
def past_of_beta() -> bool:
    return same(equated(sp.diff(between, x[m])), beta * sp.diff(plain, x[m]))


@statement.proves("beta: the gradients in W_K, W_V and h lie on the line from the myopic ones to the plain ones")
def weights_of_beta() -> bool:
    ends = [(equated(sp.diff(myopic, s)), sp.diff(plain, s)) for s in (w, u, h)]
    found = [equated(sp.diff(between, s)) for s in (w, u, h)]
    return all(same(f, (1 - beta) * a + beta * b) for f, (a, b) in zip(found, ends, strict=True))


def with_offset(k: sp.Expr) -> sp.Expr:
    """The head of position n with the positions n - k, .., n - 1 live and the earlier ones blocked."""
    own = sp.exp(score(n, w, h))
    past = [(live, (i, n - k, n - 1)), (blocked, (i, 1, n - k - 1))]
    total = sum((sp.Sum(sp.exp(s), limits) for (s, _), limits in past), own)
    return sum((sp.Sum(sp.exp(s) * v, limits) for (s, v), limits in past), own * value(n, u, h)) / total


@statement.proves("offset: at n - 1, so at any larger one, the head is the plain one; at 0 it is the myopic one")
def ends_of_offset() -> bool:
    whole, none = with_offset(n - 1), with_offset(sp.S.Zero)
    return same(whole.doit(), plain.doit()) and same(none.doit(), myopic.doit())


@statement.proves(
    "offset k: a past input x_m has a derivative if m >= n - k and none if m < n - k (m and k generic, one input "
    "singled out of its sum)"
)
def between_the_ends() -> bool:
    seen, unseen, rest, rest_values = sp.symbols("seen unseen rest rest_values")  # x_m live, sg(x_m), the other terms
    s, v = sp.Function("s"), sp.Function("v")

    def head(source: sp.Symbol) -> sp.Expr:
        return (sp.exp(s(source)) * v(source) + rest_values) / (sp.exp(s(source)) + rest)

    return bool(sp.diff(head(unseen), seen) == 0 and sp.simplify(sp.diff(head(seen), seen)) != 0)


@statement.proves(
    "another model: past keys and values of frozen weights leave the output as it is while they are equal"
)
def frozen() -> bool:
    first, second = sp.symbols("frozen_w frozen_u")
    of_frozen = attend(first, second, x)
    return same(of_frozen.subs({first: w, second: u}), plain) and bool(sp.diff(of_frozen.subs(x, sg_x), x[m]) == 0)
