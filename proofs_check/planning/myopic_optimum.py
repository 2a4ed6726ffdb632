"""The myopic optimum minimises each position's loss over the weights that this position reads with, the past fixed.

Untied weights: theta~_k in argmin_{t} l_k(theta~_1, .., theta~_{k-1}, t), a recursion over positions. Tied weights:
theta~ in argmin_{t} sum_k l_k(theta~, .., theta~, t), a fixed point. Linear regression over positions predicts at k
sum_{i <= k} x_ki . theta_i; over samples and positions the errors are S theta - Y, and X is the part of S that
multiplies the weights of the predicting position. In both cases

    theta~ is a myopic optimum   <=>   X^T (S theta~ - Y) = 0   (the normal equations X^T S theta~ = X^T Y).
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.matrices import matrices, transpose, vanishes
from ..kit.myopic import Regression
from ..kit.rational import dot, rank
from ..statement import Statement

statement = Statement(
    "planning/myopic-optimum", source="2404.00859 (recalled)", verdict="proved", needs=["planning/gradient-split"]
)

X, S, theta, delta, Y = matrices("X S theta delta Y")
SEEDS = range(12)


def square(vector: sp.Expr) -> sp.Expr:
    """``|vector|^2``."""
    return transpose(vector) * vector


@statement.proves(
    "tied: the reader's loss f(t) = |X t + (S - X) theta - Y|^2 / 2 has f(theta + delta) - f(theta) = "
    "delta^T X^T (S theta - Y) + |X delta|^2 / 2, for matrices of any sizes: so the normal equations suffice"
)
def tied_expansion() -> bool:
    def f(reader: sp.Expr) -> sp.Expr:
        return square(X * reader + (S - X) * theta - Y) / 2

    claimed = transpose(delta) * transpose(X) * (S * theta - Y) + square(X * delta) / 2
    return vanishes(f(theta + delta) - f(theta) - claimed, trace=True)


@statement.proves(
    "and they are necessary: with g = X^T (S theta - Y) not 0 a step delta = -s g changes f by -s |g|^2 + s^2 |X "
    "g|^2 / 2, which is negative for small s > 0"
)
def necessary() -> bool:
    s, norm, image = sp.symbols("s norm image", positive=True)
    change = -s * norm + s**2 * image / 2
    at = sp.factor(change.subs(s, norm / image))
    return bool(at.is_negative) and bool(sp.limit(change / s, s, 0, "+").is_negative)


@statement.proves(
    "untied: theta stacks theta_1, .., theta_n and X is the block diagonal of S (S is block lower triangular); "
    "position k's loss is its block of f, so its normal equations x_kk^T (sum_{i <= k} x_ki theta_i - y_k) = 0 "
    "are block k of X^T (S theta - Y) = 0; equation k holds theta_1..theta_k alone: solved from the first on, "
    "they are the recursion"
)
def untied_blocks() -> bool:
    size = 3
    blocks = [[sp.Symbol(f"x{k}{j}", commutative=False) for j in range(k + 1)] for k in range(size)]
    thetas = [sp.Symbol(f"t{k}", commutative=False) for k in range(size)]
    ys = [sp.Symbol(f"y{k}", commutative=False) for k in range(size)]
    past, now, d, y, own = matrices("past now d y own")  # a generic position: past = sum_{i < k} x_ki theta_i
    claimed = transpose(d) * transpose(own) * (past + own * now - y) + square(own * d) / 2
    generic = square(past + own * (now + d) - y) / 2 - square(past + own * now - y) / 2 - claimed
    errors = [sum((a * t for a, t in zip(row, thetas, strict=False)), -yk) for row, yk in zip(blocks, ys, strict=True)]
    triangular = all(not (sp.expand(errors[k]).free_symbols & set(thetas[k + 1 :])) for k in range(size))
    return vanishes(generic, trace=True) and triangular


@statement.confirms(
    "the solution of the normal equations beats 27 other readers, and the untied one equals the recursion position by "
    "position",
    instances="12 rational instances with 3 positions and width 2",
)
def instances() -> bool:
    right = []
    moves = [[Fraction(a, 2), Fraction(b, 2)] for a in range(-2, 3) for b in range(-2, 3)]
    for seed in SEEDS:
        toy = Regression.draw(seed, positions=3, width=2, samples=5)
        tied, untied = toy.problem(tied=True), toy.problem(tied=False)
        least = tied.reader_loss(tied.myopic, tied.myopic)
        right += [
            tied.reader_loss([a + b for a, b in zip(tied.myopic, d, strict=True)], tied.myopic) >= least for d in moves
        ]
        stacked = untied.myopic
        for k in range(3):
            rows = [(sample[k], targets[k]) for sample, targets in zip(toy.features, toy.targets, strict=True)]
            errors = [sum(dot(f[j], stacked[2 * j : 2 * j + 2]) for j in range(k + 1)) - y for f, y in rows]
            own = [f[k] for f, _ in rows]
            right.append(rank(own) == 2 and all(dot(column, errors) == 0 for column in zip(*own, strict=True)))
    return all(right)
