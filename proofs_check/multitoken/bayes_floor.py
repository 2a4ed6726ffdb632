"""Printed: on a stationary Markov chain P head i's best loss does not fall in i and tends to the entropy H(pi).

That loss is - sum_a pi_a sum_b (P^i)_ab log (P^i)_ab. It does not fall, but the limit needs more than stationarity:
that some power of P has a column without zeros.

For the chain that alternates between two tokens the loss is 0 for every i, while H(pi) = log 2. Repaired: if P^k has a
column of entries >= delta > 0, the spread of every column of P^(i+k) is at most 1 - delta times that of P^i; the rows
tend to pi, and the floor to H(pi). Head i's excess over the loss of its next-token predictor H(X_(t+1) | X_t) is
I(X_(t+i); X_(t+1) .. X_(t+i-1) | X_t) >= 0.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero, split
from ..kit.intervals import interval
from ..statement import Statement

statement = Statement(
    "multitoken/bayes-floor",
    source="derived",
    verdict="refuted as written",
    repair="proved",
    needs=["multitoken/capacity-decoupling"],
)

a, b, c, V = sp.symbols("a b c V", integer=True, positive=True)
P, R, pi, f = (sp.IndexedBase(name) for name in ("P", "R", "pi", "f"))


def floor(matrix: sp.Matrix, law: list[sp.Expr], head: int) -> sp.Expr:
    rows = (matrix**head).tolist()
    return -sum(w * sum(x * sp.log(x) for x in row if x) for w, row in zip(law, rows, strict=True))


@statement.refutes(
    "the alternating chain is stationary at (1/2, 1/2); its floor is 0 for odd and for even i, H is log 2"
)
def alternating() -> bool:
    swap, half = sp.Matrix([[0, 1], [1, 0]]), sp.Rational(1, 2)
    stationary = sp.Matrix([[half, half]]) * swap == sp.Matrix([[half, half]])
    floors = [floor(swap, [half, half], i) for i in (1, 2)]
    return bool(stationary and floors == [0, 0] and swap**3 == swap and sp.log(2) > 0)


@statement.proves(
    "f(x) = -x log x lies below its tangents: f(y) + f'(y)(x - y) - f(x) = y (r log r - r + 1) >= 0, r = x / y, and y "
    "at x = 0; at the mean y of R_cb, R = P^i, the tangents average out: f(sum_c P_ac R_cb) >= sum_c P_ac f(R_cb)"
)
def concave() -> bool:
    y, r, t = sp.Symbol("y", positive=True), sp.Symbol("r", positive=True), sp.Symbol("t", nonnegative=True)
    g, slope = r * sp.log(r) - r + 1, sp.diff(-y * sp.log(y), y)
    tangent = is_zero(-y * sp.log(y) + slope * (r * y - y) + r * y * sp.log(r * y) - y * g)
    at_zero = is_zero(-y * sp.log(y) + slope * (0 - y) - y)
    above = nonnegative_from_zero(g.subs(r, 1 + t), t)
    below = nonnegative_from_zero(sp.expand_log(g.subs(r, 1 / (1 + t)) * (1 + t), force=True), t)
    linear = split(sp.Sum(P[a, c] * (R[c, b] - y) * slope, (c, 1, V)))
    linear = linear.subs({sp.Sum(P[a, c], (c, 1, V)): 1, sp.Sum(P[a, c] * R[c, b], (c, 1, V)): y})
    return tangent and at_zero and above and below and bool(sp.expand(linear) == 0)


@statement.proves(
    "stationarity: sum_a pi_a sum_c P_ac F_c = sum_c pi_c F_c: the floor of head i + 1 is at least head i's"
)
def monotone() -> bool:
    F = sp.IndexedBase("F")
    total = split(sp.Sum(pi[a] * P[a, c] * F[c], (a, 1, V), (c, 1, V)))
    inner = sp.Sum(pi[a] * P[a, c], (a, 1, V))
    return bool(total.xreplace({inner: pi[c]}) == sp.Sum(F[c] * pi[c], (c, 1, V)))


@statement.proves(
    "excess: -log p(x_i|x_0) + log p(x_i|past) = log[p(x_i, m|x_0) / (p(x_i|x_0) p(m|x_0))] for the tokens m between"
)
def excess() -> bool:
    start, pair, middle, full = sp.symbols("p_0 p_0i p_0m p_0mi", positive=True)
    left = -sp.log(pair / start) + sp.log(full / middle)
    right = sp.log((full / start) / ((pair / start) * (middle / start)))
    return is_zero(left - right)


@statement.proves(
    "Markov: p(x_i|past) is the last transition, a ratio of products of transitions; by stationarity the mean of its "
    "function of (x_(i-1), x_i) is that of (x_0, x_1), so the next-token loss with all tokens known is head 1's floor"
)
def markov() -> bool:
    start, between, last = sp.symbols("p_0 between last", positive=True)
    # The law of x_i is pi again if that of x_(i-1) is: so is that of every x_i.
    total = split(sp.Sum(pi[a] * P[a, b] * f[b], (a, 1, V)))
    moved = total.subs(sp.Sum(P[a, b] * pi[a], (a, 1, V)), pi[b])
    return bool(sp.cancel(start * between * last / (start * between)) == last and moved == f[b] * pi[b])


@statement.proves(
    "spread: rows of P^k are delta e_c0 and weights >= 0 that sum to 1 - delta, so entries of a column of P^(i+k) "
    "differ by at most (1 - delta)(M - m), M and m the ends of that column of P^i; (1 - delta)^j tends to 0"
)
def contraction() -> bool:
    delta, common, top, bottom = sp.symbols("delta R_c0 M m")
    weight = split(sp.Sum(P[a, c], (c, 1, V))).subs(sp.Sum(P[a, c], (c, 1, V)), 1) - delta
    highest, lowest = delta * common + weight * top, delta * common + weight * bottom
    j = sp.Symbol("j", integer=True, positive=True)
    ratio = 1 / (1 + sp.Symbol("u", positive=True))
    return is_zero(highest - lowest - (1 - delta) * (top - bottom)) and sp.limit(ratio**j, j, sp.oo) == 0


@statement.proves(
    "pi_b = sum_a pi_a (P^i)_ab lies between m and M, and x log x is continuous, at 0 too: the limit is H(pi)"
)
def limit() -> bool:
    x, top = sp.Symbol("x", positive=True), sp.Symbol("M")
    gap = split(sp.Sum(pi[a] * (top - R[a, b]), (a, 1, V))).subs(sp.Sum(pi[a], (a, 1, V)), 1)
    between = sp.expand(gap - (top - sp.Sum(R[a, b] * pi[a], (a, 1, V)))) == 0
    rows = sp.Sum(pi[a] * f[b], (a, 1, V))  # at the limit every row's entropy is H(pi), and the weights sum to 1
    return bool(
        between and sp.limit(x * sp.log(x), x, 0, "+") == 0 and split(rows).subs(sp.Sum(pi[a], (a, 1, V)), 1) == f[b]
    )


@statement.confirms("the floors grow up to H(pi), in intervals", instances="((1/2, 1/2), (1/4, 3/4)), i <= 4")
def example() -> bool:
    def entropy(row: list[sp.Rational]) -> Any:
        return -sum(interval(x) * iv.log(interval(x)) for x in row)

    matrix, law = sp.Matrix([[2, 2], [1, 3]]) / 4, [sp.Rational(1, 3), sp.Rational(2, 3)]
    floors = [
        sum(interval(w) * entropy(row) for w, row in zip(law, (matrix**i).tolist(), strict=True)) for i in range(1, 5)
    ] + [entropy(law)]
    return all(bool(before.b < after.a) for before, after in zip(floors, floors[1:], strict=False))
