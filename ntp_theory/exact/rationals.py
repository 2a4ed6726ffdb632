"""Floats as the dyadic rationals that they are, and linear systems over the rationals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from torch import Tensor

from ..errors import SolverError, UsageError

__all__ = [
    "LARGEST",
    "Row",
    "common_denominator",
    "echelon",
    "factors",
    "flint_module",
    "log_sum",
    "primitive_rows",
    "rank",
    "rational",
    "snap",
    "solve",
]

# Ranks and pivots are read off modulo a prime. A rank modulo a prime never exceeds the rational one, and every solution
# is checked against all equations, so a prime that the data conspires against cannot make an answer wrong; the next
# is then tried. They are no neighbours of powers of two, which floats are made of.
PRIMES = (6278868125577681443, 5382556376929263269, 6775513028874476317)
# Unknowns of one dense solve; a thousand of 53 bits take some ten seconds.
LARGEST = 1500


class NotExact(Exception):
    """No exact object was found next to a float one; the message says which rule it breaks."""


Row = Mapping[int, int]
"""A sparse row of integers: column to value."""


def flint_module() -> Any:
    """The module that does the arithmetic.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import flint
    except ImportError:
        raise UsageError("exact=True needs python-flint; install ntp-theory[exact]") from None
    return flint


def rational(value: float | int, denominator: int = 1) -> Any:
    """The rational (flint.fmpq) that a float or a ratio of integers is.

    Examples
    --------
    >>> rational(0.375), rational(6, 4)
    (3/8, 3/2)
    """
    numerator, own = value.as_integer_ratio()
    return flint_module().fmpq(numerator, own * denominator)


def factors(number: int) -> dict[int, int]:
    """Primes of a positive integer with their exponents.

    Examples
    --------
    >>> factors(12)
    {2: 2, 3: 1}
    """
    return {int(prime): exponent for prime, exponent in flint_module().fmpz(number).factor()}


def common_denominator(values: Iterable[Any]) -> tuple[list[Any], Any]:
    """Numerators (flint.fmpz) of rationals over their smallest common denominator.

    Examples
    --------
    >>> common_denominator([rational(1, 2), rational(1, 3)])
    ([3, 2], 6)
    """
    values, denominator = list(values), flint_module().fmpz(1)
    for x in values:
        denominator = denominator.lcm(x.q)
    return [x.p * (denominator // x.q) for x in values], denominator


def log_sum(terms: Sequence[tuple[int, Fraction]]) -> float:
    """``sum y log(x) / sum |y|`` for integers y and rationals x > 0, to double precision, whatever cancels.

    The sum must not be 0: it is computed in balls, with more digits until 0 lies outside.

    Examples
    --------
    >>> log_sum([(2, Fraction(3)), (-1, Fraction(9, 2))])
    0.231049
    """
    flint = flint_module()
    size = sum(abs(y) for y, _ in terms)
    precision, before = 64 + size.bit_length(), flint.ctx.prec
    try:
        while True:
            flint.ctx.prec = precision
            total = sum((y * (flint.arb(x.numerator) / x.denominator).log() for y, x in terms), flint.arb(0))
            if total.rel_accuracy_bits() >= 53:
                return float(total / size)
            precision *= 2
    finally:
        flint.ctx.prec = before


def primitive_rows(matrix: Tensor) -> tuple[list[list[int]], list[Any]]:
    """Rows as multiples of integer vectors without a common factor.

    Parameters
    ----------
    matrix : Tensor (m, d)

    Returns
    -------
    rows : list of m lists of d int
    factors : list of m flint.fmpq
        Row j of the matrix is ``factors[j] * rows[j]``; factors are positive.

    Examples
    --------
    >>> import torch
    >>> primitive_rows(torch.tensor([[0.5, -0.75]]))
    ([[2, -3]], [1/4])
    """
    fmpq, rows, factors = flint_module().fmpq, [], []
    for row in matrix.double().tolist():
        ratios = [x.as_integer_ratio() for x in row]
        scale = math.lcm(*(q for _, q in ratios))
        whole = [p * (scale // q) for p, q in ratios]
        content = math.gcd(*whole) or 1
        rows.append([x // content for x in whole])
        factors.append(fmpq(content, scale) if any(whole) else fmpq(1))
    return rows, factors


def rank(rows: Sequence[Row], width: int) -> int:
    """Rank modulo a large prime: a proven lower bound on the rank over the rationals.

    Examples
    --------
    >>> rank([{0: 1, 1: 2}, {0: 2, 1: 4}], 2)
    1
    """
    return int(_dense(rows, width, PRIMES[0]).rank()) if rows and width else 0


def snap(rows: Sequence[Row], right: Sequence[Any], near: Sequence[float], order: Iterable[int]) -> list[Any] | None:
    """An exact solution of linear equations that shares all coordinates but the pivots with a rounded one.

    Parameters
    ----------
    rows : sequence of mappings
        The equations, sparse, in integers.
    right : sequence of flint.fmpq
        Their right-hand sides.
    near : sequence of float (n,)
        The rounded solution.
    order : iterable of int
        All columns; those that come first are made pivots if they can be.

    Returns
    -------
    list of flint.fmpq (n,) or None
        None if the equations contradict each other.

    Raises
    ------
    SolverError
        If more than 1500 unknowns would have to be solved for at once.

    Examples
    --------
    >>> snap([{0: 3, 1: -1}], [rational(0)], [0.333, 1.0], range(2))
    [1/3, 1]
    >>> snap([{0: 1}, {0: 2}], [rational(1), rational(3)], [1.0], range(1)) is None
    True
    """
    order = list(order)
    attempts = (_snap(rows, right, near, order, prime) for prime in PRIMES)
    return next((found for found in attempts if found is not None), None)


def _snap(
    rows: Sequence[Row], right: Sequence[Any], near: Sequence[float], order: Sequence[int], prime: int
) -> list[Any] | None:
    solution = [rational(x) for x in near]
    ordered = [{i: row[c] for i, c in enumerate(order) if c in row} for row in rows]
    chosen, pivots = echelon(ordered, len(order), prime)
    columns = [order[i] for i in pivots]
    pivotal = set(columns)
    missing = [
        b - sum((value * solution[i] for i, value in row.items() if i not in pivotal), rational(0))
        for row, b in zip(rows, right, strict=True)
    ]
    numerators, denominator = solve([rows[i] for i in chosen], columns, [[missing[i]] for i in chosen])
    whole = {c: x for c, (x,) in zip(columns, numerators, strict=True)}
    for row, b in zip(rows, missing, strict=True):
        if sum(value * whole[i] for i, value in row.items() if i in pivotal) != b * denominator:
            return None
    for c, x in whole.items():
        solution[c] = flint_module().fmpq(x, denominator)
    return solution


def echelon(rows: Sequence[Row], width: int, prime: int = PRIMES[0]) -> tuple[list[int], list[int]]:
    """Indices of independent rows and of the pivot columns, as many as the rank modulo the prime.

    They are independent over the rationals too; that there are no more of them is for the caller to check.

    Examples
    --------
    >>> echelon([{0: 1, 1: 2}, {0: 2, 1: 4}, {1: 1}], 2)
    ([0, 2], [0, 1])
    """
    columns = _pivots(_dense(rows, width, prime)) if rows and width else []
    transposed: list[dict[int, int]] = [{} for _ in columns]
    place = {c: k for k, c in enumerate(columns)}
    for i, row in enumerate(rows):
        for c, value in row.items():
            if c in place:
                transposed[place[c]][i] = value
    return (_pivots(_dense(transposed, len(rows), prime)) if columns else []), columns


def solve(rows: Sequence[Row], columns: Sequence[int], right: Sequence[Sequence[Any]]) -> tuple[list[list[Any]], Any]:
    """Solution of a square system with several right-hand sides: rows of numerators and their denominator.

    Examples
    --------
    >>> solve([{0: 3}, {0: 1, 1: 1}], [0, 1], [[rational(1)], [rational(0)]])
    ([[1], [-1]], 3)
    """
    n = len(columns)
    if n > LARGEST:
        raise SolverError(f"an exact solve for {n} unknowns; at most {LARGEST} are tried", "too large")
    if not n:
        return [], 1
    fmpq_mat, k = flint_module().fmpq_mat, len(right[0])
    square = fmpq_mat(n, n, [row.get(c, 0) for row in rows for c in columns])
    solved = square.solve(fmpq_mat(n, k, [x for row in right for x in row]), algorithm="dixon")
    numerators, denominator = solved.numer_denom()
    return numerators.tolist(), denominator


def _dense(rows: Sequence[Row], width: int, prime: int) -> Any:
    """The rows modulo a prime."""
    entries = [row.get(i, 0) % prime for row in rows for i in range(width)]
    return flint_module().nmod_mat(len(rows), width, entries, prime)


def _pivots(matrix: Any) -> list[int]:
    """Columns of the pivots of the row echelon form."""
    reduced, count = matrix.rref()
    pivots, column = [], 0
    for i in range(count):
        while not int(reduced[i, column]):
            column += 1
        pivots.append(column)
        column += 1
    return pivots
