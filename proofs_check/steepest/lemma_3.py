"""Gradient, proxy and loss are of one size.

    (i)    ||grad L||_* <= 2 B G                     (B >= ||h_i||_1 for all i; any norm that is at least the max norm)
    (ii)   1 >= G/L >= 1 - n L / 2                   (every n and every L > 0; it says something when n L < 2)
    (iii)  L <= log 2 / n  or  G <= 1/(2n)  implies  L <= 2 G

L = (1/n) sum l_i with l_i = -log S_y, and G = (1/n) sum g_i with g_i = 1 - S_y = 1 - e^{-l_i}.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement(
    "steepest/lemma-3",
    source="2502.04664 Lemma 3",
    verdict="proved",
    needs=["steepest/norm-order", "steepest/proxy", "steepest/erratum-E17"],
)

c, N, i, j, n = sp.symbols("c N i j n", integer=True, positive=True)
s, h = sp.IndexedBase("s", nonnegative=True), sp.IndexedBase("h", nonnegative=True)
loss, x = sp.Symbol("l", nonnegative=True), sp.Symbol("x", nonnegative=True)


@statement.proves(
    "(i) one sample: the entries of |S - e_y| sum to 2 (1 - S_y), those of |(S - e_y) h^T| to that times ||h||_1"
)
def one_sample() -> bool:
    mass = sp.Sum(s[c], (c, 1, N))  # 1 - S_y: at the label the entry is -(1 - S_y), elsewhere S_c
    entries = mass + sp.Sum(s[c], (c, 1, N))
    outer = sp.Sum(sp.Sum(s[c] * h[j], (c, 1, N)), (j, 1, n))
    product = sp.Sum(s[c], (c, 1, N)) * sp.Sum(h[j], (j, 1, n))
    return bool(split(entries - 2 * mass) == 0 and split(outer - product) == 0)


@statement.proves("(i) ||h||_1 = B - r, r >= 0: 2 B G minus the mean of 2 g_i ||h_i||_1 is a mean of 2 g_i r_i >= 0")
def mean() -> bool:
    miss, below, size = sp.IndexedBase("g", nonnegative=True), sp.IndexedBase("r", nonnegative=True), sp.Symbol("B")
    gap = 2 * size * sp.Sum(miss[i], (i, 1, n)) / n - sp.Sum(2 * miss[i] * (size - below[i]), (i, 1, n)) / n
    return bool(split(gap - sp.Sum(2 * miss[i] * below[i], (i, 1, n)) / n) == 0 and (miss[i] * below[i]).is_nonnegative)


@statement.proves(
    "(i) a dual norm is at most the sum of entries: ||D|| <= 1 makes |D_ij| <= 1, so g D <= |g| entry by entry"
)
def dual() -> bool:
    size, below = sp.symbols("g r", nonnegative=True)  # sign(g) D = 1 - r
    return bool(sp.expand(size - size * (1 - below)).is_nonnegative)


@statement.proves("(ii) sample by sample l - l^2/2 <= 1 - e^{-l} <= l, for every l >= 0, by derivatives")
def per_sample() -> bool:
    miss = 1 - sp.exp(-loss)
    return nonnegative_from_zero(loss - miss, loss) and nonnegative_from_zero(miss - loss + loss**2 / 2, loss)


@statement.proves("(ii) (sum l)^2 >= sum l^2: one more term adds 2 l (sum l) >= 0 to the difference, which starts at 0")
def squares() -> bool:
    total, square = sp.symbols("T Q", nonnegative=True)
    added = (total + loss) ** 2 - (square + loss**2) - (total**2 - square)
    return bool(sp.expand(added - 2 * loss * total) == 0 and (2 * loss * total).is_nonnegative)


@statement.proves("(ii) so G >= L - (sum l^2)/(2n) >= L - n L^2/2 = L (1 - n L/2), as (sum l)^2 = (n L)^2")
def together() -> bool:
    level, slack = sp.Symbol("L", positive=True), sp.Symbol("r", nonnegative=True)
    square = (n * level) ** 2 - slack  # sum l^2
    proxy = level - square / (2 * n)
    return bool(sp.expand(proxy - level * (1 - n * level / 2)).is_nonnegative)


@statement.proves("(iii) L <= log 2 / n makes l_i <= n L <= log 2, g_i <= 1/2; G <= 1/(2n) makes g_i <= n G <= 1/2")
def halves() -> bool:
    rest, below, term = sp.symbols("rest r a", nonnegative=True)  # one term of the mean, and the sum of the others

    def room(top: sp.Expr) -> sp.Expr:
        """How far a term is below ``top`` when the mean is ``top / n - r``."""
        (found,) = sp.solve((term + rest) / n - (top / n - below), term)
        return sp.expand(top - found)

    rising = sp.diff(1 - sp.exp(-loss), loss).is_positive
    at_log_two = (1 - sp.exp(-loss)).subs(loss, sp.log(2)) == sp.Rational(1, 2)
    rooms = (room(sp.log(2)), room(sp.Rational(1, 2)))
    return bool(rising and at_log_two and all(x.is_nonnegative for x in rooms))


@statement.proves(
    "(iii) g <= 1/2 makes l = -log(1 - g) <= 2 g: 2g + log(1 - g) is concave, 0 at 0, 1 - log 2 > 0 at 1/2"
)
def chord() -> bool:
    g = sp.Symbol("g", positive=True)
    gap = 2 * g + sp.log(1 - g)
    second = sp.diff(gap, g, 2)
    odds = sp.Symbol("o", nonnegative=True)  # g = o / (1 + o) in [0, 1)
    concave = sp.simplify(second.subs(g, odds / (1 + odds)))
    ends = (gap.subs(g, 0), sp.simplify(gap.subs(g, sp.Rational(1, 2))))
    return bool(concave.is_negative and ends[0] == 0 and ends[1] == 1 - sp.log(2) and ends[1].is_positive)


@statement.proves("(ii) the 2 in 1 - n L/2 is the best: for one sample (1 - G/L)/L tends to 1/2 as L -> 0")
def sharp() -> bool:
    return bool(sp.limit((1 - (1 - sp.exp(-x)) / x) / x, x, 0) == sp.Rational(1, 2))
