"""A ridge probe is the unique solution of its normal equations.

min over w of |A w - b|^2 + w^T P w, where A holds hidden states (and a constant column for the bias), P is diagonal
and not negative (1e-4 for weights; 0 for a bias that is not penalised), and A^T A + P is positive definite, is
reached exactly at

    (A^T A + P) w  =  A^T b,

because the objective is its value there plus d^T (A^T A + P) d at a distance d. R^2 = 1 - |A w - b|^2 / |b - mean|^2.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..kit.rational import dot, solve
from ..statement import Statement

statement = Statement("planning/probes", source="FutureGPT2-public; own runs", verdict="proved")

A, b, w, d = matrices("A b w d")
(P,) = diagonals("P")


def objective(weights: sp.Expr) -> sp.Expr:
    """``|A weights - b|^2 + weights^T P weights``."""
    return transpose(A * weights - b) * (A * weights - b) + transpose(weights) * P * weights


@statement.proves(
    "f(w + d) - f(w) = 2 d^T ((A^T A + P) w - A^T b) + d^T (A^T A + P) d, for matrices of any sizes: with the normal "
    "equations the first part is 0 and the second positive unless d = 0"
)
def square() -> bool:
    first = 2 * transpose(d) * ((transpose(A) * A + P) * w - transpose(A) * b)
    second = transpose(d) * (transpose(A) * A + P) * d
    return vanishes(objective(w + d) - objective(w) - first - second, trace=True)


@statement.proves(
    "and they are necessary: if v = (A^T A + P) w - A^T b is not 0, a step -s v lowers f for small s > 0 (f changes by "
    "-2 s |v|^2 + s^2 v^T (A^T A + P) v)"
)
def necessary() -> bool:
    s, norm, curvature = sp.symbols("s norm curvature", positive=True)
    change = -2 * s * norm + s**2 * curvature
    return sp.factor(change.subs(s, norm / curvature)).is_negative is True


@statement.proves(
    "with all weights penalised A^T A + P is positive definite: d^T (A^T A + P) d = |A d|^2 + sum P_aa d_a^2; "
    "with a free bias it is too, since d^T (..) d = 0 leaves the bias alone, whose column of ones gives rows * "
    "d^2 = 0"
)
def definite() -> bool:
    form = transpose(d) * (transpose(A) * A + P) * d - transpose(A * d) * (A * d) - transpose(d) * P * d
    rows, k = sp.symbols("rows k", integer=True, positive=True)
    bias = sp.Symbol("bias", real=True)
    return vanishes(form) and is_zero(sp.Sum((1 * bias) ** 2, (k, 1, rows)).doit() - rows * bias**2)


@statement.confirms(
    "the ridge solution has a zero gradient and an R^2 between 0 and 1",
    instances="states 1..6 and their squares, target k^3, P = 1e-4 on the weights, free bias",
)
def instance() -> bool:
    rows = [[Fraction(k), Fraction(k * k), Fraction(1)] for k in range(1, 7)]
    target = [Fraction(k**3) for k in range(1, 7)]
    penalty = [Fraction(1, 10**4), Fraction(1, 10**4), Fraction(0)]
    columns = list(zip(*rows, strict=True))
    gram = [[dot(x, y) + (penalty[i] if i == j else 0) for j, y in enumerate(columns)] for i, x in enumerate(columns)]
    weights = solve(gram, [dot(column, target) for column in columns])
    if weights is None:
        return False
    errors = [dot(row, weights) - t for row, t in zip(rows, target, strict=True)]
    gradient = [dot(c, errors) + p * v for c, p, v in zip(columns, penalty, weights, strict=True)]
    mean = sum(target) / 6
    left, total = sum(e * e for e in errors), sum((t - mean) ** 2 for t in target)
    return gradient == [0, 0, 0] and 0 < 1 - left / total < 1
