"""Not covered by the theorems: soft labels, whose finite part of the gradient leaks into the complement of F.

With several next tokens a context, the gradient has a part in F = span{(e_z - e_z') h_j^T} that does not decay faster
than the steps. Normalised gradient descent keeps it in F; sign descent does not: sign((e_0 - e_1) h^T) has a part
orthogonal to F as soon as the entries of h differ in size, and that part moves margins of other contexts by an
amount of the order of the step, with a sign that changes as the finite part oscillates. Where sign, spectral, momentum
and Adam descent end on such data is open; short runs saw sign descent far from the best margin in its norm.
"""

from __future__ import annotations

from fractions import Fraction

from ..kit.data import Data
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "steepest/soft-labels",
    source="derived (numerical)",
    verdict="open",
    missing="the limit direction of these methods on soft labels: no theorem, runs only",
    needs=["steepest/theorem-1"],
)


def two_contexts() -> Data:
    """h = (2, 1) with next tokens 0 and 1, and h' = (0, 1) with next token 0; three tokens."""
    half = Fraction(1, 2)
    embeddings = [[Fraction(2), Fraction(1)], [Fraction(0), Fraction(1)]]
    return Data(embeddings, [[half, half, Fraction(0)], [Fraction(1), Fraction(0), Fraction(0)]], [half, half])


def leak(data: Data) -> list[Fraction]:
    """The part orthogonal to F of the signs of a matrix in F."""
    (part,) = data.generators
    signs = [Fraction((x > 0) - (x < 0)) for x in part]
    return [x - y for x, y in zip(signs, data.project(signs), strict=True)]


@statement.checks(
    "the signs of a matrix of F have a part in its complement, (e_0 - e_1)(-1/5, 2/5)^T, which moves a margin by 2/5",
    instances="h = (2, 1), h' = (0, 1), V = 3",
)
def leaks() -> bool:
    data = two_contexts()
    part = leak(data)
    inside = all(dot(part, generator) == 0 for generator in data.generators)
    moved = dot(part, data.lift(1, 0, 2))
    return inside and part[:2] == [Fraction(-1, 5), Fraction(2, 5)] and moved == Fraction(2, 5)


@statement.checks(
    "the normalised gradient step along a matrix of F stays in F: it is a multiple of it",
    instances="the same data",
)
def normalised_stays() -> bool:
    data = two_contexts()
    (part,) = data.generators
    scaled = [Fraction(3, 7) * x for x in part]
    return data.project(scaled) == scaled
