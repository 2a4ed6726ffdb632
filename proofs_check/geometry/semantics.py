"""Trained embeddings tend to singular factors of the centred supports S~, larger singular values first.

Reported: the embeddings of words and contexts converge to the factors of the singular value decomposition of S~; larger
singular values are learned first; contexts and tokens cluster by the signs of their entries in the singular vectors (by
orthants). For cross-entropy this is observed. For the square loss from a spectral start, geometry/saxe-dynamics gives

    s_i(t) = sigma_i / (1 + (sigma_i e^(2 delta) - 1) e^(-2 sigma_i t)),

of which the limit and the order of the times at which half of sigma_i is learned follow.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "geometry/semantics",
    source="2505.08348 (abstract)",
    verdict="open: source incomplete",
    missing="the paper's exact statements (only its abstract was at hand); cross-entropy, which is empirical there",
    needs=["geometry/saxe-dynamics"],
)

t, sigma, delta = sp.symbols("t sigma delta", positive=True)
s = sigma / (1 + (sigma * sp.exp(2 * delta) - 1) * sp.exp(-2 * sigma * t))


@statement.proves("square loss, spectral start: every s_i tends to sigma_i")
def limit() -> bool:
    return bool(sp.limit(s, t, sp.oo) == sigma)


@statement.proves("half of sigma is learned at time log(x - 1) / (2 sigma), x = sigma e^(2 delta) > 2")
def half_time() -> bool:
    at = sp.log(sigma * sp.exp(2 * delta) - 1) / (2 * sigma)
    return is_zero(s.subs(t, at) - sigma / 2)


@statement.proves(
    "it comes earlier for a larger sigma if x >= 5: its slope in sigma has the sign of x / (x - 1) - log(x - 1), "
    "which falls in x and is negative at 5, where it is 5 / 4 - log 4 < 0"
)
def larger_first() -> bool:
    x, above = sp.symbols("x above", positive=True)
    grown = sigma * sp.exp(2 * delta)
    sign = x / (x - 1) - sp.log(x - 1)
    slope = sp.diff(sp.log(grown - 1) / (2 * sigma), sigma) * 2 * sigma**2
    falls = sp.diff(sign, x).subs(x, 1 + above)
    return bool(
        is_zero(slope - sign.subs(x, grown)) and sp.simplify(falls).is_negative is True and (sign.subs(x, 5) < 0)
    )


@statement.proves("at the limit the Gram matrices are U sigma U' and T sigma T'")
def factors() -> bool:
    U, T, R = matrices("U T R")
    (root,) = diagonals("root")
    rules = {transpose(X) * X: sp.S.One for X in (U, T, R)}
    w, h = U * root * transpose(R), R * root * transpose(T)
    words = vanishes(w * transpose(w) - U * root**2 * transpose(U), rules)
    return words and vanishes(transpose(h) * h - T * root**2 * transpose(T), rules)
