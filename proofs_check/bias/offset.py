"""The offset of gradient descent from W_mm log k solves one equation for each active constraint.

    <(e_z - e_v) h_j^T, W~> = log(eta pi_j pbar_{j,z} / alpha_{j,v}),   W~ = lim (W_k - W_mm log k)

for active (j, v), any z in the support, when all multipliers of active constraints are positive. Outside F and the span
of the active constraints W~ depends on the trajectory. If the active normals are linearly dependent, alpha is not
unique; then W~ picks the multipliers for which the equations have a solution.

In s = log t the flow of X = W_perp - W_mm s obeys, in the limit, dX/ds = sum c_i e^(-<a_i, X>) a_i - W_mm, the gradient
flow of Phi(X) = sum c_i e^(-<a_i, X>) + <W_mm, X>, c_i = pi_j pbar_{j,z} e^(-<(e_z - e_v) h^T, W*>). With W_mm =
sum alpha_i a_i, Phi is a sum of one function of <a_i, X> each, with its least value where the offset law holds.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/offset",
    source="derived",
    verdict="proved",
    needs=["bias/sharp-gd-expansion"],
)

s, c, alpha, eta, k = sp.symbols("s c alpha eta k", positive=True)
x = sp.Symbol("x", real=True)
term = c * sp.exp(-x) + alpha * x  # the part of Phi that constraint i has, x = <a_i, X>


@statement.proves("a term of Phi is strictly convex, tends to infinity both ways, and is least at x = log(c/alpha)")
def least() -> bool:
    points = sp.solve(sp.diff(term, x), x)
    ends = [sp.limit(term, x, end) for end in (-sp.oo, sp.oo)]
    convex = sp.diff(term, x, 2).is_positive is True
    return convex and ends == [sp.oo, sp.oo] and len(points) == 1 and is_zero(points[0] - sp.log(c / alpha))


@statement.proves("with alpha = 0, or negative, a term has no minimiser: only positive multipliers give an offset")
def only_positive() -> bool:
    flat, falling = term.subs(alpha, 0), term.subs(alpha, -alpha)
    return all(sp.diff(f, x).is_negative is True for f in (flat, falling))


@statement.proves("dX/ds = sum c_i e^(-<a_i, X>) a_i - W_mm is -grad Phi, so dPhi/ds = -||dX/ds||^2: any dimension")
def gradient_flow() -> bool:
    # One coordinate X_r and one constraint, <a, X> = a_r X_r + rest: sums over both are taken at the end.
    coordinate, normal, rest, decoder, velocity = sp.symbols("X_r a_r rest w_r V_r", real=True)
    phi = c * sp.exp(-(normal * coordinate + rest)) + decoder * coordinate
    flow = c * sp.exp(-(normal * coordinate + rest)) * normal - decoder
    along = sp.diff(phi, coordinate) * velocity
    return is_zero(sp.diff(phi, coordinate) + flow) and is_zero(along.subs(velocity, flow) + flow**2)


@statement.proves("t e^(-<a, W>) = e^(-slack s) e^(-<a, X>) for W = W_mm s + X, s = log t: autonomous if active")
def autonomous() -> bool:
    slack = sp.Symbol("slack", real=True)
    force = sp.exp(s) * sp.exp(-((1 + slack) * s + x)) - sp.exp(-slack * s) * sp.exp(-x)
    return is_zero(sp.simplify(force)) and is_zero(sp.diff(sp.exp(-x), s))


@statement.proves("in terms of W~: x + the logit difference of W* is log(eta pi pbar_z/alpha), with t = eta k; any z")
def in_terms_of_the_limit() -> bool:
    weight, pbar = sp.symbols("pi pbar", positive=True)
    finite, mm = sp.symbols("finite mm", real=True)  # logit differences of W* and of W_mm (1, as it is active)
    found = sp.log(c / alpha).subs(c, weight * pbar * sp.exp(-finite))
    decoder = mm * sp.log(eta * k) + found + finite  # logit difference of W* + W_mm log(eta k) + X
    law = sp.log(eta * weight * pbar / alpha)
    return is_zero(sp.expand_log(decoder.subs(mm, 1) - sp.log(k) - law, force=True))


@statement.proves("pbar_z e^(-(l_z - l_v)) is e^(l_v) / sum e^l, the same for every z of the support")
def any_token() -> bool:
    logits, off, rest = sp.symbols("l_z l_z'", real=True), sp.Symbol("l_v", real=True), sp.Symbol("R", positive=True)
    total = sum(sp.exp(logit) for logit in logits) + rest
    values = [sp.exp(logit) / total * sp.exp(-(logit - off)) for logit in logits]
    return is_zero(values[0] - values[1]) and is_zero(values[0] - sp.exp(off) / total)


@statement.proves("V = 2, d = 2, one context h = (1, 0): the second column of W never moves, so W~ keeps that of W_0")
def keeps_the_start() -> bool:
    entries = sp.Matrix(2, 2, sp.symbols("w1:5", real=True))
    h = sp.Matrix([1, 0])
    loss = sp.log(sum(sp.exp(logit) for logit in entries * h)) - (entries * h)[0]
    still, moving = ([sp.diff(loss, entries[row, column]) for row in (0, 1)] for column in (1, 0))
    return all(is_zero(slope) for slope in still) and not any(is_zero(slope) for slope in moving)
