"""In balls of any norm the minimisers of the loss turn to the best margin in that norm, and log-odds become right.

Compatible and separable data, |.| any norm on V x d matrices, W_B a minimiser of CE on |W| <= B, W* with the right
log-odds, margin(W) the least <e_z - e_v, W h_j> over contexts, z in S_j, v not, and W' a matrix off F of margin 1 and
least norm, so that 1/|W'| is the best margin in the unit ball off F. Then in-support differences of W_B tend to
log-odds, margin(W_B / B) -> 1/|W'|, and every limit of W_B / B is off F with that margin in the unit ball.

Proof. W* + R W' with R = (B - |W*|)/|W'| is in the ball, and its excess is at most V e^(D - R), D the largest
difference of two logits of W*. So KL -> 0: in-support differences tend to log-odds, and the tail gives the margin.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/norm-ball-path",
    source="derived (D9)",
    verdict="proved",
    needs=["bias/split", "bias/theorem-1-genie", "bias/definition-2"],
    known=["the axioms of a norm", "bounded sequences have convergent subsequences"],
)

B, R, V, D, n, spread, finite, best = sp.symbols("B R V D n spread W* W'", positive=True)  # norms of W* and W'
RADIUS = (B - finite) / best


@statement.proves("|W* + R W'| <= |W*| + R |W'| = B in any norm, and R/B -> 1/|W'|")
def in_the_ball() -> bool:
    return is_zero(finite + RADIUS * best - B) and is_zero(sp.limit(RADIUS / B, B, sp.oo) - 1 / best)


@statement.proves("excess there: KL is 0, a term log(1 + odds) <= odds, each of fewer than V odds at most e^(D - R)")
def genie() -> bool:
    y, slack = sp.symbols("y slack", nonnegative=True)
    below = nonnegative_from_zero(y - sp.log(1 + y), y)
    # l_z - l_v >= R - D along W* + R W': margins of W' are 1 + slack
    odds = sp.exp(-(R * (1 + slack) - D))
    return below and sp.expand(sp.log(sp.exp(D - R)) - sp.log(odds).simplify()).is_nonnegative is True


@statement.proves(
    "KL >= sum (sqrt p - sqrt q)^2, as t - 1 - log t >= 0: so q_j -> p_j and log-odds are right in the limit"
)
def hellinger() -> bool:
    t, p, q = sp.symbols("t p q", positive=True)
    f = t - 1 - sp.log(t)
    least = sp.solve(sp.diff(f, t), t) == [1] and f.subs(t, 1) == 0 and bool(sp.diff(f, t, 2).is_positive)
    # t = sqrt(q/p): p log(p/q) = -2 p log t >= 2 p (1 - t); p and q sum to 1, so 2 - 2 sqrt(pq) = (sqrt p - sqrt q)^2
    left = 2 * p * (1 - sp.sqrt(q / p)) - (p - q) - (sp.sqrt(p) - sp.sqrt(q)) ** 2
    return least and is_zero(sp.powdenest(sp.expand(left), force=True))


@statement.proves(
    "tail >= (1/2n) e^-m/V e^-spread, m any margin, if it is at most log(2)/n: m >= R - D - spread - log(2 n V^2)"
)
def margins() -> bool:
    # the odds of v are at least e^-(l_z - l_v) / (V e^spread), spread the largest in-support difference;
    # contexts weigh at least 1/n, so log(1 + y) <= log 2: y <= 1, where log(1 + y) >= y/2
    m, y, slack = sp.symbols("m y slack", nonnegative=True)
    half = sp.factor(sp.diff(sp.log(1 + y) - y / 2, y).subs(y, 1 / (1 + slack))).is_nonnegative is True
    lower = sp.log(sp.exp(-m - spread) / (2 * n * V))
    bound = sp.solve(sp.Eq(sp.expand_log(lower, force=True), sp.log(V) + D - R), m)
    return half and is_zero(sp.expand_log(bound[0] - (R - D - spread - sp.log(2 * n * V**2)), force=True))


@statement.proves("over B these margins tend to 1/|W'|; in-support differences, bounded, tend to 0: limits are off F")
def limit() -> bool:
    bound = RADIUS - D - spread - sp.log(2 * n * V**2)
    return is_zero(sp.limit(bound / B, B, sp.oo) - 1 / best) and bool(sp.limit(spread / B, B, sp.oo) == 0)


@statement.proves("no U off F in the unit ball has a larger margin: U over its margin g has margin 1, so |U|/g >= |W'|")
def best_margin() -> bool:
    g, short = sp.symbols("g short", positive=True)
    norm = g * (best + short)  # |U| = g |U/g|, |U/g| = |W'| + short; at most 1
    return sp.factor(1 / best - g / norm).is_positive is True
