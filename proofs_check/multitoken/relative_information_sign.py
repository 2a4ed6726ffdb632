"""The relative mutual information I_(p||q) may be negative, although mutual information is not.

With p uniform on two by two tokens and q = (2/5, 1/10; 1/10, 2/5), whose marginals are uniform, I_(p||q) is
(1/2) log(16/25) < 0. It is negative exactly if p is nearer, in divergence, to the product of q's marginals than to q.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "multitoken/relative-information-sign", source="derived", verdict="proved", needs=["multitoken/definition-L2"]
)

P = sp.ones(2, 2) / 4
Q = sp.Matrix([[4, 1], [1, 4]]) / 10


def relative_information(p: sp.Matrix, q: sp.Matrix) -> sp.Expr:
    rows, columns = [sum(q.row(x)) for x in range(2)], [sum(q.col(y)) for y in range(2)]
    return sum(p[x, y] * sp.log(q[x, y] / (rows[x] * columns[y])) for x in range(2) for y in range(2))


@statement.proves("the example: I = (1/2) log(16/25), the logarithm of a number below 1")
def negative() -> bool:
    value = sp.expand_log(relative_information(P, Q), factor=True)
    claimed = sp.expand_log(sp.log(sp.Rational(16, 25)) / 2, factor=True)
    return bool(sp.expand(value - claimed) == 0 and sp.Rational(16, 25) < 1)


@statement.proves("a whole family: q = (1/4 + e, 1/4 - e; ..), 0 < e < 1/4, uniform p: I = (1/2) log(1 - 16 e^2) < 0")
def family() -> bool:
    e = sp.Symbol("e", positive=True)
    quarter = sp.Rational(1, 4)
    value = relative_information(P, sp.Matrix([[quarter + e, quarter - e], [quarter - e, quarter + e]]))
    product = sp.expand((1 + 4 * e) * (1 - 4 * e))
    claimed = (sp.log(1 + 4 * e) + sp.log(1 - 4 * e)) / 2
    return bool(sp.simplify(value - claimed) == 0 and product == 1 - 16 * e**2)


@statement.proves(
    "at q = p it is not negative: p log(p / (p_x p_y)) >= p - p_x p_y term by term, and both sides sum to 1"
)
def mutual_information() -> bool:
    # r log r - r + 1 at r = 1 + t and at r = 1 / (1 + t), t >= 0; r = p / (p_x p_y)
    t, r = sp.Symbol("t", nonnegative=True), sp.Symbol("r", positive=True)
    f = r * sp.log(r) - r + 1
    above = nonnegative_from_zero(f.subs(r, 1 + t), t)
    below = nonnegative_from_zero(sp.expand_log(f.subs(r, 1 / (1 + t)) * (1 + t), force=True), t)
    p, s = sp.symbols("p s", positive=True)
    return above and below and is_zero(s * f.subs(r, p / s) - (p * sp.log(p / s) - p + s))
