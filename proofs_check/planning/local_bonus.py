"""The local myopia bonus, what the readers gain when the past's hidden states stay those of theta*, is never negative.

    bonus  =  l(theta*) - min_t sum_k l_k(theta*, .., theta*, t)   >=  0,

because t = theta* is among the candidates. In linear regression over positions (errors S theta - Y, own part X, full
column rank) with the diagonal gradient g = X^T (S theta* - Y),

    bonus  =  g^T (X^T X)^(-1) g / 2,   at   t = theta* - (X^T X)^(-1) g,

which is 0 exactly if theta* is myopic already. The paper also splits the gap into bonus and "malus"; that formula is
not part of this statement.
"""

from __future__ import annotations

import sympy as sp

from ..kit.matrices import matrices, transpose, vanishes
from ..kit.myopic import Regression
from ..kit.rational import dot, solve
from ..statement import Statement

statement = Statement(
    "planning/local-bonus", source="2404.00859 (secondary)", verdict="proved", needs=["planning/myopic-optimum"]
)

X, S, Y, best, inverse, delta = matrices("X S Y best inverse delta")
gram = {transpose(X) * X * inverse: sp.S.One, inverse * transpose(X) * X: sp.S.One}


def reader_loss(reader: sp.Expr) -> sp.Expr:
    """``|X reader + (S - X) best - Y|^2 / 2``."""
    error = X * reader + (S - X) * best - Y
    return transpose(error) * error / 2


@statement.proves("the reader t = theta* has the loss of theta* (any sizes): so the minimum is no larger, bonus >= 0")
def admissible() -> bool:
    error = S * best - Y
    return vanishes(reader_loss(best) - transpose(error) * error / 2)


@statement.proves(
    "around t0 = theta* - (X^T X)^-1 g the reader's loss is l(theta*) - g^T (X^T X)^-1 g / 2 + |X (t - t0)|^2 / 2, "
    "for matrices of any sizes: t0 is the minimiser and the bonus is what stands there"
)
def closed_form() -> bool:
    error = S * best - Y
    g = transpose(X) * error
    # the inverse of a symmetric matrix is symmetric, so its transpose is replaced by itself
    symmetric = {transpose(inverse): inverse, **gram}
    start = best - inverse * g
    bonus = transpose(g) * inverse * g / 2
    claimed = transpose(error) * error / 2 - bonus + transpose(X * delta) * (X * delta) / 2
    return vanishes(reader_loss(start + delta) - claimed, symmetric, trace=True)


@statement.proves(
    "the bonus is a square, g^T (X^T X)^-1 g = |X (X^T X)^-1 g|^2, and X v = 0 only for v = 0 by full rank: it is "
    "0 only for g = 0, the normal equations of a myopic optimum"
)
def zero_only_if_myopic() -> bool:
    (g,) = matrices("g")
    symmetric = {transpose(inverse): inverse, **gram}
    square = transpose(X * inverse * g) * (X * inverse * g)
    recovered = transpose(X) * (X * inverse * g) - g  # so X (X^T X)^-1 g = 0 gives g = 0
    return vanishes(square - transpose(g) * inverse * g, symmetric) and vanishes(recovered, symmetric)


@statement.confirms(
    "bonus >= 0, the closed form, and 0 at a myopic optimum", instances="24 rational instances, tied and untied"
)
def instances() -> bool:
    right = []
    for seed in range(12):
        toy = Regression.draw(seed, positions=3, width=2, samples=5)
        for tied in (True, False):
            problem = toy.problem(tied=tied)
            reader = problem.best_reader(problem.best)
            bonus = problem.loss(problem.best) - problem.reader_loss(reader, problem.best)
            g = problem.gradient(problem.best, myopic=True)
            columns = list(zip(*problem.own, strict=True))
            step = solve([[dot(a, b) for b in columns] for a in columns], g)
            assert step is not None
            right += [bonus == dot(g, step) / 2, bonus >= 0]
            myopic = problem.myopic
            right.append(problem.reader_loss(problem.best_reader(myopic), myopic) == problem.loss(myopic))
    return all(right)
