"""The loss of a head is a conditional loss and the relative mutual information; of two heads, it counts twice.

    H(p_X, q_X)                 =  H(p_(X|Y), q_(X|Y)) + I_(p||q)
    H(p_X, q_X) + H(p_Y, q_Y)  =  H(p_(X|Y), q_(X|Y)) + 2 I_(p||q) + H(p_(Y|X), q_(Y|X))

p and q are joint laws, H is the cross-entropy, in the conditional ones averaged over p, and I_(p||q) is the relative
mutual information of `multitoken/definition-L2`.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "multitoken/lemma-L3", source="2404.19737 Lemma L.3", verdict="proved", needs=["multitoken/definition-L2"]
)

# At one pair (x, y): minus the logarithms whose means under p are the cross-entropies, and I's summand.
q, q_x, q_y = sp.symbols("q q_x q_y", positive=True)
information = sp.log(q / (q_x * q_y))


@statement.proves("the summand of I_(p||q) is log(q / (q_x q_y)): p drops out of log(p / (q_x q_y)) - log(p / q)")
def summand() -> bool:
    p = sp.Symbol("p", positive=True)
    return is_zero(sp.log(p / (q_x * q_y)) - sp.log(p / q) - information)


@statement.proves("one head, at every pair: -log q_x = -log(q / q_y) + log(q / (q_x q_y))")
def one_head() -> bool:
    return is_zero(-sp.log(q_x) - (-sp.log(q / q_y) + information))


@statement.proves("two heads, at every pair")
def two_heads() -> bool:
    right = -sp.log(q / q_y) + 2 * information - sp.log(q / q_x)
    return is_zero(-sp.log(q_x) - sp.log(q_y) - right)


@statement.confirms(
    "both identities, in logarithms of primes", instances="p = (1, 2; 3, 4) / 10, q = (5, 1; 2, 3) / 11"
)
def example() -> bool:
    p, r = sp.Matrix([[1, 2], [3, 4]]) / 10, sp.Matrix([[5, 1], [2, 3]]) / 11
    pairs = [(x, y) for x in range(2) for y in range(2)]
    p_x, p_y = [sum(p.row(k)) for k in range(2)], [sum(p.col(k)) for k in range(2)]
    r_x, r_y = [sum(r.row(k)) for k in range(2)], [sum(r.col(k)) for k in range(2)]
    h_x = -sum(p_x[k] * sp.log(r_x[k]) for k in range(2))
    h_y = -sum(p_y[k] * sp.log(r_y[k]) for k in range(2))
    x_given_y = -sum(p[x, y] * sp.log(r[x, y] / r_y[y]) for x, y in pairs)
    y_given_x = -sum(p[x, y] * sp.log(r[x, y] / r_x[x]) for x, y in pairs)
    relative = h_x + h_y + sum(p[x, y] * sp.log(r[x, y]) for x, y in pairs)
    gaps = [h_x - x_given_y - relative, h_x + h_y - x_given_y - 2 * relative - y_given_x]
    return all(sp.expand(sp.expand_log(gap, factor=True)) == 0 for gap in gaps)
