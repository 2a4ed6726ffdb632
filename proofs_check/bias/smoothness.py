"""CE has a Lipschitz gradient with constant L <= lambda_max(sum_j pi_j h_j h_j^T) / 2.

For CE(W) = - sum_j pi_j sum_z p_jz log softmax_z(W h_j), contexts j with embeddings h_j and frequencies pi_j. The
second derivative along D is sum_j pi_j Var_j(D h_j), the variance of the entries of D h_j under the softmax of
context j. A variance is at most a quarter of the squared range, and that at most half the squared length:
lambda_max(diag(s) - s s^T) <= 1/2.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero, over_pairs
from ..kit.data import standard
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "bias/smoothness",
    source="derived (D13)",
    verdict="proved",
    needs=["bias/loss"],
    known=["a symmetric matrix has an orthonormal eigenbasis; Hessians bounded by L make gradients Lipschitz"],
)

RATIO = sp.Rational(1, 2)


@statement.proves(
    "the second derivative of log sum_v exp(l_v + t x_v) is m_2 - m_1^2, the variance of x, for any V; targets "
    "are linear"
)
def curvature() -> bool:
    t, m1, m2, x, y = sp.symbols("t m1 m2 x y", real=True)
    level = sp.Function("Z")(t)  # Z' / Z and Z'' / Z are the moments of x
    second = sp.diff(sp.log(level), t, 2).subs(sp.diff(level, t, 2), m2 * level).subs(sp.diff(level, t), m1 * level)
    spread = over_pairs((x - y) ** 2 / 2, x, y, [sp.Integer(1), m1, m2])
    return is_zero(second - spread)


@statement.proves(
    "if low <= x_v <= high, Var <= (high - low)^2/4: (high - x)(x - low) >= 0 is averaged, and a square remains"
)
def quarter() -> bool:
    low, high, x, m1, m2 = sp.symbols("low high x m1 m2", real=True)
    up, down = sp.symbols("up down", nonnegative=True)
    averaged = sp.expand((high - x) * (x - low)).subs(x**2, m2).subs(x, m1)  # >= 0
    rest = (high - low) ** 2 / 4 - (m2 - m1**2) - averaged
    return bool((up * down).is_nonnegative) and is_zero(rest - (m1 - (high + low) / 2) ** 2)


@statement.proves(
    "a quarter of the squared range is at most half the squared length: (a - b)^2/4 + (a + b)^2/4 = (a^2 + b^2)/2"
)
def half() -> bool:
    a, b = sp.symbols("a b", real=True)
    difference = RATIO * (a**2 + b**2) - (a - b) ** 2 / 4
    return is_zero(difference - ((a + b) / 2) ** 2)


@statement.proves(
    "sum_j pi_j ||D h_j||^2 = tr(D K D^T), K = sum_j pi_j h_j h_j^T, and in an eigenbasis of K that is at most "
    "lambda_max ||D||^2"
)
def rayleigh() -> bool:
    w, top, gap, c = sp.symbols("w top gap c", nonnegative=True)
    D, h = matrices("D h")
    # context by context: the squared length of D h, column times row, is tr(D h h^T D^T)
    trace = vanishes(transpose(D * h) * (D * h) - D * h * transpose(h) * transpose(D), trace=True)
    # a coordinate c of a row of D along an eigenvector with eigenvalue top - gap
    return trace and bool(sp.expand(top * c**2 - (top - gap) * c**2).is_nonnegative)


@statement.proves("1/2 is attained: V = 2 and s = (1/2, 1/2) along x = (1, -1)")
def sharp() -> bool:
    s, x = [sp.Rational(1, 2)] * 2, [1, -1]
    variance = sum(p * v**2 for p, v in zip(s, x, strict=True)) - sum(p * v for p, v in zip(s, x, strict=True)) ** 2
    return bool(variance == RATIO * sum(v**2 for v in x))


@statement.confirms("the bound lies between 1.876 and 1.878", instances="instance A2, entries rounded to 1/64")
def instance_a2() -> bool:
    data = standard(0, 10, 60, 50, 6, bits=6)
    # the matrix of inner products pi h_i . h_j has the same largest eigenvalue; in units of 1/(50 * 64^2)
    rows = [[int(x * 64) for x in h] for h in data.embeddings]
    gram = [[sum(a * b for a, b in zip(g, h, strict=True)) for h in rows] for g in rows]
    unit = 50 * 64**2
    return not positive_definite(gram, Fraction(2 * 1876, 1000) * unit) and positive_definite(
        gram, Fraction(2 * 1878, 1000) * unit
    )


def positive_definite(gram: list[list[int]], level: Fraction) -> bool:
    """Whether level - gram is, by elimination without fractions (Bareiss): all leading minors are positive."""
    size, last = len(gram), 1
    work = [
        [int(level.numerator * (i == j)) - level.denominator * gram[i][j] for j in range(size)] for i in range(size)
    ]
    for k in range(size):
        if work[k][k] <= 0:
            return False
        for i in range(k + 1, size):
            for j in range(k + 1, size):
                work[i][j] = (work[i][j] * work[k][k] - work[i][k] * work[k][j]) // last
        last = work[k][k]
    return True
