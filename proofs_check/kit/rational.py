"""Linear algebra over the rationals, and the least-distance problem behind max-margin decoders, solved exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sympy import QQ
from sympy.polys.matrices import DomainMatrix

__all__ = ["Nearest", "dot", "nearest", "null_space", "project", "rank", "solve"]

Vector = list[Fraction]


def dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    """Inner product."""
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def rank(rows: Sequence[Sequence[Fraction]]) -> int:
    """Rank.

    Examples
    --------
    >>> rank([[1, 2], [2, 4]])
    1
    """
    return int(_matrix(rows).rank()) if rows else 0


def null_space(rows: Sequence[Sequence[Fraction]]) -> list[Vector]:
    """A basis of the vectors x with ``rows x = 0``; there must be a row.

    Examples
    --------
    >>> null_space([[1, 2]])
    [[Fraction(-2, 1), Fraction(1, 1)]]
    """
    return _fractions(_matrix(rows).to_field().nullspace())


def solve(rows: Sequence[Sequence[Fraction]], right: Sequence[Fraction]) -> Vector | None:
    """One solution x of ``rows x = right``, the free coordinates 0; None if there is none.

    Examples
    --------
    >>> solve([[2, 0], [0, 3]], [1, 1]), solve([[1, 1], [1, 1]], [0, 1])
    ([Fraction(1, 2), Fraction(1, 3)], None)
    """
    width = len(rows[0])
    reduced, pivots = _matrix([[*row, value] for row, value in zip(rows, right, strict=True)]).rref()
    if width in pivots:
        return None
    solution = [Fraction(0)] * width
    for row, pivot in zip(_fractions(reduced), pivots, strict=False):
        solution[pivot] = row[width]
    return solution


def project(vectors: Sequence[Sequence[Fraction]], point: Sequence[Fraction]) -> Vector:
    """The orthogonal projection of a point on the span of vectors.

    Examples
    --------
    >>> project([[1, 1]], [1, 0])
    [Fraction(1, 2), Fraction(1, 2)]
    """
    if not vectors:
        return [Fraction(0)] * len(point)
    coefficients = solve([[dot(a, b) for b in vectors] for a in vectors], [dot(a, point) for a in vectors])
    assert coefficients is not None  # normal equations have a solution
    return [dot(coefficients, column) for column in zip(*vectors, strict=True)]


@dataclass(frozen=True)
class Nearest:
    """``argmin |x|`` subject to ``a_i x >= 1``, or a proof that there is no such x.

    ``point`` is the sum of ``multipliers[i] a_i``, or None; then the multipliers, not all 0, make that sum vanish.
    """

    point: Vector | None
    multipliers: Vector


def nearest(constraints: Sequence[Sequence[Fraction]]) -> Nearest:
    """The point nearest to 0 with ``a_i x >= 1`` for every constraint, by Lawson and Hanson's method in fractions.

    Examples
    --------
    >>> nearest([[1, 0], [1, 1]])
    Nearest(point=[Fraction(1, 1), Fraction(0, 1)], multipliers=[Fraction(1, 1), Fraction(0, 1)])
    >>> nearest([[1], [-1]])
    Nearest(point=None, multipliers=[Fraction(1, 2), Fraction(1, 2)])
    """
    # The residual of the non-negative least-squares problem [A; 1] u = (0, .., 0, 1) is the answer up to scale.
    columns = [[*map(Fraction, row), Fraction(1)] for row in constraints]
    target = [Fraction(0)] * (len(columns[0]) - 1) + [Fraction(1)]
    u, passive = [Fraction(0)] * len(columns), []
    while True:
        residual = _residual(columns, u, target)
        slopes = {i: dot(column, residual) for i, column in enumerate(columns) if i not in passive}
        best = max(slopes, key=lambda i: slopes[i], default=None)
        if best is None or slopes[best] <= 0:
            break
        passive.append(best)
        while True:
            chosen = [columns[i] for i in passive]
            trial = solve([[dot(a, b) for b in chosen] for a in chosen], [dot(a, target) for a in chosen])
            assert trial is not None
            if min(trial) > 0:
                u = [Fraction(0)] * len(columns)
                for i, value in zip(passive, trial, strict=True):
                    u[i] = value
                break
            steps = [u[i] / (u[i] - value) for i, value in zip(passive, trial, strict=True) if value <= 0]
            for i, value in zip(passive, trial, strict=True):
                u[i] += min(steps) * (value - u[i])
            passive = [i for i in passive if u[i] > 0]
    if residual[-1] == 0:
        return Nearest(None, u)
    return Nearest([-x / residual[-1] for x in residual[:-1]], [x / residual[-1] for x in u])


def _residual(columns: list[Vector], u: Vector, target: Vector) -> Vector:
    return [value - dot(row, u) for value, row in zip(target, zip(*columns, strict=True), strict=True)]


def _matrix(rows: Sequence[Sequence[Fraction]]) -> DomainMatrix:
    entries = [[QQ(x.numerator, x.denominator) for x in row] for row in rows]
    return DomainMatrix(entries, (len(entries), len(entries[0])), QQ)


def _fractions(matrix: DomainMatrix) -> list[Vector]:
    return [[Fraction(int(x.numerator), int(x.denominator)) for x in row] for row in matrix.to_list()]
