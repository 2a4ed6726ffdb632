"""With one next token a context everything is multiclass classification with a hard margin.

If S_j = 1, with the token y_j: H = 0, F = {0}, CE(W) = - sum_j pi_j log s_{y_j}(W h_j), CE_F = 0, and W_mm is

    argmin ||W||    subject to  (w_{y_j} - w_v).h_j >= 1 for all contexts j and tokens v != y_j,

the multiclass hard-margin problem of Soudry et al.; the rates are theirs (`classical/soudry`). For V = 2, W_mm has the
rows u/2 and -u/2, u the least vector with u.h_j >= 1 where y_j is the first token and u.h_j <= -1 elsewhere.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import entropy, is_zero
from ..kit.data import as_matrix, draw
from ..kit.rational import nearest
from ..statement import Statement

statement = Statement(
    "bias/one-hot", source="derived (D15)", verdict="proved", needs=["bias/definition-3", "bias/auxiliary-loss"]
)


@statement.proves("the one probability of a context is 1: its entropy is 0, and it adds -log of one softmax to CE")
def loss() -> bool:
    p, s = sp.symbols("p s", positive=True)
    (only,) = sp.solve(sp.Eq(p, 1), p)  # the probabilities of a support of one token sum to 1
    return entropy([only]) == 0 and is_zero((-p * sp.log(s)).subs(p, only) + sp.log(s))


@statement.proves(
    "S = 1 leaves S (S - 1) = 0 generators of F, 0 equations (6a), V - 1 inequalities (6b) a context, and CE_F = log 1"
)
def nothing_on_supports() -> bool:
    S, V = sp.symbols("S V")
    others = sp.Sum(sp.Symbol("e", positive=True), (sp.Symbol("y"), 1, S - 1))
    empty = sp.log(1 + others.doit()).subs(S, 1)
    return [x.subs(S, 1) for x in (S * (S - 1), S - 1, V - S)] == [0, 0, V - 1] and empty == 0


@statement.proves("so the gradient of CE is that of multiclass regression: sum_j pi_j (s - e_y) h^T")
def gradient() -> bool:
    y, v, rest, h = sp.symbols("y v rest h", real=True)
    level = sp.log(sp.exp(y) + sp.exp(v) + sp.exp(rest))
    softmax = [sp.exp(x) / (sp.exp(y) + sp.exp(v) + sp.exp(rest)) for x in (y, v)]
    return is_zero(sp.diff(level - y, y) - (softmax[0] - 1)) and is_zero(sp.diff(level - y, v) - softmax[1])


@statement.proves(
    "V = 2, entry by entry: w^2 + x^2 = (w - x)^2 / 2 + (w + x)^2 / 2, so the least W with u = w - x has w + x = 0"
)
def two_tokens() -> bool:
    w, x, u = sp.symbols("w x u", real=True)
    halves = is_zero(w**2 + x**2 - ((w - x) ** 2 + (w + x) ** 2) / 2)
    return halves and sp.solve([w - x - u, w + x], [w, x], dict=True) == [{w: u / 2, x: -u / 2}]


@statement.confirms(
    "the rows of the exact W_mm are u/2 and -u/2, u solved for by itself", instances="30 rational datasets, V = 2"
)
def binary() -> bool:
    found = 0
    for seed in range(60):
        data = draw(seed, vocab_size=2, dim=3, contexts=4, sizes=[1])
        signed = [[x if s == [0] else -x for x in h] for h, s in zip(data.embeddings, data.supports, strict=True)]
        u = nearest(signed).point
        if (u is None) != (data.svm.point is None) or data.dim_subspace != 0:
            return False
        if u is None or data.svm.point is None or found == 30:
            continue
        if as_matrix(data.svm.point, 3) != [[x / 2 for x in u], [Fraction(-1, 2) * x for x in u]]:
            return False
        found += 1
    return found == 30
