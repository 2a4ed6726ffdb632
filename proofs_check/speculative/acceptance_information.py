"""A Bayes-optimal parallel head is refused no more often than the mutual information of the two tokens allows.

The first draft x comes from the exact law p(x) and is always kept; the second comes from the marginal law p_Y of the
next token but one. It is refused with probability

    E_x TV(p(.|x), p_Y)  <=  sqrt(I(X; Y) / 2),

by Pinsker's inequality TV^2 <= KL / 2 for every x, and E[TV]^2 <= E[TV^2]. TV is the total variation sum |p - q| / 2.
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.decoding import block, generic_tokens, joint, keep, larger, law, smaller, table
from ..kit.generic import split
from ..kit.intervals import interval
from ..statement import Statement

statement = Statement(
    "speculative/acceptance-information", source="derived", verdict="proved", needs=["speculative/acceptance-rate"]
)

a, b, r, s, u, v = sp.symbols("a b r s u v", positive=True)


@statement.proves("the exact head is always kept, min(1, p / p) = 1: so x has the law p when the second draft is tried")
def first_draft() -> bool:
    return bool(keep(a, a) == 1)


@statement.proves(
    "a refusal has probability sum_A (p - p_Y) = P(A) - P_Y(A) on A = {p > p_Y}, which is TV, token by token"
)
def refusal() -> bool:
    return all(
        sp.expand((p - smaller(p, q)) - larger(p - q, 0)) == 0
        and sp.expand(larger(p - q, 0) + larger(q - p, 0) - sp.Abs(p - q)) == 0
        for p, q in generic_tokens()
    )


@statement.proves(
    "merging two tokens never raises KL: the difference is least, 0, at r / u = s / v; at r = 0 it is s log(1 + u / v)"
)
def merging() -> bool:
    terms = r * sp.log(r / u) + s * sp.log(s / v) - (r + s) * sp.log((r + s) / (u + v))
    slope_sign = is_zero(sp.factor(sp.simplify(sp.diff(terms, u))) - (s * u - r * v) / (u * (u + v)))
    least = is_zero(sp.expand_log(sp.simplify(terms.subs(u, v * r / s)), force=True))
    without = sp.limit(terms, r, 0, "+") - s * sp.log((u + v) / v)
    return slope_sign and least and is_zero(sp.expand_log(without, force=True))


@statement.proves(
    "two tokens: KL - 2 (a - b)^2 is 0 at b = a, and its slope in b is (b - a) (1 - 2 b)^2 / (b (1 - b)): Pinsker on A "
    "and its complement, whose masses differ by TV"
)
def pinsker() -> bool:
    gap = a * sp.log(a / b) + (1 - a) * sp.log((1 - a) / (1 - b)) - 2 * (a - b) ** 2
    slope = (b - a) * (1 - 2 * b) ** 2 / (b * (1 - b))
    return bool(sp.simplify(sp.diff(gap, b) - slope) == 0 and sp.simplify(gap.subs(b, a)) == 0)


@statement.proves("E_x KL(p(.|x) || p_Y) = I(X; Y): p(x) p(y|x) log(p(y|x) / p_Y) = p(x,y) log(p(x,y) / (p_X p_Y))")
def information() -> bool:
    pair, p_x, p_y = sp.symbols("p_xy p_x p_y", positive=True)
    conditional = pair / p_x
    return is_zero(p_x * conditional * sp.log(conditional / p_y) - pair * sp.log(pair / (p_x * p_y)))


@statement.proves("E[TV^2] - E[TV]^2 = sum_x p(x) (TV_x - E[TV])^2 >= 0, for any number of x")
def mean_square() -> bool:
    x, n, m = sp.Symbol("x", integer=True), sp.Symbol("n", integer=True, positive=True), sp.Symbol("m")
    w, t = sp.IndexedBase("w"), sp.IndexedBase("t")
    spread = split(sp.Sum(w[x] * (t[x] - m) ** 2, (x, 1, n)))
    spread = spread.subs({sp.Sum(w[x], (x, 1, n)): 1, sp.Sum(w[x] * t[x], (x, 1, n)): m})
    return bool(sp.expand(spread - (sp.Sum(w[x] * t[x] ** 2, (x, 1, n)) - m**2)) == 0)


@statement.confirms("refusals over all branches, and the bound in intervals", instances="5 rational tables, V = 4")
def enumerated() -> bool:
    def holds(seed: int) -> bool:
        target = table(seed, 4, 3)
        pairs, first = joint(target, 2), target(())
        p_y = [sum(weight for (_, y), weight in pairs.items() if y == token) for token in range(4)]
        kept = law(lambda choose: block(choose, target, lambda t: [first, p_y][len(t)], 2)[1])
        mutual = sum(interval(w) * iv.log(interval(w / (first[x] * p_y[y]))) for (x, y), w in pairs.items())
        return set(kept) <= {1, 2} and bool((interval(kept[1]) ** 2).b <= (mutual / 2).a)

    return all(holds(seed) for seed in range(5))
