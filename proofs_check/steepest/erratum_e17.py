"""Printed: grad L = (1/n) sum_i (e_y - S) h_i^T and L = -(1/n) sum_i l_i. Both signs are the wrong way round.

Here l_i = -log S_y(W h_i) is the loss of sample i with label y, and S is the softmax of W h_i. At W = 0 with two
tokens and h = 1 the true slope in the row of the label is -1/2, the printed one +1/2, and the printed loss is -log 2.
Repaired, for any number of tokens, dimensions and samples:

    L(W) = (1/n) sum_i l_i,      grad L(W) = (1/n) sum_i (S(W h_i) - e_y) h_i^T.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, softmax
from ..kit.generic import split
from ..statement import Statement

statement = Statement("steepest/erratum-E17", source="2502.04664", verdict="refuted as written", repair="proved")


@statement.refutes("V = 2, d = 1, h = 1, W = 0: the slope in the label's row is -1/2, the printed (1 - S_y) h is 1/2")
def gradient_sign() -> bool:
    w, other = sp.symbols("w0 w1", real=True)
    chance = softmax([w, other])[0]
    zero = {w: 0, other: 0}
    slope = sp.diff(-sp.log(chance), w).subs(zero)
    printed = (1 - chance).subs(zero)
    return bool(slope == -sp.Rational(1, 2) and printed == sp.Rational(1, 2))


@statement.refutes("there, -(1/n) sum l_i is -log 2, though a cross-entropy is never negative")
def loss_sign() -> bool:
    loss = -sp.log(softmax([sp.Integer(0), sp.Integer(0)])[0])
    return bool(-loss == -sp.log(2) and (-loss).is_negative)


@statement.proves(
    "one entry w = W_ci of a row, the other tokens' exponentials summing to R: d l / d w = (S_c - [c = y]) h"
)
def gradient() -> bool:
    w, h, rest = sp.symbols("w h r", real=True)  # the logit of token c is w h_i + r
    others, label = sp.Symbol("R", positive=True), sp.Symbol("l_y", real=True)
    logit = w * h + rest
    level = sp.log(sp.exp(logit) + others)
    chance = sp.exp(logit) / (sp.exp(logit) + others)
    own, other = sp.diff(level - logit, w), sp.diff(level - label, w)
    return is_zero(own - (chance - 1) * h) and is_zero(other - chance * h)


@statement.proves("the mean over n samples goes through: the slope of (1/n) sum l_i(w) is (1/n) sum of the slopes")
def mean() -> bool:
    i, n = sp.symbols("i n", integer=True, positive=True)
    w, h = sp.Symbol("w", real=True), sp.IndexedBase("h", real=True)
    rest, others = sp.IndexedBase("r", real=True), sp.IndexedBase("R", positive=True)
    logit = w * h[i] + rest[i]
    sample = sp.log(sp.exp(logit) + others[i])  # the label is another token, whose logit does not move
    chance = sp.exp(logit) / (sp.exp(logit) + others[i])
    slope = sp.diff(sp.Sum(sample, (i, 1, n)) / n, w)
    return is_zero(split(slope - sp.Sum(chance * h[i], (i, 1, n)) / n))
