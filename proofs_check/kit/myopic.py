"""Myopic training in two models where all is exact: linear regression over positions, and an attention head.

Regression: position k predicts ``sum_{i <= k} x_ki . theta_i``, theta_i being what position i uses. Over all samples
and positions the errors are ``S theta - Y``; the part of S that belongs to the position that predicts is X, and a
myopic gradient is ``X^T (S theta - Y)``. With untied parameters theta is the stack of all theta_i.

Attention: a head at a position with own input h and any number of past inputs x[1], .., x[n-1]. What is not
differentiated has a letter of its own, to be equated with the live one afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from .generic import split
from .rational import Vector, dot, solve

__all__ = ["Problem", "Regression", "attend", "attended", "as_printed", "equated", "same", "score", "value"]
__all__ += ["h", "i", "n", "p", "past_u", "past_w", "sg_h", "sg_u", "sg_w", "sg_x", "u", "w", "x"]

Rows = Sequence[Sequence[Fraction]]

# Past inputs, live and detached; weights of keys and of values: live, detached, and as copies of the past positions;
# the own input, live and detached; the weight of the query.
x, sg_x = sp.IndexedBase("x"), sp.IndexedBase("sg_x")
w, sg_w, past_w, u, sg_u, past_u, h, sg_h, p = sp.symbols("w sg_w past_w u sg_u past_u h sg_h p", real=True)
i, n = sp.symbols("i n", integer=True, positive=True)


def score(place: sp.Expr, weight: sp.Expr, source: sp.Expr) -> sp.Expr:
    """Any score of the query of h with a key made by a weight from an input, along a line in their spaces."""
    return sp.Function("score", real=True)(place, sp.Function("query", real=True)(p, h), weight, source)


def value(place: sp.Expr, weight: sp.Expr, source: sp.Expr) -> sp.Expr:
    """Any coordinate of the value made by a weight from an input, along a line in their spaces."""
    return sp.Function("value", real=True)(place, weight, source)


def attend(weight_k: sp.Expr, weight_v: sp.Expr, inputs: sp.IndexedBase) -> sp.Expr:
    """``sum_i A_i V_i`` over the past i < n and the position n itself, the past read with these weights and inputs."""
    return attended(score(i, weight_k, inputs[i]), value(i, weight_v, inputs[i]))


def attended(past_score: sp.Expr, past_value: sp.Expr) -> sp.Expr:
    """``sum_i A_i V_i`` for scores and values of the past that are given as functions of the position i."""
    own = sp.exp(score(n, w, h))
    past = (i, 1, n - 1)
    total = sp.Sum(sp.exp(past_score), past) + own
    return (sp.Sum(sp.exp(past_score) * past_value, past) + own * value(n, u, h)) / total


def as_printed(weight_k: sp.Expr, weight_v: sp.Expr) -> sp.Expr:
    """``A V' + diag(A) (V - V')``, past and V' made with these weights from detached inputs, A_nn from live ones."""
    past, own = (i, 1, n - 1), sp.exp(score(n, w, h))
    past_weight, blocked = sp.exp(score(i, weight_k, sg_x[i])), value(n, weight_v, sg_h)
    total = sp.Sum(past_weight, past) + own
    mixed = sp.Sum(past_weight / total * value(i, weight_v, sg_x[i]), past) + own / total * blocked
    return mixed + own / total * (value(n, u, h) - blocked)


def equated(expression: sp.Expr) -> sp.Expr:
    """Every detached letter and every copy replaced by the live letter: they are equal in value.

    Examples
    --------
    >>> equated(sg_w * sp.Function("f")(sg_x[n]))
    w*f(x[n])
    """
    for detached, live in ((sg_w, w), (past_w, w), (sg_u, u), (past_u, u), (sg_h, h), (sg_x, x)):
        expression = expression.subs(detached, live)
    return expression.replace(lambda part: isinstance(part, sp.Subs), lambda part: part.doit())


def same(left: sp.Expr, right: sp.Expr) -> bool:
    """Whether two expressions in sums over the past agree, for any number of positions.

    Examples
    --------
    >>> same(sp.Sum(w * x[i] + u, (i, 1, n)), w * sp.Sum(x[i], (i, 1, n)) + n * u)
    True
    """
    return bool(sp.expand(sp.numer(sp.together(split(sp.expand(left) - sp.expand(right))))) == 0)


@dataclass(frozen=True)
class Regression:
    """Features ``x_ki`` (vectors, i <= k) and targets ``y_k`` of every sample.

    Examples
    --------
    >>> toy = Regression.draw(0, positions=2, width=1, samples=3)
    >>> tied = toy.problem(tied=True)
    >>> tied.loss(tied.best) <= tied.loss(tied.myopic)
    True
    """

    features: Sequence[Sequence[Rows]]
    targets: Rows

    @classmethod
    def draw(cls, seed: int, positions: int, width: int, samples: int) -> Regression:
        """Whole numbers from -3 to 3."""
        rng = random.Random(seed)

        def vector(size: int) -> Vector:
            return [Fraction(rng.randint(-3, 3)) for _ in range(size)]

        rows = [[[vector(width) for _ in range(k + 1)] for k in range(positions)] for _ in range(samples)]
        return cls(rows, [vector(positions) for _ in range(samples)])

    def problem(self, *, tied: bool) -> Problem:
        """X, S and Y."""
        positions, width = len(self.targets[0]), len(self.features[0][0][0])
        own, everything, right = [], [], []
        for sample, targets in zip(self.features, self.targets, strict=True):
            for k, (parts, target) in enumerate(zip(sample, targets, strict=True)):
                blocks = [[Fraction(0)] * width for _ in range(positions)]
                if tied:
                    own.append(list(parts[k]))
                    everything.append([sum(column, Fraction(0)) for column in zip(*parts, strict=True)])
                else:
                    own.append([a for j, block in enumerate(blocks) for a in (parts[k] if j == k else block)])
                    everything.append([a for j, block in enumerate(blocks) for a in (parts[j] if j <= k else block)])
                right.append(target)
        return Problem(own, everything, right)


@dataclass(frozen=True)
class Problem:
    """The rows of X and S and the entries of Y; losses are sums over samples and positions of squares over 2."""

    own: Rows
    everything: Rows
    targets: Sequence[Fraction]

    def errors(self, theta: Sequence[Fraction]) -> Vector:
        """``S theta - Y``."""
        return [dot(row, theta) - target for row, target in zip(self.everything, self.targets, strict=True)]

    def loss(self, theta: Sequence[Fraction]) -> Fraction:
        """``|S theta - Y|^2 / 2``."""
        return sum((error**2 for error in self.errors(theta)), Fraction(0)) / 2

    def reader_loss(self, reader: Sequence[Fraction], past: Sequence[Fraction]) -> Fraction:
        """``|X reader + (S - X) past - Y|^2 / 2``: the past of every position keeps its parameters."""
        shift = [a - b for a, b in zip(reader, past, strict=True)]
        errors = [e + dot(row, shift) for row, e in zip(self.own, self.errors(past), strict=True)]
        return sum((error**2 for error in errors), Fraction(0)) / 2

    def gradient(self, theta: Sequence[Fraction], *, myopic: bool) -> Vector:
        """``X^T (S theta - Y)`` if myopic, ``S^T (S theta - Y)`` if not."""
        errors = self.errors(theta)
        return [dot(column, errors) for column in zip(*(self.own if myopic else self.everything), strict=True)]

    @property
    def best(self) -> Vector:
        """theta*, from ``S^T S theta = S^T Y``."""
        return self._solved(self.everything, self.everything, self.targets)

    @property
    def myopic(self) -> Vector:
        """The myopic optimum, from ``X^T S theta = X^T Y``."""
        return self._solved(self.own, self.everything, self.targets)

    def best_reader(self, past: Sequence[Fraction]) -> Vector:
        """``argmin`` of the reader's loss, from ``X^T X shift = -X^T (S past - Y)``."""
        shift = self._solved(self.own, self.own, [-error for error in self.errors(past)])
        return [a + b for a, b in zip(past, shift, strict=True)]

    @staticmethod
    def _solved(left: Rows, rows: Rows, right: Sequence[Fraction]) -> Vector:
        columns = list(zip(*left, strict=True))
        matrix = [[dot(column, other) for other in zip(*rows, strict=True)] for column in columns]
        solution = solve(matrix, [dot(column, right) for column in columns])
        if solution is None:
            raise ValueError("these normal equations have no solution")
        return solution
