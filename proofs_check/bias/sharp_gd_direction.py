"""The direction of gradient descent is late by 1/log k, however far it runs; with s = log k and N = ||W_mm||:

    s ||W_k/||W_k|| - W_mm/N||  ->  c/N,      s^2 (1 - cos(W_k, W_mm))  ->  c^2 / (2 N^2),
    s (1 - min_i <a_i, W_perp> N / ||W_perp||)  ->  sum alpha_i x_i / sum alpha_i - min x_i

c is the length of the offset W~ across W_mm, and x_i = <a_i, P_perp W~> over active i. Hypotheses and symbols of
`bias/sharp-gd-expansion`. So the gap of the margin is of order exactly 1/log k unless all x_i are equal, and 1 - cos of
order 1/log^2 k unless W~ is parallel to W_mm; it is not if W* is not 0. (With one constraint and a start at zero both
constants are 0, and cos = 1 throughout.) The part on F, at 1/k, is exponentially faster in log k.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/sharp-gd-direction",
    source="derived (D4.4)",
    verdict="proved",
    needs=["bias/sharp-gd-expansion", "bias/sharp-gd-finite", "bias/offset"],
)

N, s, u = sp.symbols("N s u", positive=True)
b, c = sp.symbols("b c", real=True)
# W over s, in the plane of W_mm and W~: (N + u b, u c), u = 1/s; b and c converge
along, across = N + u * b, u * c
norm = sp.sqrt(along**2 + across**2)


@statement.proves("s^2 (1 - cos) = c^2/(||W||/s (||W||/s + N + b/s)), continuous at 1/s = 0 in b and c: -> c^2/(2 N^2)")
def angle() -> bool:
    found = c**2 / (norm * (norm + along))
    exact = is_zero(sp.expand((1 - along / norm) * norm * (norm + along) - across**2))
    return exact and is_zero(found.subs(u, 0) - c**2 / (2 * N**2))


@statement.proves("the squared distance of the directions is 2 (1 - cos): s times the distance -> |c|/N")
def distance() -> bool:
    directions = sp.Matrix([along, across]) / norm, sp.Matrix([1, 0])
    squared = sp.expand((directions[0] - directions[1]).dot(directions[0] - directions[1]))
    constant = sp.sqrt(2 * c**2 / (2 * N**2))
    return is_zero(sp.simplify(squared - 2 * (1 - along / norm))) and is_zero(constant - sp.Abs(c) / N)


@statement.proves("s times the gap -> <P_perp W~, W_mm>/N^2 - min x_i: the margins of active i are s + x_i + o(1)")
def gap() -> bool:
    least = sp.Symbol("x", real=True)
    margin = 1 + u * least  # over s; inactive ones are at least 1 + theta + O(u)
    exact = (b - least * N + u * c**2 / (norm + along)) / norm  # continuous at u = 0 in b, c and x
    same = is_zero(sp.expand(((norm - margin * N) - u * exact * norm) * (norm + along)))
    return same and is_zero(exact.subs(u, 0) - (b / N - least))


@statement.proves("<P_perp W~, W_mm> = sum alpha_i x_i, N^2 = sum alpha_i: a mean of the x_i, above their least")
def mean_offset() -> bool:
    rows, dim = sp.symbols("n D", integer=True, positive=True)
    normals, alpha = sp.MatrixSymbol("A", rows, dim), sp.MatrixSymbol("alpha", rows, 1)
    offset = sp.MatrixSymbol("X", dim, 1)
    inner = (normals.T * alpha).T * offset == alpha.T * (normals * offset)
    weight, excess, low = sp.symbols("alpha_i e_i x", positive=True)
    # a term alpha_i (x_i - min x), with x_i = min x + e_i, is positive if e_i is
    return bool(inner) and (sp.expand(weight * (low + excess) - weight * low)).is_positive is True


@statement.proves("orders in s = log k: 1/k = e^-s is smaller than every power of 1/s")
def finite_part_is_faster() -> bool:
    power, base = sp.symbols("n r", positive=True)
    # s^n e^-s = (s e^(-s/n))^n
    inner = sp.limit(s * sp.exp(-s * base), s, sp.oo)
    same = (s * sp.exp(-s / power)) ** power - s**power * sp.exp(-s)
    return bool(inner == 0) and is_zero(sp.powsimp(same, force=True))


@statement.proves("W* lies on F and W_mm off it, so c^2 >= ||W*||^2: the part of W~ across W_mm contains W*")
def finite_part_is_across() -> bool:
    finite, perp, mm = (sp.Matrix(sp.symbols(f"{name}1:3", real=True)) for name in ("f", "g", "m"))
    zero = sp.zeros(2, 1)
    offset, decoder = sp.Matrix.vstack(finite, perp), sp.Matrix.vstack(zero, mm)
    rest = offset - decoder * offset.dot(decoder) / decoder.dot(decoder)
    part = perp - mm * perp.dot(mm) / mm.dot(mm)
    return is_zero(rest.dot(rest) - finite.dot(finite) - part.dot(part))


@statement.confirms("one constraint, start at zero: W stays parallel to W_mm, cos = 1", instances="V = 2, d = 1")
def degenerate() -> bool:
    w = sp.Symbol("w", positive=True)
    decoder = sp.Matrix([w, -w]) / 2
    softmax = sp.Matrix([sp.exp(decoder[0]), sp.exp(decoder[1])]) / (sp.exp(decoder[0]) + sp.exp(decoder[1]))
    gradient = softmax - sp.Matrix([1, 0])
    return is_zero(gradient[0] + gradient[1]) and not is_zero(gradient[0])
