"""A program that minimises the spectral norm does not find the max-margin decoder, which has the least Frobenius norm.

The public code `MultiLabelSVM` minimises `cp.norm2(W)`, and what cvxpy calls norm2 of a matrix is its largest singular
value (documentation, not computed here). Free embeddings, V = 3, supports {0}, {2}, {0, 1}: the decoder

    W = [[5, -2, 2], [-4, -2, 2], [-1, 4, -4]] / 6

meets the constraints and has the spectral norm sqrt(3 / 2), below that of W_mm, sqrt(1 + 1 / sqrt 3). So no decoder of
least spectral norm is W_mm, and each has a larger Frobenius norm, since W_mm is the only one of the least.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.data import Data
from ..statement import Statement

statement = Statement("geometry/defect-spectral-norm", source="public code of 2408.15417", verdict="proved")

SUPPORTS = ((0,), (2,), (0, 1))
OTHER = sp.Matrix([[5, -2, 2], [-4, -2, 2], [-1, 4, -4]]) / 6
W_MM = sp.Matrix([[2, -1, 1], [-1, -1, 1], [-1, 2, -2]]) / 3


def feasible(decoder: sp.Matrix) -> bool:
    """Equal on each support, and larger by at least 1 than off it; contexts are the columns."""
    return all(
        decoder[z, j] == decoder[v, j] if v in support else decoder[z, j] - decoder[v, j] >= 1
        for j, support in enumerate(SUPPORTS)
        for z in support
        for v in range(3)
    )


def squares(decoder: sp.Matrix) -> list[sp.Expr]:
    """Squares of the singular values, the largest last."""
    return sorted((decoder.T * decoder).eigenvals(multiple=True))


@statement.proves("W_mm is as written: the solution, exact and with multipliers, of the least-distance program")
def w_mm() -> bool:
    rows = [[Fraction(int(i == k)) for k in range(3)] for i in range(3)]
    probabilities = [[Fraction(int(v in s), len(s)) for v in range(3)] for s in SUPPORTS]
    data = Data(rows, probabilities, [Fraction(1, 3)] * 3)
    found, margins = data.svm, list(data.margins.values())
    assert found.point is not None
    flat = [Fraction(str(x)) for x in W_MM]
    # stationarity up to F, signs, complementary slackness: then it is the only minimiser
    force = [sum(u * row[i] for u, row in zip(found.multipliers, margins, strict=True)) for i in range(9)]
    inside = data.project([w - f for w, f in zip(flat, force, strict=True)])
    stationary = [f + p for f, p in zip(force, inside, strict=True)] == flat
    slack = [sum(a * b for a, b in zip(row, flat, strict=True)) - 1 for row in margins]
    complementary = all(u >= 0 and u * x == 0 for u, x in zip(found.multipliers, slack, strict=True))
    return found.point == flat and feasible(W_MM) and stationary and complementary


@statement.proves("the other decoder meets the constraints; its squared singular values are 0, 1, 3 / 2")
def other() -> bool:
    return feasible(OTHER) and squares(OTHER) == [0, 1, sp.Rational(3, 2)]


@statement.proves("those of W_mm are 0, 1 - 1 / sqrt 3, 1 + 1 / sqrt 3, and 1 + 1 / sqrt 3 > 3 / 2")
def longer() -> bool:
    root = 1 / sp.sqrt(3)
    found = squares(W_MM)
    return all(sp.simplify(a - b) == 0 for a, b in zip(found, [0, 1 - root, 1 + root], strict=True)) and bool(
        found[-1] > squares(OTHER)[-1]
    )
