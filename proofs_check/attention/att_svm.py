"""Attention that selects one token an input: its weights grow along a max-margin direction.

W_svm is the least W, in the Frobenius norm (in the nuclear norm for W = K Q', with the ridge on K and Q), with

    (x_{i, alpha_i} - x_{i, t})' W z_i  >=  1     for every input i and every token t other than the selected alpha_i.

Reported: gradient descent converges in direction, locally, to such solutions of locally optimal selections; globally
under conditions (large dimension, scores that go with the labels); and so does the regularisation path. Proved here:
the path, for f(W) = sum_i pi_i loss(score_i), score_i = sum_t c_it softmax_t(X_i W z_i), a loss with continuous
negative slope, and alpha_i the one token of highest c_it, if W_svm exists; and the nuclear norm of products.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import diagonals, matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "attention/att-svm",
    source="2306.13596, 2308.16898",
    verdict="open: source incomplete",
    missing="the theorems on gradient descent: only the repositories' notes were at hand, not their conditions",
    needs=["geometry/ufm-nuclear"],
)

gamma, B, c, C, nu = sp.symbols("gamma B c C nu", positive=True)


@statement.proves(
    "the score misses its best value by sum_t (c_alpha - c_t) s_t: between least and largest gap times off"
)
def score() -> bool:
    best, other, s, total, least, more = sp.symbols("c_alpha c_t s score least more", positive=True)
    # sums over t of s_t and of s_t c_t are 1 and the score
    term = sp.Poly(sp.expand((best - other) * s), s, other)
    missing = term.coeff_monomial(s) * 1 + term.coeff_monomial(s * other) * total
    at_least = sp.expand((least + more) * s - least * s).is_nonnegative is True
    return is_zero(missing - (best - total)) and at_least


@statement.proves("off is at most (T - 1) e^-g and at least 1 / (1 + e^g), for the least margin g >= 0 of the input")
def off_mass() -> bool:
    g, x, rest, T = sp.symbols("g x rest T", positive=True)
    # logits: 0 for alpha, -g for the nearest, -g - x for another, one of T - 2; all others have the exponentials `rest`
    off = (sp.exp(-g) + rest) / (1 + sp.exp(-g) + rest)
    upper = is_zero(sp.exp(-g) + rest - off - off * (sp.exp(-g) + rest))
    largest = is_zero(sp.exp(-g) - sp.exp(-g - x) - sp.exp(-g) * (1 - sp.exp(-x)))
    count = is_zero(sp.exp(-g) + (T - 2) * sp.exp(-g) - (T - 1) * sp.exp(-g))
    gain = off - 1 / (1 + sp.exp(g))
    lower = is_zero(gain - rest / ((1 + sp.exp(-g) + rest) * (1 + sp.exp(-g))))
    return upper and largest and count and lower


@statement.proves(
    "path over |W| <= B: f - f_best is at most C e^(-gamma B) at B times the best direction of unit norm, and at least "
    "c e^-g at the minimiser, so its margin is g >= gamma B - log(C / c), and g / B -> gamma, the largest possible"
)
def path() -> bool:
    g = sp.Symbol("g", real=True)
    least = sp.solve(sp.Eq(sp.log(c) - g, sp.log(C) - gamma * B), g)[0]
    return is_zero(sp.expand_log(least - (gamma * B - sp.log(C) + sp.log(c)))) and bool(
        sp.limit(least / B, B, sp.oo) == gamma
    )


@statement.proves(
    "Frobenius norm: W of norm B and margin g has W / g feasible, so <W, W_svm> >= g |W_svm|^2, the cosine is at least "
    "g |W_svm| / B = (g / B) / gamma, and tends to 1"
)
def direction() -> bool:
    g, size = sp.symbols("g size", positive=True)
    cosine = g * size**2 / (B * size)
    # <W / g - W_svm, W_svm> >= 0, or a step t from W_svm towards W / g would be shorter
    t, inner, square = sp.symbols("t inner square", real=True)
    slope = sp.diff((1 - t) ** 2 * size**2 + 2 * t * (1 - t) * inner + t**2 * square, t).subs(t, 0)
    limit = sp.limit((cosine.subs(g, gamma * B - C)).subs(size, 1 / gamma), B, sp.oo)
    return is_zero(slope - 2 * (inner - size**2)) and limit == 1


@statement.proves("W = K Q' of rank r: (|K|^2 + |Q|^2) / 2 is at least ||W||_*, by squares, and attains it")
def nuclear() -> bool:
    U, T, K, Q = matrices("U T K Q")
    (root,) = diagonals("root")
    rules = {transpose(X) * X: sp.S.One for X in (U, T)}
    rest, defect = K - U * transpose(T) * Q, (1 - T * transpose(T)) * Q
    cost = transpose(K) * K + transpose(Q) * Q - 2 * T * transpose(U) * K * transpose(Q)
    squares = transpose(rest) * rest + transpose(defect) * defect
    k, q = U * root, T * root
    attained = transpose(k) * k + transpose(q) * q - 2 * root**2
    product = vanishes(k * transpose(q) - U * root**2 * transpose(T))
    return product and vanishes(cost - squares, rules, trace=True) and vanishes(attained, rules, trace=True)
