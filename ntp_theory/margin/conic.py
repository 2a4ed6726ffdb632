"""Norms of matrices as cvxpy expressions, the general Schatten norms by semidefinite constraints."""

from __future__ import annotations

import math
from typing import Any

import cvxpy
import numpy as np

from .norms import Norm

__all__ = ["norm_expression"]

cp: Any = cvxpy  # much of it has no types

# Exponents of matrix powers are rounded to this many binary digits. The minimiser of a norm with a nearby exponent is
# off by their difference, so its value by the square of that, 4e-12, but for p near 1, where the minimiser changes with
# 1 / (p - 1) times as much; the certificate of an answer knows the true one.
BITS = 18


def norm_expression(matrix: Any, norm: Norm) -> tuple[Any, list[Any]]:
    """The norm of a cvxpy matrix, to be minimised.

    Parameters
    ----------
    matrix : cvxpy expression (V, d)
    norm : Norm

    Returns
    -------
    value : cvxpy expression
        At least the norm wherever the constraints hold, and for each matrix equal to it somewhere.
    constraints : list of cvxpy constraints

    Notes
    -----
    Schatten norms other than nuclear, Frobenius and spectral go through norms of positive semidefinite matrices (ours):
    for p > 2, ``||A||_p^2 = min ||X||_{p/2}`` over ``X >= A A^T``; for p < 2, ``||A||_p = min (tr(A^T X^-1 A) +
    ||X||_s) / 2`` over X, with s = p / (2 - p), by the Hoelder inequality. Exponents between 1 and 2 are left, and
    ``X^s`` is a chain of geometric means of matrices (Fawzi and Saunderson, 2017).
    """
    if norm.family == "schatten" and norm.p not in (1, math.inf):
        constraints: list[Any] = []
        return _schatten(matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T, norm.p, constraints), constraints
    if norm.family == "schatten":
        return (cp.normNuc(matrix) if norm.p == 1 else cp.sigma_max(matrix)), []
    parts = cp.vec(matrix, order="F") if norm.family == "entrywise" else cp.norm(matrix, 2, axis=1)
    return cp.pnorm(parts, norm.p, approx=False), []


def _schatten(matrix: Any, p: float, constraints: list[Any]) -> Any:
    """Schatten p-norm of a matrix that is no taller than wide, 1 < p < inf."""
    size, width = matrix.shape
    square = _symmetric(size)
    if p > 2:
        scale = cp.Variable()
        constraints += [_block(square, matrix, scale * np.eye(width)), _psd_norm(square, p / 2, constraints) <= scale]
        return scale
    other = _symmetric(width)
    constraints.append(_block(square, matrix, other))
    return (cp.trace(other) + _psd_norm(square, p / (2 - p), constraints)) / 2


def _psd_norm(matrix: Any, s: float, constraints: list[Any]) -> Any:
    """Schatten s-norm of a positive semidefinite matrix, 1 <= s < inf."""
    if s == 2:
        return cp.norm(matrix, "fro")
    size, scale = matrix.shape[0], cp.Variable()
    identity = scale * np.eye(size)
    square = _symmetric(size)
    if s > 2:  # square >= X^2 / scale
        constraints += [_block(square, matrix, identity), _psd_norm(square, s / 2, constraints) <= scale]
        return scale
    # square >= X^s scale^(1-s) = X M^-1 X with M the geometric mean of scale I and X with weight 2 - s on X
    mean = _geometric_mean(identity, matrix, round((2 - s) * 2**BITS), BITS, constraints)
    constraints += [_block(square, matrix, mean), cp.trace(square) <= scale]
    return scale


def _geometric_mean(a: Any, b: Any, numerator: int, bits: int, constraints: list[Any]) -> Any:
    """A matrix of at most ``a #_h b``, their geometric mean with weight ``h = numerator / 2^bits`` on b."""
    while bits and numerator % 2 == 0:
        numerator, bits = numerator // 2, bits - 1
    if bits == 0:
        return b if numerator else a
    # h = (0 + 2h) / 2 or (1 + (2h - 1)) / 2: half way from an end to a mean of fewer digits
    end, rest = (a, 2 * numerator) if numerator < 2 ** (bits - 1) else (b, 2 * numerator - 2**bits)
    mean = _symmetric(a.shape[0])
    constraints.append(_block(end, mean, _geometric_mean(a, b, rest, bits, constraints)))
    return mean


def _symmetric(size: int) -> Any:
    return cp.Variable((size, size), symmetric=True)


def _block(a: Any, b: Any, c: Any) -> Any:
    """``[[a, b], [b^T, c]]`` is positive semidefinite."""
    return cp.bmat([[a, b], [b.T, c]]) >> 0
