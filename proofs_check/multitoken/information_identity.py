"""H(X) + H(Y) = H(X|Y) + 2 I(X; Y) + H(Y|X), for two tokens X and Y.

H is entropy and I mutual information: of the two heads' losses the shared information is counted twice. Every summand
is a mean of logarithms under the joint law p(x, y), and the identity holds logarithm by logarithm.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("multitoken/information-identity", source="2404.19737 Sec. 5.2", verdict="proved")

# One pair (x, y): its probability, and those of x and of y.
joint, p_x, p_y = sp.symbols("p_xy p_x p_y", positive=True)


@statement.proves("at a pair: -log p_x - log p_y = -log p(x|y) + 2 log(p_xy / (p_x p_y)) - log p(y|x)")
def at_a_pair() -> bool:
    left = -sp.log(p_x) - sp.log(p_y)
    right = -sp.log(joint / p_y) + 2 * sp.log(joint / (p_x * p_y)) - sp.log(joint / p_x)
    return is_zero(left - right)


@statement.proves("a mean over pairs of a function of x alone is its mean under p_x = sum_y p(x, y): any sizes")
def marginal() -> bool:
    x, y, n, m = sp.symbols("x y n m", integer=True, positive=True)
    p, f = sp.IndexedBase("p"), sp.IndexedBase("f")
    over_pairs = split(sp.Sum(p[x, y] * f[x], (y, 1, m), (x, 1, n)))
    return bool(over_pairs == sp.Sum(sp.Sum(p[x, y], (y, 1, m)) * f[x], (x, 1, n)))


@statement.confirms("exactly, in logarithms of primes", instances="the joint law (1, 2, 3; 4, 5, 6) / 21")
def example() -> bool:
    p = sp.Matrix([[1, 2, 3], [4, 5, 6]]) / 21
    rows, columns = [sum(p.row(x)) for x in range(2)], [sum(p.col(y)) for y in range(3)]
    pairs = [(x, y) for x in range(2) for y in range(3)]
    left = -sum(r * sp.log(r) for r in rows) - sum(c * sp.log(c) for c in columns)
    given_y = -sum(p[x, y] * sp.log(p[x, y] / columns[y]) for x, y in pairs)
    given_x = -sum(p[x, y] * sp.log(p[x, y] / rows[x]) for x, y in pairs)
    mutual = sum(p[x, y] * sp.log(p[x, y] / (rows[x] * columns[y])) for x, y in pairs)
    gap = left - (given_y + 2 * mutual + given_x)
    return bool(sp.expand(sp.expand_log(gap, factor=True)) == 0)
