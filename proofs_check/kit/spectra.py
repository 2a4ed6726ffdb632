"""Eigenvalues and nuclear norms of rational matrices, between rational bounds."""

from __future__ import annotations

from typing import Any

import sympy as sp
from mpmath import iv

from .intervals import interval

__all__ = ["eigenvalues", "nuclear_norm"]

DIGITS = 30


def eigenvalues(symmetric: sp.Matrix) -> list[tuple[Any, int]]:
    """The distinct eigenvalues, each as an interval with its multiplicity: the real roots, isolated, of the polynomial.

    Examples
    --------
    >>> [(0.99 < e.a and e.b < 2.01, k) for e, k in eigenvalues(sp.Matrix([[1, 0, 0], [0, 2, 0], [0, 0, 2]]))]
    [(True, 1), (True, 2)]
    """
    x = sp.Symbol("x")
    roots = sp.Poly(symmetric.charpoly(x).as_expr(), x).intervals(eps=sp.Rational(1, 10**DIGITS))
    return [(interval(*map(sp.Rational, ends)), int(multiplicity)) for ends, multiplicity in roots]


def nuclear_norm(matrix: sp.Matrix) -> Any:
    """The sum of singular values, as an interval.

    Examples
    --------
    >>> norm = nuclear_norm(sp.Matrix([[3, 0], [0, -4]]))
    >>> norm.a <= 7 <= norm.b and norm.delta < 1e-9
    True
    """
    total = iv.mpf(0)
    for value, multiplicity in eigenvalues(matrix.T * matrix):
        # An isolating interval of the eigenvalue 0 may begin below it.
        total += multiplicity * iv.sqrt(iv.mpf([max(value.a, 0), value.b]))
    return total
