"""Printed: the proof of Lemma 4 (4) uses ||W|| = ||P_F W|| + ||P_o W||, P_o the projection on the complement of F.

With F spanned by (e_1 - e_2) h^T, h = 1 and V = 3, W = (1, 0, 0) has norm 1 and parts of norm 1/sqrt(2) each.
Repaired: Pythagoras, ||W||^2 = ||P_F W||^2 + ||P_o W||^2. Lemma 4 needs only ||P_o W|| >= ||W|| - ||P_F W||.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.data import Data
from ..kit.matrices import diagonals, transpose, vanishes
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/erratum-E11",
    source="2402.18551 Lemma 4 (4)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/data-subspace"],
)


@statement.refutes("W = (1, 0, 0): squared norms 1, 1/2, 1/2, and 1 is not (sqrt(1/2) + sqrt(1/2))^2")
def counterexample() -> bool:
    half = Fraction(1, 2)
    data = Data([[Fraction(1)]], [[half, half, Fraction(0)]], [Fraction(1)])
    W = [Fraction(1), Fraction(0), Fraction(0)]
    inside = data.project(W)
    outside = [w - f for w, f in zip(W, inside, strict=True)]
    squares = [dot(part, part) for part in (W, inside, outside)]
    printed = sp.sqrt(sp.Rational(1, 2)) + sp.sqrt(sp.Rational(1, 2))
    return bool(squares == [1, half, half] and printed**2 != 1)


@statement.proves("Pythagoras for an orthogonal projection P = P^T = P^2 of any size: P^T P + (1-P)^T (1-P) = 1")
def pythagoras() -> bool:
    (P,) = diagonals("P")  # a letter equal to its transpose
    return vanishes(transpose(P) * P + transpose(1 - P) * (1 - P) - 1, {P * P: P})


@statement.proves("(||P_F W|| + ||P_o W||)^2 - ||W||^2 = 2 ||P_F W|| ||P_o W|| >= 0")
def triangle() -> bool:
    a, b = sp.symbols("a b", nonnegative=True)
    return bool(sp.expand((a + b) ** 2 - (a**2 + b**2)).is_nonnegative)
