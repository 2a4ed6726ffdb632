"""With free embeddings the ridge on decoder and embeddings is a nuclear norm on the logits.

    min over W (V x d), H (d x m) of  CE(WH) + lambda (|W|^2 + |H|^2) / 2
        =  min over L (V x m) of  CE(L) + lambda ||L||_*

for every lambda > 0, if d >= min(V, m), or d >= rank of a minimiser L of the right side. |.| is the Frobenius norm,
||.||_* the sum of singular values. The reason, with the compact singular value decomposition L = U s T' (the columns of
U and of T orthonormal, s diagonal and positive, ' the transpose) and R with R'R = 1:

    W = U sqrt(s) R',  H = R sqrt(s) T'  has  WH = L  and  (|W|^2 + |H|^2) / 2 = ||L||_*;
    every W, H with WH = L have  (|W|^2 + |H|^2) / 2  >=  ||L||_*.

Such an R (d x r, for L of rank r) exists if d >= r. The first line gives "<=" between the minima, the second ">=",
since CE sees W and H through L = WH alone.
"""

from __future__ import annotations

import sympy as sp

from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "geometry/ufm-nuclear",
    source="2408.15417",
    verdict="proved",
    known=["singular value decompositions; both sides have minimisers, being continuous and growing without bound"],
)

U, T, R, W, H = matrices("U T R W H")
# The square roots of the singular values.
(root,) = diagonals("root")
one = sp.S.One
ORTHONORMAL = {transpose(X) * X: one for X in (U, T, R)}
L = U * root**2 * transpose(T)


def size(X: sp.Expr) -> sp.Expr:
    """The matrix whose trace is |X|^2."""
    return transpose(X) * X


@statement.proves("the sum of singular values is <L, U T'>, since its trace form cancels U and T")
def nuclear_norm() -> bool:
    return vanishes(transpose(U * transpose(T)) * L - root**2, ORTHONORMAL, trace=True)


@statement.proves("W = U sqrt(s) R', H = R sqrt(s) T' has WH = L and |W|^2 = |H|^2 = sum of s, for all sizes")
def attained() -> bool:
    w, h = U * root * transpose(R), R * root * transpose(T)
    product = vanishes(w * h - L, ORTHONORMAL)
    halves = [vanishes(size(x) - root**2, ORTHONORMAL, trace=True) for x in (w, h)]
    return product and all(halves)


@statement.proves(
    "|W|^2 + |H|^2 - 2 <WH, U T'> = |W - U T' H'|^2 + |(1 - T T') H'|^2: never negative, so the cost of any W, H is "
    "at least <WH, U T'> = ||WH||_* for the U, T of L = WH"
)
def lower() -> bool:
    direction = U * transpose(T)
    cost = size(W) + size(transpose(H)) - 2 * transpose(direction) * W * H
    squares = size(W - direction * transpose(H)) + size((1 - T * transpose(T)) * transpose(H))
    return vanishes(cost - squares, ORTHONORMAL, trace=True)


@statement.confirms(
    "exact singular value decompositions with square singular values: the factorisation above costs the nuclear norm, "
    "and others of the same L cost no less",
    instances="rational 3 x 2 logits, 40 other factorisations",
)
def instances() -> bool:
    u = sp.Matrix([[2, -1], [2, 2], [-1, 2]]) / 3
    t = sp.Matrix([[3, -4], [4, 3]]) / 5
    w, h = u * sp.diag(3, 2), sp.diag(3, 2) * t.T
    others = [sp.Matrix([[a, b], [0, c]]) for a in (1, 2) for b in range(-2, 3) for c in (1, -1, 2, -2)]
    costs = [sum(x**2 for x in [*(w * x), *(x.inv() * h)]) / 2 for x in [sp.eye(2), *others]]
    return bool(u * sp.diag(9, 4) * t.T == w * h and costs[0] == 9 + 4 == min(costs))
