"""Regressions over positions in rational arithmetic: the floats of the data are the rationals that they are."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from sympy import QQ
from sympy.polys.matrices import DomainMatrix
from torch import Tensor

from ...planning import PositionRegression
from ..rational import to_fractions

__all__ = ["Exact", "entries", "half_square"]


@dataclass(frozen=True)
class Exact:
    """X, S and Y of a `PositionRegression`, and what follows from them; losses are sums over samples and positions.

    Attributes
    ----------
    own, everything, targets : DomainMatrix
        X, S and Y, a row a sample and position.
    """

    own: DomainMatrix
    everything: DomainMatrix
    targets: DomainMatrix

    @classmethod
    def of(cls, problem: PositionRegression) -> Exact:
        """Written out from features and targets, without the code of the library."""
        own, everything, targets = [], [], []
        for sample, answers in zip(problem.features.tolist(), problem.targets.tolist(), strict=True):
            for k, answer in enumerate(answers):
                parts = [[Fraction(x) for x in part] for part in sample[k]]
                if problem.tied:
                    own.append(parts[k])
                    everything.append([sum(column, Fraction(0)) for column in zip(*parts, strict=True)])
                else:
                    own.append([x * (i == k) for i, part in enumerate(parts) for x in part])
                    everything.append([x for part in parts for x in part])
                targets.append([Fraction(answer)])
        return cls(*(_matrix(rows) for rows in (own, everything, targets)))

    @cached_property
    def best(self) -> DomainMatrix:
        """theta*, a column."""
        return _solve(self.everything, self.everything, self.targets)

    @cached_property
    def myopic(self) -> DomainMatrix:
        """theta~."""
        return _solve(self.own, self.everything, self.targets)

    def loss(self, theta: DomainMatrix) -> Fraction:
        """``|S theta - Y|^2 / 2``."""
        return half_square(self.everything * theta - self.targets)

    def reader(self, past: DomainMatrix) -> tuple[DomainMatrix, Fraction]:
        """The best weights to read with if the past keeps its own, and the loss then."""
        errors = self.everything * past - self.targets
        step = _solve(self.own, self.own, errors)
        return past - step, half_square(errors - self.own * step)

    def myopic_gradient(self, theta: DomainMatrix) -> DomainMatrix:
        """``X^T (S theta - Y)``."""
        return self.own.transpose() * (self.everything * theta - self.targets)

    @staticmethod
    def column(theta: Tensor) -> DomainMatrix:
        """Weights of the library."""
        return _matrix(to_fractions(theta.reshape(-1, 1)))


def half_square(vector: DomainMatrix) -> Fraction:
    """``|vector|^2 / 2``."""
    return entries(vector.transpose() * vector)[0] / 2


def entries(matrix: DomainMatrix) -> list[Fraction]:
    """Row by row."""
    return [Fraction(int(x.numerator), int(x.denominator)) for x in matrix.to_list_flat()]


def _solve(left: DomainMatrix, rows: DomainMatrix, right: DomainMatrix) -> DomainMatrix:
    """``left^T rows theta = left^T right``."""
    return (left.transpose() * rows).lu_solve(left.transpose() * right)


def _matrix(rows: list[list[Fraction]]) -> DomainMatrix:
    entries = [[QQ(x.numerator, x.denominator) for x in row] for row in rows]
    return DomainMatrix(entries, (len(rows), len(rows[0])), QQ)
