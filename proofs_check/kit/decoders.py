"""Bounds on least norms for larger rational data: candidates in floating point, bounds in integers and intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from mpmath import iv
from numpy.typing import NDArray
from scipy.optimize import nnls

from .data import Data
from .intervals import interval

__all__ = ["Decoders", "positive_definite"]

SCALE = 40


def positive_definite(matrix: Sequence[Sequence[Any]]) -> bool:
    """Whether all pivots of a symmetric interval matrix are positive, by elimination; True is a proof.

    Examples
    --------
    >>> one, two = interval(1), interval(2)
    >>> positive_definite([[two, one], [one, one]]), positive_definite([[one, two], [two, one]])
    (True, False)
    """
    rows = [list(row) for row in matrix]
    for k, pivot in enumerate(rows):
        if not pivot[k].a > 0:
            return False
        for i in range(k + 1, len(rows)):
            factor = pivot[i] / pivot[k]
            for other in range(i, len(rows)):  # the upper half is enough
                rows[i][other] = rows[i][other] - factor * pivot[other]
    return True


class Decoders:
    """Decoders ``W = sum_j c_j h_j^T`` of data with independent embeddings, multiples of ``2**-bits``.

    A row c_j has sum 0. With logits t_jz on supports, a least norm is at least ``sum c_jz t_jz / ||W||`` and at most
    the norm of W plus the error of its logits over the least singular value of the embeddings.

    Examples
    --------
    >>> data = Data([[Fraction(2)]], [[Fraction(1, 2)] * 2], [Fraction(1)])
    >>> low, high = Decoders(data, bits=1).least_norm(lambda j, z: interval(z))  # w_1 - w_0 = 1/2
    >>> bool(low.a <= 8**-0.5 <= high.b < 0.3536)
    True
    """

    def __init__(self, data: Data, bits: int) -> None:
        self.data, self.bits = data, bits
        h = [[int(x * 2**bits) for x in row] for row in data.embeddings]
        self.gram = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in h] for x in h]  # times 4**bits

    @cached_property
    def least_singular(self) -> Fraction:
        """A lower bound on the least singular value of the embeddings; 0 if none was proved."""
        unit = 4**self.bits
        guess = Fraction(0.99 * float(np.linalg.eigvalsh(np.array(self.gram, dtype=float) / unit)[0]))
        rows = enumerate(self.gram)
        shifted = [[interval(Fraction(x, unit) - guess * (i == j)) for j, x in enumerate(row)] for i, row in rows]
        return Fraction(0.99 * float(guess) ** 0.5) if guess > 0 and positive_definite(shifted) else Fraction(0)

    def least_norm(self, target: Callable[[int, int], Any]) -> tuple[Any, Any]:
        """Bounds on the least norm of W with the logits ``target(j, z)`` on supports, up to a level each context."""
        supports = self.data.supports
        goals = [[target(j, z) for z in s] for j, s in enumerate(supports)]
        c = self._rounded(self._in_subspace(np.array([float((g[0] - x).mid) for g in goals for x in g[1:]])))
        logits, square = self._logits(c)
        norm, inner, error = iv.sqrt(interval(square)), interval(0), interval(0)
        for row, line, s, goal in zip(c, logits, supports, goals, strict=True):
            apart = [x - interval(line[z]) for z, x in zip(s, goal, strict=True)]
            level = sum(apart, interval(0)).mid / len(s)
            for z, x, gap in zip(s, goal, apart, strict=True):
                inner += interval(Fraction(row[z], 2**SCALE)) * x
                error += (gap - level) ** 2
        return inner / norm, norm + iv.sqrt(error) / interval(self.least_singular)

    def max_margin(self) -> tuple[Any, Any]:
        """Bounds on ``||W_mm||^2``: a dual value, and the norm of a decoder once its logits are made feasible."""
        data, places = self.data, list(self.data.margins)
        plain, basis = np.array(list(data.margins.values()), dtype=float), self._generators
        inside = np.linalg.solve(basis @ basis.T, basis @ plain.T)
        columns = np.vstack([plain.T - basis.T @ inside, np.ones(len(places))])
        u, _ = nnls(columns, np.eye(len(columns))[-1], maxiter=100 * len(places))
        u /= 1 - u.sum()
        start = -self._in_subspace(basis @ (plain.T @ u))
        for (j, v), value in zip(places, u, strict=True):
            start[j, v] -= value
            start[j, data.supports[j][0]] += value
        c = self._rounded(start)
        logits, square = self._logits(c)
        error = Fraction(0)
        for line, s in zip(logits, data.supports, strict=True):
            level = sum((line[z] for z in s), Fraction(0)) / len(s)
            feasible = [level if v in s else min(x, level - 1) for v, x in enumerate(line)]
            error += sum(((x - y) ** 2 for x, y in zip(line, feasible, strict=True)), Fraction(0))
        on = sum(Fraction(row[z], 2**SCALE) for row, s in zip(c, data.supports, strict=True) for z in s)
        upper = iv.sqrt(interval(square)) + iv.sqrt(interval(error)) / interval(self.least_singular)
        return interval(2 * on - square), upper**2

    @cached_property
    def _generators(self) -> NDArray[np.float64]:
        return np.array(self.data.generators, dtype=float)

    def _in_subspace(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """c (m, V) of the matrix of F with these values on the generators."""
        solved = iter(np.linalg.solve(self._generators @ self._generators.T, values))
        c = np.zeros((len(self.data.supports), self.data.vocab_size))
        for row, (anchor, *others) in zip(c, self.data.supports, strict=True):
            for z in others:
                row[z] = -next(solved)
            row[anchor] = -row.sum()
        return c

    def _rounded(self, c: NDArray[np.float64]) -> list[list[int]]:
        """Integers, times 2**SCALE: at most 0 off the support, of sum 0 thanks to the support's first token."""
        rows = []
        for row, s in zip(c, self.data.supports, strict=True):
            whole = [round(float(x) * 2**SCALE) for x in row]
            whole = [x if v in s else min(x, 0) for v, x in enumerate(whole)]
            whole[s[0]] -= sum(whole)
            rows.append(whole)
        return rows

    def _logits(self, c: list[list[int]]) -> tuple[list[list[Fraction]], Fraction]:
        """``W h_j`` and ``||W||^2``, exactly."""
        unit, columns = 2 ** (2 * self.bits + SCALE), list(zip(*c, strict=True))
        logits = [[sum(k * x for k, x in zip(line, col, strict=True)) for col in columns] for line in self.gram]
        square = sum(x * y for row, line in zip(c, logits, strict=True) for x, y in zip(row, line, strict=True))
        return [[Fraction(x, unit) for x in line] for line in logits], Fraction(square, unit * 2**SCALE)
