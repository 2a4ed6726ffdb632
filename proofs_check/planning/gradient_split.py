"""The gradient of shared weights is a diagonal part plus an off-diagonal part.

Give every position k = 1..n its own copy theta_k of the weights; its expected loss is l_k(theta_1, .., theta_k). With
all copies equal to theta the total loss is l(theta) = sum_k l_k(theta, .., theta), and

    grad l  =  sum_k sum_{i <= k} grad_{theta_i} l_k
            =  sum_k grad_{theta_k} l_k  +  sum_k sum_{i < k} grad_{theta_i} l_k.

Diagonal terms (i = k) improve the prediction at the position itself. Off-diagonal terms (i < k) are what the weights
at i gain for the losses of later positions: the only incentive to prepare a hidden state for later (to pre-cache).
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..kit.myopic import Regression
from ..statement import Statement

statement = Statement(
    "planning/gradient-split",
    source="2404.00859 (secondary)",
    verdict="proved",
    known=["the mean value theorem, along one coordinate of the weights at a time"],
)

i, k = sp.symbols("i k", integer=True, positive=True)


@statement.proves(
    "copy after copy: if F(i) is l_k with the first i copies moved, then sum_{i <= k} (F(i) - F(i-1)) is the "
    "change when all k copies move, for every k"
)
def hybrids() -> bool:
    F = sp.Function("F")
    return is_zero(sp.Sum(F(i) - F(i - 1), (i, 1, k)).doit() - (F(k) - F(0)))


@statement.proves(
    "F(i) - F(i-1) = s d_i l_k at a point between, for a move by s; divided by s, for s -> 0 and continuous "
    "derivatives, the change of l_k is the sum of its partial derivatives with all copies at theta"
)
def partial_derivatives() -> bool:
    # d_i at the point between is its value d[i] at theta plus an error r[i], which vanishes with s by continuity
    s, d, r = sp.Symbol("s"), sp.IndexedBase("d"), sp.IndexedBase("r")
    change = sp.Sum(s * (d[i] + r[i]), (i, 1, k))
    rest = sp.expand(split(change) / s) - sp.Sum(d[i], (i, 1, k))
    return is_zero(rest - sp.Sum(r[i], (i, 1, k)))


@statement.proves("among i <= k the terms with i = k are g_kk and the rest has i < k: for any number of positions")
def diagonal() -> bool:
    g, delta = sp.IndexedBase("g"), sp.KroneckerDelta(i, k)
    picked = sp.Sum(g[i, k] * delta, (i, 1, k)).doit()
    before, gap = sp.symbols("before gap", integer=True, positive=True)
    off = (1 - delta).subs(k, before + gap).subs(i, before)
    return is_zero(picked - g[k, k]) and off == 1 and (1 - delta).subs(i, k) == 0


@statement.confirms(
    "linear regression over positions: the tied gradient is the sum of the untied ones, its diagonal part the myopic "
    "gradient, and central differences (exact for squares) agree",
    instances="10 rational instances with 3 positions and width 2",
)
def regression() -> bool:
    right = []
    for seed in range(10):
        toy = Regression.draw(seed, positions=3, width=2, samples=4)
        tied, untied = toy.problem(tied=True), toy.problem(tied=False)
        point = [Fraction(1, 2), Fraction(-2, 3)]
        copies = untied.gradient(point * 3, myopic=False)
        diagonal = untied.gradient(point * 3, myopic=True)
        right.append([sum(copies[a::2]) for a in (0, 1)] == tied.gradient(point, myopic=False))
        right.append([sum(diagonal[a::2]) for a in (0, 1)] == tied.gradient(point, myopic=True))
        for a in (0, 1):
            up, down = ([x + sign * (b == a) for b, x in enumerate(point)] for sign in (1, -1))
            right.append((tied.loss(up) - tied.loss(down)) / 2 == tied.gradient(point, myopic=False)[a])
    return all(right)
