"""Arithmetic in F_p[X]/(X^n), on whole arrays: elements (.., n), the constant term first."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["OPERATORS", "Coefficients", "add", "compose", "evaluate", "multiply", "negative"]

Coefficients = NDArray[np.int64]

OPERATORS = {"-": 1, "+": 2, "*": 2, "o": 2}
"""Symbols, and how many operands each takes: minus, plus, times, and composition, the outer polynomial first."""


def negative(a: Coefficients, modulus: int) -> Coefficients:
    """``-a``."""
    return -a % modulus


def add(a: Coefficients, b: Coefficients, modulus: int) -> Coefficients:
    """``a + b``."""
    return (a + b) % modulus


def multiply(a: Coefficients, b: Coefficients, modulus: int) -> Coefficients:
    """``a b``, without the powers from X^n on."""
    n = a.shape[-1]
    terms = (a[..., :, None] * b[..., None, :]).reshape(*np.broadcast_shapes(a.shape, b.shape)[:-1], n * n)
    product: Coefficients = terms @ _powers(n)
    return product % modulus


def compose(a: Coefficients, b: Coefficients, modulus: int) -> Coefficients:
    """``a(b(X))`` of the representatives without powers from X^n on, and without them again.

    Other representatives of the class of ``a`` give something else if b has a constant term: composition is not defined
    on classes (`multitoken/composition`).

    Examples
    --------
    >>> x_to_4, x = np.array([0, 0, 0, 0, 1]), np.array([0, 1, 0, 0, 0])
    >>> compose(multiply(x_to_4, x, 7), np.array([1, 1, 0, 0, 0]), 7)  # X^5 is 0; unreduced it gives (1 + X)^5
    array([0, 0, 0, 0, 0])
    """
    value = np.zeros(np.broadcast_shapes(a.shape, b.shape), dtype=np.int64)
    for k in reversed(range(a.shape[-1])):
        value = multiply(value, b, modulus)
        value[..., 0] += a[..., k]
    return value % modulus


def evaluate(symbol: str, operands: tuple[Coefficients, ...], modulus: int) -> Coefficients:
    """What an operator makes of its operands.

    Examples
    --------
    >>> evaluate("*", (np.array([1, 1]), np.array([1, 6])), 7)
    array([1, 0])
    """
    if symbol == "-":
        return negative(operands[0], modulus)
    first, second = operands
    return {"+": add, "*": multiply, "o": compose}[symbol](first, second, modulus)


@cache
def _powers(n: int) -> Coefficients:
    """(n n, n): 1 where X^i X^j, i < n and j < n, is the power X^k."""
    powers = np.arange(n)
    one: Coefficients = (powers[:, None, None] + powers[:, None] == powers).reshape(n * n, n).astype(np.int64)
    return one
