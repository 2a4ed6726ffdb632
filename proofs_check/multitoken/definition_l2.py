"""Relative mutual information, in its two forms:

    I_(p||q)(X; Y)  =  D(p || q_X q_Y) - D(p || q)  =  H(p_X, q_X) + H(p_Y, q_Y) - H(p, q)

p and q are joint laws of X and Y with marginals p_X, q_X, p_Y, q_Y; D is the Kullback-Leibler divergence and H the
cross-entropy. At q = p it is the mutual information.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("multitoken/definition-L2", source="2404.19737 Def. L.2", verdict="proved")

p, q, q_x, q_y = sp.symbols("p q q_x q_y", positive=True)  # at one pair


@statement.proves("at a pair of positive p: log(p / (q_x q_y)) - log(p / q) = -log q_x - log q_y + log q")
def at_a_pair() -> bool:
    divergences = sp.log(p / (q_x * q_y)) - sp.log(p / q)
    return is_zero(divergences - (-sp.log(q_x) - sp.log(q_y) + sp.log(q)))


@statement.proves(
    "the mean of -log q_x over pairs is H(p_X, q_X), since p_X = sum_y p(x, y); likewise for y: any sizes"
)
def marginal() -> bool:
    x, y, n, m = sp.symbols("x y n m", integer=True, positive=True)
    joint, f = sp.IndexedBase("p"), sp.IndexedBase("f")
    of_x = split(sp.Sum(joint[x, y] * f[x], (y, 1, m), (x, 1, n)))
    of_y = split(sp.Sum(joint[x, y] * f[y], (x, 1, n), (y, 1, m)))
    return bool(
        of_x == sp.Sum(sp.Sum(joint[x, y], (y, 1, m)) * f[x], (x, 1, n))
        and of_y == sp.Sum(sp.Sum(joint[x, y], (x, 1, n)) * f[y], (y, 1, m))
    )


@statement.proves("at q = p, q_x = p_x, q_y = p_y the summand is that of the mutual information, p log(p / (p_x p_y))")
def mutual_information() -> bool:
    p_x, p_y = sp.symbols("p_x p_y", positive=True)
    summand = sp.log(p / (q_x * q_y)) - sp.log(p / q)
    return is_zero(summand.subs({q: p, q_x: p_x, q_y: p_y}) - sp.log(p / (p_x * p_y)))
