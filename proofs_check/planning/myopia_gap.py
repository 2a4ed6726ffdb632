"""The myopia gap, the loss of the best myopic model minus the least loss of all, is never negative.

A myopic model is one of the models, so its loss is at least the minimum. In linear regression over positions (errors
S theta - Y, own part X) the gap has the closed form

    gap  =  l(theta~) - l(theta*)  =  |S (theta~ - theta*)|^2 / 2  >=  0,   X^T S theta~ = X^T Y,  S^T S theta* = S^T Y,

which is 0 exactly if the two models predict the same. Both a positive gap (pre-caching matters) and a gap of 0
(breadcrumbs: what helps now is what the future needs) occur.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.matrices import matrices, transpose, vanishes
from ..kit.myopic import Problem, Regression
from ..statement import Statement

statement = Statement(
    "planning/myopia-gap", source="2404.00859 (secondary)", verdict="proved", needs=["planning/myopic-optimum"]
)

S, Y, other, best = matrices("S Y other best")


def loss(theta: sp.Expr) -> sp.Expr:
    """``|S theta - Y|^2 / 2``."""
    return transpose(S * theta - Y) * (S * theta - Y) / 2


@statement.proves(
    "l(theta) - l(theta*) = |S (theta - theta*)|^2 / 2 for every theta, the myopic ones among them, by the normal "
    "equations of theta* (matrices of any sizes, tied or untied weights): a square, 0 only for equal predictions"
)
def closed_form() -> bool:
    apart = S * (other - best)
    normal = {transpose(S) * Y: transpose(S) * S * best}
    gap = loss(other) - loss(best) - transpose(apart) * apart / 2
    # the same scalar, with Y^T S written as the transpose of S^T Y
    rules = {**normal, transpose(Y) * S: transpose(best) * transpose(S) * S}
    return vanishes(gap, rules, trace=True)


def pre_caching(shared: int) -> Problem:
    """Untied: position 1 predicts 0 by theta_1, position 2 predicts 1 by ``theta_1 + shared * theta_2``."""
    one, zero = Fraction(1), Fraction(0)
    rows = [[one, zero], [one, Fraction(shared)]]
    return Problem([[one, zero], [zero, Fraction(shared)]], rows, [zero, one])


@statement.proves(
    "it can be positive: position 1 should predict 0 with theta_1, position 2 should predict 1 with theta_1 alone; "
    "myopic theta_1 = 0 has loss 1/2, the best theta_1 = 1/2 has loss 1/4"
)
def positive() -> bool:
    problem = pre_caching(shared=0)
    gap = problem.loss(problem.myopic) - problem.loss(problem.best)
    return gap == Fraction(1, 4) and problem.myopic[0] == 0 and problem.best[0] == Fraction(1, 2)


@statement.proves("it can be 0: if position 2 has weights of its own for what it needs, both models have loss 0")
def none() -> bool:
    problem = pre_caching(shared=1)
    return problem.loss(problem.myopic) == problem.loss(problem.best) == 0 and problem.myopic == [0, 1]


@statement.confirms("the closed form, and gap >= 0", instances="24 rational instances, tied and untied")
def instances() -> bool:
    right = []
    for seed in range(12):
        toy = Regression.draw(seed, positions=3, width=2, samples=5)
        for tied in (True, False):
            problem = toy.problem(tied=tied)
            gap = problem.loss(problem.myopic) - problem.loss(problem.best)
            errors = zip(problem.errors(problem.myopic), problem.errors(problem.best), strict=True)
            right.append(gap == sum((a - b) ** 2 for a, b in errors) / 2 >= 0)
    return all(right)
