"""With a fixed head, the loss of one attention layer is convex in its attention weights.

One query, the last token k, attends to an input x_1 .. x_T with weights s = softmax over t of e_{x_t}' W e_k, and the
head c has c_y' e_v = 1 for y = v and 0 else. The score of the label y, which occurs in the input, is then the attention
it gets, and the loss

    -log sum over {t: x_t = y} of s_t   =   log sum_t exp(l_{x_t}) - l_y - log(number of t with x_t = y),    l = W e_k,

is convex in W. Equal tokens must have equal scores: where scores depend on positions, too, it need not be convex.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, reals, softmax
from ..statement import Statement

statement = Statement("attention/convex-loss", source="2403.08081", verdict="proved")


@statement.proves("the head: a position adds s_t c_y' e_{x_t} to the score of y, s_t if x_t = y and 0 else")
def head() -> bool:
    s, y, token = sp.Symbol("s"), sp.Symbol("y", integer=True), sp.Symbol("x", integer=True)
    score = s * sp.KroneckerDelta(y, token)
    other = token + sp.Symbol("gap", integer=True, positive=True)
    return bool(score.subs(token, y) == s and score.subs(y, other) == 0)


@statement.proves(
    "the loss is log-sum-exp over positions minus l_y minus log of the count of y: its scores are all l_y"
)
def log_partition() -> bool:
    own, rest = sp.symbols("l_y rest", real=True)
    count, others = sp.symbols("count others", positive=True)
    total = count * sp.exp(own) + others
    loss = -sp.log(count * sp.exp(own) / total)
    claimed = sp.log(total) - own - sp.log(count)
    return is_zero(sp.expand_log(loss, force=True) - claimed) or is_zero(sp.exp(-loss) - sp.exp(-claimed))


@statement.proves(
    "second derivatives of log-sum-exp: s_a - s_a^2 in one score, -s_a s_b in two, whatever the others add"
)
def hessian() -> bool:
    a, b = reals("l", 2)
    rest = sp.Symbol("rest", positive=True)
    total = sp.exp(a) + sp.exp(b) + rest
    s_a, s_b, level = sp.exp(a) / total, sp.exp(b) / total, sp.log(total)
    return is_zero(sp.diff(level, a, 2) - (s_a - s_a**2)) and is_zero(sp.diff(level, a, b) + s_a * s_b)


@statement.proves(
    "so along d the curvature is sum s d^2 - (sum s d)^2 = sum s (d - mean)^2 >= 0, for any number of positions; in W, "
    "d_t = e_{x_t}' D e_k for a direction D, and l_y adds no curvature"
)
def variance() -> bool:
    # The sum over t is linear in s_t d_t^2, s_t d_t and s_t, whose sums are `square`, `mean` and 1.
    s, d, mean, square = sp.symbols("s d mean square", real=True)
    term = sp.Poly(sp.expand(s * (d - mean) ** 2), d)
    total = term.coeff_monomial(d**2) / s * square + term.coeff_monomial(d) / s * mean + term.coeff_monomial(1) / s
    return is_zero(total - (square - mean**2))


@statement.proves("not so with positions: three equal scores, label at two of them, curvature -1/3 along (1, -1, 0)")
def positions() -> bool:
    first, second, third = logits = reals("l", 3)
    weights = softmax(logits)
    loss = -sp.log(weights[0] + weights[1])
    t = sp.Symbol("t", real=True)
    along = loss.subs({first: t, second: -t, third: 0}, simultaneous=True)
    return bool(sp.simplify(sp.diff(along, t, 2).subs(t, 0)) == -sp.Rational(1, 3))
