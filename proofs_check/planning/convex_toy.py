"""A closed-form convex toy: linear regression over positions, with gap, bonus and the limit of myopic descent.

Position k predicts sum_{i <= k} x_ki . theta_i. Over samples and positions the errors are S theta - Y; X is the own
part of S (tied weights: the rows x_kk and sum_i x_ki; untied: the block diagonal of a block triangular S). Then

    best model      S^T S theta* = S^T Y             gap    = |S (theta~ - theta*)|^2 / 2
    myopic optimum  X^T S theta~ = X^T Y             bonus  = g^T (X^T X)^(-1) g / 2,  g = X^T (S theta* - Y)
    myopic descent  e <- (I - eta X^T S) e           e = theta - theta~

and with e^T X^T S e >= m |e|^2, m > 0, and |X^T S e| <= K |e| the error shrinks by sqrt(1 - 2 eta m + eta^2 K^2) a
step.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import matrices, transpose, vanishes
from ..kit.myopic import Problem, Regression
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "planning/convex-toy",
    source="derived (proposal)",
    verdict="proved",
    needs=["planning/myopic-optimum", "planning/myopia-gap", "planning/local-bonus"],
)

X, S, Y, theta, limit = matrices("X S Y theta limit")
eta, m, K = sp.symbols("eta m K", positive=True)


@statement.proves(
    "the diagonal gradient is X^T (S theta - Y), so the error of myopic descent obeys e' = (I - eta X^T S) e"
)
def error() -> bool:
    normal = {transpose(X) * Y: transpose(X) * S * limit}
    after = theta - eta * transpose(X) * (S * theta - Y) - limit
    return vanishes(after - (theta - limit) + eta * transpose(X) * S * (theta - limit), normal)


@statement.proves(
    "the contraction factor: |e'|^2 <= (1 - 2 eta m + eta^2 K^2) |e|^2, least at eta = m / K^2: 1 - m^2 / K^2"
)
def contraction() -> bool:
    e, M = matrices("e M")
    after = e - eta * M * e
    claimed = transpose(e) * e - 2 * eta * transpose(e) * M * e + eta**2 * transpose(M * e) * M * e
    square, slack, more = sp.symbols("square slack more", nonnegative=True)
    room = (1 - 2 * eta * m + eta**2 * K**2) * square - (
        square - 2 * eta * (m * square + slack) + eta**2 * (K**2 * square - more)
    )
    factor = 1 - 2 * eta * m + eta**2 * K**2
    best = sp.solve(sp.diff(factor, eta), eta)
    return (
        vanishes(transpose(after) * after - claimed, trace=True)
        and sp.expand(room).is_nonnegative is True
        and best == [m / K**2]
        and is_zero(factor.subs(eta, best[0]) - (1 - m**2 / K**2))
    )


@statement.proves(
    "one weight, two positions, l_1 = (a t_1 - y)^2 / 2 and l_2 = (b t_2 + c t_1 - z)^2 / 2, tied: the factor is "
    "1 - eta (a^2 + b^2 + b c), so descent converges for small eta if and only if a^2 + b^2 + b c > 0"
)
def scalar() -> bool:
    a, b, c, y, z, t, t1, t2 = sp.symbols("a b c y z t t1 t2", real=True)
    g = sp.diff((a * t1 - y) ** 2 / 2, t1) + sp.diff((b * t2 + c * t1 - z) ** 2 / 2, t2)
    g = g.subs({t1: t, t2: t})
    optimum = sp.solve(g, t)[0]
    return is_zero(t - eta * g - optimum - (1 - eta * (a**2 + b**2 + b * c)) * (t - optimum))


@statement.confirms(
    "gap and bonus by their definitions and by their closed forms, gap >= 0, bonus >= 0, and bonus <= l(theta*)",
    instances="20 rational instances, tied and untied, 3 positions, width 2",
)
def closed_forms() -> bool:
    return all(_closed_forms(Regression.draw(s, 3, 2, 5).problem(tied=t)) for s in range(10) for t in (True, False))


def _closed_forms(problem: Problem) -> bool:
    best, myopic = problem.best, problem.myopic
    shift = [a - b for a, b in zip(myopic, best, strict=True)]
    gap = sum((dot(row, shift) ** 2 for row in problem.everything), Fraction(0)) / 2
    reader = problem.best_reader(best)
    step = [a - b for a, b in zip(best, reader, strict=True)]  # (X^T X)^-1 g
    bonus = dot(problem.gradient(best, myopic=True), step) / 2
    return (
        gap == problem.loss(myopic) - problem.loss(best) >= 0
        and bonus == problem.loss(best) - problem.reader_loss(reader, best) >= 0
        and bonus <= problem.loss(best)
    )


@statement.confirms(
    "every one of 30 exact steps of myopic descent halves the error, down to 10^-6 (squared)",
    instances="features x_kk = 2, x_ki = 1/4, targets 1, 2, 3; one tied weight, eta = 1 / (2 m)",
)
def descent() -> bool:
    def own(j: int, k: int) -> Fraction:
        return Fraction(2) if j == k else Fraction(1, 4)

    toy = Regression(
        [[[[own(j, k)] for j in range(k + 1)] for k in range(3)]], [[Fraction(1), Fraction(2), Fraction(3)]]
    )
    problem = toy.problem(tied=True)
    rows = zip(problem.own, problem.everything, strict=True)
    slope = sum((a[0] * b[0] for a, b in rows), Fraction(0))  # X^T S, one number
    point, optimum, rate = Fraction(5), problem.myopic[0], 1 / (2 * slope)
    for _ in range(30):
        before = point - optimum
        point -= rate * problem.gradient([point], myopic=True)[0]
        if point - optimum != before / 2:
            return False
    return 0 < (point - optimum) ** 2 < Fraction(1, 10**6)
