"""If the log-odds equations have a solution, they have exactly one in the data subspace F, and all others differ off F.

    F = span{ (e_z - e_y) h_j^T : z != y in S_j },    (4):  <G, W> = log(p_jz / p_jy) for every generator G of F

<A, B> = trace(A^T B), h_j is the embedding of context j and S_j its support. If (4) has a solution, W* is the one in
F; W* is the solution of least norm; and the solutions are exactly W* + A with A orthogonal to F.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.rational import project, rank
from ..statement import Statement

statement = Statement(
    "bias/data-subspace",
    source="2402.18551 Eq. (5)",
    verdict="proved",
    needs=["bias/definition-1"],
    known=["a square matrix with trivial kernel is invertible"],
)

# The k rows of G are a basis of F, chosen among the generators, as vectors of length N = V d; b are the log-odds.
k, N, r = sp.symbols("k N r", integer=True, positive=True)
G, T = sp.MatrixSymbol("G", k, N), sp.MatrixSymbol("T", r, k)
b, c, W = sp.MatrixSymbol("b", k, 1), sp.MatrixSymbol("c", k, 1), sp.MatrixSymbol("W", N, 1)
inverse = sp.Inverse(G * G.T)
star = G.T * inverse * b


def same(left: sp.Expr, right: sp.Expr) -> bool:
    """Equality of matrix expressions once multiplied out."""
    return bool(sp.expand(left).doit() == sp.expand(right).doit())


@statement.proves("for all V and d: <(e_z - e_y) h^T, W> = (W h)_z - (W h)_y, so (4) is about inner products")
def inner_product() -> bool:
    v, z, y, i, d = sp.symbols("v z y i d", integer=True)
    w, h, delta = sp.IndexedBase("W"), sp.IndexedBase("h"), sp.KroneckerDelta
    over_rows = sp.Sum((delta(v, z) - delta(v, y)) * h[i] * w[v, i], (v, -sp.oo, sp.oo)).doit()
    return is_zero(over_rows - (w[z, i] * h[i] - w[y, i] * h[i]))


@statement.proves("the Gram matrix of a basis is invertible: c^T G G^T c = ||G^T c||^2, which is 0 only for c = 0")
def gram() -> bool:
    return same(c.T * G * G.T * c, (G.T * c).T * (G.T * c))


@statement.proves("W* = G^T (G G^T)^-1 b is in F and solves the basis equations")
def solves() -> bool:
    return same(G * star, b) and star.args[0] == G.T


@statement.proves("the other generators are T G: a solution W makes their right sides T b, which W* then has too")
def others() -> bool:
    right = (T * G * W).subs(G * W, b)
    return same(right, T * b) and same(T * G * star, T * b)


@statement.proves("a solution G^T c in F is W*: its coefficients are (G G^T)^-1 b")
def unique() -> bool:
    return same(inverse * (G * (G.T * c)), c)


@statement.proves("W solves (4) exactly if W - W* is orthogonal to all generators: G (W - W*) = G W - b")
def all_solutions() -> bool:
    return same(G * (W - star), G * W - b)


@statement.proves("W* is orthogonal to every A with G A = 0, so ||W* + A||^2 = ||W*||^2 + ||A||^2")
def least_norm() -> bool:
    A = sp.MatrixSymbol("A", N, 1)
    cross = (star.T * A).doit()  # b^T (G G^T)^-1 G A
    return same(cross, (inverse * b).T * (G * A)) and bool(
        cross.subs(G * A, sp.ZeroMatrix(k, 1)).doit() == sp.ZeroMatrix(1, 1)
    )


@statement.confirms(
    "dim F + dim of the complement = V d; projecting any solution of (4) gives one and the same matrix",
    instances="20 rational datasets, right sides from a rational decoder",
)
def instances() -> bool:
    for seed in range(20):
        data = draw(seed, vocab_size=4, dim=3, contexts=4, sizes=[1, 2, 3])
        decoder = [Fraction(seed % 5 - 2 * i + 3 * (i * i % 7)) for i in range(12)]
        moved = [w + 2 * a - 5 * o for w, a, o in zip(decoder, data.complement[0], data.complement[-1], strict=True)]
        if rank(data.generators) + len(data.complement) != 12 or data.project(decoder) != data.project(moved):
            return False
        if project(data.complement, data.project(decoder)) != [0] * 12:
            return False
    return True
