"""Two stages of normalised gradient descent train a transformer: first the value weights, then the key-query weights.

Reported (abstract): for realizable data (collocations, query-dependent partial orders) both layers converge in
direction to their max-margin solutions, sub-linearly, while cross-entropy falls linearly, as norms grow linearly. The
exponents were not at hand. Computed here, for the linear stage with one label a context, separable with margin gamma
along a unit direction u, |h_j| <= M, and f(W) = sum_j pi_j (-log softmax_{y_j} W h_j):

    -<grad f, u> >= gamma G,    |grad f| <= sqrt 2 M G,    G = sum_j pi_j (1 - softmax_{y_j}),

so normalised steps of length eta, from 0, have |W_k| >= eta k gamma / (sqrt 2 M): norms do grow linearly, and G <= f.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, reals, softmax
from ..statement import Statement

statement = Statement(
    "attention/two-stage-ngd",
    source="2409.17335 (abstract)",
    verdict="open: source incomplete",
    missing="the theorems with their conditions and exponents: only the abstract was at hand",
)


@statement.proves(
    "-grad f = sum_j pi_j sum_v s_jv (e_y - e_v) h_j': the slope of -log softmax_y in l_v is s_v, v not y"
)
def gradient() -> bool:
    own, other = reals("l", 2)
    rest = sp.Symbol("rest", positive=True)
    total = sp.exp(own) + sp.exp(other) + rest
    loss = sp.log(total) - own
    s_v, s_y = sp.exp(other) / total, sp.exp(own) / total
    return is_zero(sp.diff(loss, other) - s_v) and is_zero(sp.diff(loss, own) + (1 - s_y))


@statement.proves("along u: each s_v adds s_v (u_y - u_v)' h >= gamma s_v, and the s_v of a context sum to 1 - s_y")
def along() -> bool:
    s, gamma, more = sp.symbols("s gamma more", nonnegative=True)
    weights = softmax(reals("l", 3))
    return (sp.expand(s * (gamma + more) - gamma * s)).is_nonnegative is True and is_zero(
        weights[1] + weights[2] - (1 - weights[0])
    )


@statement.proves("norm: |(e_y - e_v) h'| = sqrt 2 |h|, so |grad f| <= sqrt 2 M G by the triangle inequality")
def norm() -> bool:
    h = sp.Matrix(reals("h", 2))
    lift = sp.Matrix([1, -1, 0]) * h.T
    return is_zero((lift.T * lift).trace() - 2 * (h.T * h)[0])


@statement.proves("steps: k of them, each with <step, u> = eta <-g, u> / |g| >= eta gamma / (sqrt 2 M), add up; G <= f")
def growth() -> bool:
    eta, gamma, M, G, short, more, eps = sp.symbols("eta gamma M G short more eps", positive=True)
    step = eta * (gamma * G + more) / (sp.sqrt(2) * M * G / (1 + short))
    gain = sp.simplify(step - eta * gamma / (sp.sqrt(2) * M))
    tail = sp.diff(-sp.log(1 - eps) - eps, eps)  # 1 - s_y = eps <= -log(1 - eps): equal at 0, and this slope is >= 0
    return sp.expand(gain).is_positive is True and is_zero(tail - eps / (1 - eps))
