"""With free embeddings and a vanishing ridge, decoder and embeddings are the singular factors of the max-margin logits.

Let L_mm = U s T' (compact singular value decomposition) be the limit of the direction of the logits W H (any limit
point, if the max-margin program has several solutions: geometry/ufm-limit). As lambda tends to 0, up to a factor,

    W W'  ->  U s U',     H'H  ->  T s T',

and the embeddings of contexts with equal supports collapse: |h_i - h_j|^2 / |H|^2 -> 0. At every lambda > 0 the first
two already hold, without a limit, for the singular value decomposition of the logits W H at hand.
"""

from __future__ import annotations

import sympy as sp

from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "geometry/gram-collapse",
    source="2408.15417",
    verdict="proved",
    needs=["geometry/ufm-nuclear", "geometry/ufm-limit", "geometry/lmm"],
    known=["singular value decompositions; the square root of a positive semidefinite matrix is continuous"],
)

U, T, W, H, M = matrices("U T W H M")
(s,) = diagonals("s")
h = transpose(H)
RULES = {transpose(U) * U: sp.S.One, transpose(T) * T: sp.S.One}


@statement.proves(
    "a minimiser W, H of CE(WH) + lambda (|W|^2 + |H|^2) / 2 costs ||WH||_* (geometry/ufm-nuclear), so the two squares "
    "by which a cost exceeds it are 0: W = U T' H', H = H T T'"
)
def squares_vanish() -> bool:
    rest, defect = W - U * transpose(T) * h, (1 - T * transpose(T)) * h
    cost = transpose(W) * W + H * h - 2 * T * transpose(U) * W * H
    return vanishes(cost - transpose(rest) * rest - transpose(defect) * defect, RULES, trace=True)


@statement.proves("then H'H = T s T' and W W' = U s U', for all sizes: U'(WH) = s T', U'W = T'H'")
def grams() -> bool:
    # W H = U s T' and W = U T' H' give T'H'H = s T'; with H = H T T', H'H = T T'H'H.
    of_h = RULES | {transpose(T) * h * H: s * transpose(T)}
    first = vanishes(T * transpose(T) * h * H - T * s * transpose(T), of_h)
    w = U * transpose(T) * h
    return first and vanishes(w * transpose(w) - U * s * transpose(U), of_h)


@statement.proves("and T'H'H = s T' is what W H = U s T' says, from the left times U'")
def product() -> bool:
    w = U * transpose(T) * h
    return vanishes(transpose(U) * (w * H - U * s * transpose(T)) - (transpose(T) * h * H - s * transpose(T)), RULES)


@statement.proves(
    "U s U' and T s T' are the roots of L L' and L'L, and c times them those of c L; roots are continuous, so W W' and "
    "H'H follow the direction of the logits"
)
def homogeneous() -> bool:
    c = sp.Symbol("c", positive=True)
    L, of_w, of_h = U * s * transpose(T), U * s * transpose(U), T * s * transpose(T)
    of_w_scaled = vanishes((c * of_w) ** 2 - (c * L) * transpose(c * L), RULES)
    return of_w_scaled and vanishes((c * of_h) ** 2 - transpose(c * L) * (c * L), RULES)


@statement.proves(
    "collapse: averaging the columns of equal supports, L -> L M with a projection M, keeps logits feasible; "
    "W, H M has the product L M and costs ||L||_* - |H (1 - M)|^2 / 2, so H = H M for L = L_mm: one embedding for both"
)
def collapse() -> bool:
    rules = {M * M: M, sp.adjoint(M): M}
    kept, lost = H * M, H * (1 - M)
    return vanishes(kept * transpose(kept) + lost * transpose(lost) - H * h, rules, trace=True)


@statement.proves("an average of two feasible columns is feasible, and averaging a pair of columns is a projection")
def averages() -> bool:
    a, b, x, y = sp.symbols("a b x y", nonnegative=True)
    # margins 1 + x and 1 + y of the two columns at one token off the support, levels a and b on it
    margin = ((a + b) / 2) - ((a - 1 - x) + (b - 1 - y)) / 2
    pair = sp.Matrix([[1, 1], [1, 1]]) / 2
    return bool((sp.expand(margin) - 1).is_nonnegative and pair**2 == pair == pair.T)
