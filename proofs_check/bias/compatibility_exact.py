"""With rational embeddings and probabilities, compatibility is decided by an identity between integers.

The log-odds equations (4) have matrix A, one row (e_a - e_z) h_j^T for each context j and token z of its support other
than the anchor a, and right sides log(p_ja / p_jz). They have a solution if and only if

    prod over the rows of (p_ja / p_jz)^y  =  1    for every integer vector y with y^T A = 0,

and it is enough that this holds for a basis of these y. SEP-INCOMPAT fails it: y = (1, 1, -1) gives 156/49.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm, prod

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import Data, draw, sep_incompat
from ..kit.generic import split
from ..kit.rational import dot, null_space, rank
from ..statement import Statement

statement = Statement(
    "bias/compatibility-exact",
    source="derived",
    verdict="proved",
    needs=["bias/definition-1"],
    known=[
        "a square matrix with trivial kernel is invertible",
        "the kernel of a rational matrix has a rational basis, so an integer one",
    ],
)

R, k, N = sp.symbols("R k N", integer=True, positive=True)


def same(left: sp.Expr, right: sp.Expr) -> bool:
    """Equality of matrix expressions once multiplied out."""
    return bool(sp.expand(left).doit() == sp.expand(right).doit())


@statement.proves("solvable implies y^T b = y^T A W = 0 for every y with y^T A = 0")
def necessary() -> bool:
    A, y, W = sp.MatrixSymbol("A", R, N), sp.MatrixSymbol("y", R, 1), sp.MatrixSymbol("W", N, 1)
    return bool((y.T * A * W).subs(y.T * A, sp.ZeroMatrix(1, N)).doit() == sp.ZeroMatrix(1, 1))


@statement.proves(
    "conversely n = b - B (B^T B)^-1 B^T b, B a basis of the columns, has B^T n = 0 and n^T b = |n|^2: if 0, b = B(..)"
)
def sufficient() -> bool:
    B, b = sp.MatrixSymbol("B", R, k), sp.MatrixSymbol("b", R, 1)
    part = B * sp.Inverse(B.T * B) * B.T * b
    n = b - part
    return same(B.T * n, sp.ZeroMatrix(k, 1)) and same(n.T * part, sp.ZeroMatrix(1, 1)) and same(n + part, b)


@statement.proves(
    "y^T b is the logarithm of the product, for any number of rows; the logarithm is 0 at 1 alone, being increasing"
)
def product() -> bool:
    i, size = sp.symbols("i R", integer=True, positive=True)
    y, odds = sp.IndexedBase("y"), sp.Symbol("o", positive=True)
    power = sp.Symbol("y", integer=True)
    one = is_zero(power * sp.log(odds) - sp.expand_log(sp.log(odds**power)))
    # two vectors: exponents add, so products multiply, and a basis of the y is enough
    b, x, c, e = sp.IndexedBase("b"), sp.IndexedBase("x"), sp.Symbol("c"), sp.Symbol("e")
    both = split(sp.Sum((c * y[i] + e * x[i]) * b[i], (i, 1, size)))
    each = [split(sp.Sum(v[i] * b[i], (i, 1, size))) for v in (y, x)]
    return one and is_zero(both - c * each[0] - e * each[1]) and bool(sp.diff(sp.log(odds), odds).is_positive)


def basis(data: Data) -> list[list[int]]:
    """Integer vectors that span the y with y^T A = 0: rational elimination, denominators cleared."""
    columns = [list(column) for column in zip(*data.generators, strict=True)]
    return [[int(x * lcm(*(f.denominator for f in y))) for x in y] for y in null_space(columns)]


def _fractions(y: list[int]) -> list[Fraction]:
    return [Fraction(x) for x in y]


def products(data: Data) -> list[Fraction]:
    """The products of a basis."""
    odds = [row[s[0]] / row[z] for row, s in zip(data.probabilities, data.supports, strict=True) for z in s[1:]]
    return [prod((o**e for o, e in zip(odds, y, strict=True)), start=Fraction(1)) for y in basis(data)]


@statement.proves("SEP-INCOMPAT has the one vector (1, 1, -1) up to a factor, with product 4 . 3/7 . 13/7 = 156/49")
def negative_instance() -> bool:
    (y,) = basis(sep_incompat())
    (value,) = products(sep_incompat())
    return [x * y[0] for x in y] == [1, 1, -1] and value ** y[0] == Fraction(156, 49)


@statement.confirms(
    "the integer vectors number R - rank and are orthogonal to A; p proportional to 2^(W h), W integer, passes; "
    "one changed probability fails if its row is dependent",
    instances="30 rational datasets with dependent rows",
)
def instances() -> bool:
    found = 0
    for seed in range(200):
        data = draw(seed, vocab_size=3, dim=2, contexts=5, sizes=[2, 3])
        vectors, columns = basis(data), list(zip(*data.generators, strict=True))
        if not vectors or found == 30:
            continue
        if len(vectors) != len(data.generators) - rank(data.generators):
            return False
        if any(dot(y, column) for y in map(_fractions, vectors) for column in columns):
            return False
        decoder = [Fraction((seed * (i + 1)) % 5 - 2) for i in range(6)]
        rows = [
            [Fraction(2) ** int(logit) if z in s else Fraction(0) for z, logit in enumerate(logits)]
            for logits, s in zip(data.logits(decoder), data.supports, strict=True)
        ]
        fitted = Data(data.embeddings, [[x / sum(row) for x in row] for row in rows], data.weights)
        met = next(i for i, e in enumerate(vectors[0]) if e)
        owner = [(j, z) for j, s in enumerate(data.supports) for z in s[1:]][met]
        rows[owner[0]][owner[1]] *= 3
        spoilt = Data(data.embeddings, [[x / sum(row) for x in row] for row in rows], data.weights)
        if set(products(fitted)) != {1} or set(products(spoilt)) == {1}:
            return False
        found += 1
    return found == 30
