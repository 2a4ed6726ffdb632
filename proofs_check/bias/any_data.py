"""Whatever the data: a finite part where the loss has its infimum, and a max-margin direction for what can diverge.

i = (j, v) runs over contexts and off-support tokens, a_i = (e_z - e_v) h_j^T with z in S_j. R = {W orthogonal to F,
all <a_i, W> >= 0}; N = {i: <a_i, W> > 0 for some W in R}. Extended supports: S_j and the v with (j, v) not in N.
F', CE' and W_mm: subspace, in-support loss and NTP-SVM of the extended supports, with the targets p_j unchanged.

(a) inf CE = min CE' on F', attained at one W* in F'.
(b) Gradient descent with 0 < eta < 2/L: P_F' W_k -> W*; if N is not empty, W_o, the part of W_k off F', has direction
    -> W_mm: ||W_o|| tends to infinity, and in the end CE is lower with (1 + alpha) ||W_o|| along W_mm in place of W_o,
    whatever alpha > 0, so that `classical/path-equals-gd` applies.
(c) The data is NTP-separable iff the supports are not extended; then W* minimises CE_F on F, and inf CE = H exactly
    if the data is compatible too.
(d) If N is empty, CE has a minimiser and gradient descent converges.
"""

from __future__ import annotations

import math
from fractions import Fraction

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero, over_pairs
from ..kit.data import extensions, sep_incompat
from ..kit.generic import nonnegative_from_zero
from ..kit.intervals import interval
from ..kit.rational import dot, solve
from ..statement import Statement

statement = Statement(
    "bias/any-data",
    source="derived (D3)",
    verdict="proved",
    needs=["bias/split", "bias/smoothness", "classical/path-equals-gd", "bias/definition-3", "bias/entropy-conditions"],
    known=["a convex function that grows along every ray has a minimum", "spheres are compact", "Cauchy-Schwarz"],
)

on, off, rest, x = sp.symbols("A B rest x", positive=True)  # e^l on the extended support, off it, of others
alpha, C, k, n, V = sp.symbols("alpha C k n V", positive=True)


@statement.proves(
    "CE - CE' is a sum of terms pi_j log(1 + off/on) > 0, which tend to 0 along W* + R W_mm: inf CE = inf CE'"
)
def tail() -> bool:
    token, R = sp.symbols("a R", positive=True)  # e^l of an in-support token: -log softmax in CE and in CE'
    term = sp.log(1 + off / on)
    same = is_zero((token / on) / (token / (on + off)) - (1 + off / on))
    # along W_mm margins are at least R
    return same and bool(term.is_positive) and bool(sp.limit(term.subs(off, off * sp.exp(-R)), R, sp.oo) == 0)


@statement.proves("CE' grows linearly along D unless D is largest on S_j: terms are >= R (d_u - d_z) + l_u - l_z")
def recession() -> bool:
    e_z, e_u = sp.symbols("e_z e_u", positive=True)  # exponentials along D of z in S_j and of any other u
    return bool((sp.expand((e_z + e_u + rest) / e_z - e_u / e_z)).is_positive)


@statement.proves("such a D in F' is 0: D + R W, W strict exactly on N, is in R, so D is constant on extended supports")
def coercive() -> bool:
    # margins on N: d of any sign and w > 0; R = |d|/w + 1 makes d + R w > 0. Off N, w = 0: d stays, and d > 0 would
    # put i into N. So d = 0 there, and D in F' is orthogonal to F'.
    size, w = sp.Symbol("d", nonnegative=True), sp.Symbol("w", positive=True)
    return all(sp.expand((size / w + 1) * w + sign * size).is_positive is True for sign in (1, -1))


@statement.proves("CE' is strictly convex on F': its Hessian form is half the sum of s_u s_w (x_u - x_w)^2")
def strictly_convex() -> bool:
    one, other, mean, square = sp.symbols("x_u x_w m1 m2")
    return is_zero(over_pairs((one - other) ** 2 / 2, one, other, [1, mean, square]) - (square - mean**2))


@statement.proves("(b) CE(W_K) <= CE(U) + (||W_0 - U||^2 + c) / (2 eta K); U = W* + W_mm log K: it tends to inf CE")
def infimum_reached() -> bool:
    c1, c2, c3 = sp.symbols("c1:4", positive=True)
    tail_at_u = C * sp.exp(-sp.log(k))
    bound = tail_at_u + (c1 + c2 * sp.log(k) + c3 * sp.log(k) ** 2) / k
    return bool(sp.limit(bound, k, sp.oo) == 0)


@statement.proves("(b) P_F' W_k -> W*: CE' exceeds its minimum by delta at distance r, so by at least delta at s >= r")
def finite_part() -> bool:
    # the point at distance r is a mean: phi_r <= (1 - r/s) min + (r/s) phi_s
    low, r, further, delta = sp.symbols("low r further delta", positive=True)
    s = r + further
    phi = sp.solve(sp.Eq(low + delta, (1 - r / s) * low + r / s * x), x)[0]
    return sp.factor(phi - low - delta).is_positive is True


@statement.proves("(b) log(1 + y) is at least y/2 on [0, 1] and at most y: the tail is its odds up to a factor 2")
def tail_bounds() -> bool:
    y, slack = sp.symbols("y slack", nonnegative=True)
    above = nonnegative_from_zero(y - sp.log(1 + y), y)
    slope = sp.diff(sp.log(1 + y) - y / 2, y).subs(y, 1 / (1 + slack))  # y in (0, 1]
    return above and sp.factor(slope).is_nonnegative is True


@statement.proves("(b) (1 + alpha)||W_o|| along W_mm has a lower tail than W_o once ||W_o|| is past a radius (Lemma 5)")
def lower_tail() -> bool:
    # F' parts equal, logit differences there at most D, gamma = 1/||W_mm||. A margin of W_o is at most gamma ||W_o||,
    # so the tail >= e^(-gamma ||W_o|| - D) / (2 n V): ||W_o|| grows as the tail falls. The competitor's margins are at
    # least (1 + alpha) gamma ||W_o||, so its tail <= V e^(D - (1 + alpha) gamma ||W_o||).
    gamma, D, beyond = sp.symbols("gamma D beyond", positive=True)
    radius = (sp.log(2 * n * V**2) + 2 * D) / (alpha * gamma)
    own = -gamma * x - D - sp.log(2 * n * V)
    left = own - (sp.log(V) + D - (1 + alpha) * gamma * x)
    exact = is_zero(sp.expand_log(left.subs(x, radius + beyond)) - alpha * gamma * beyond)
    return exact and bool(sp.limit((-sp.log(2 * n * V * C) - D) / gamma, C, 0, "+") == sp.oo)  # C: the tail


@statement.proves(
    "(c) matrices of R, one strict at each i, add up to a strict one; over its least margin it separates. And CE_F(W*) "
    "is H only if the softmax q on every S_j is p: then W* has the log-odds"
)
def separable() -> bool:
    others, more = sp.symbols("o more", nonnegative=True)
    least = x + others
    scaled = bool(least.is_positive) and bool(sp.simplify((least + more) / least - 1).is_nonnegative)
    return scaled and is_zero(sp.expand_log(sp.log((x / on) / (rest / on)) - sp.log(x) + sp.log(rest)))


@statement.proves("(d) N empty: nothing is off the support, CE = CE'; gradient columns sum to 0: W_k stays in W_0 + F'")
def nothing_diverges() -> bool:
    entries = sp.symbols("e1:4", positive=True)  # one entry stands for any number of them
    column = sum(e / sum(entries) for e in entries) - 1  # softmax - p, and p sums to 1
    return bool(sp.log(1 + off / on).subs(off, 0) == 0) and is_zero(column)


@statement.confirms(
    "nothing is extended; H = 0.59236 < inf CE = 0.60672, between a loss and its dual", instances="SEP-INCOMPAT"
)
def recorded() -> bool:
    data = sep_incompat()
    p, h, pi = [row[0] for row in data.probabilities], data.embeddings, data.weights
    u = [Fraction(1398253, 10**6), Fraction(-1563337, 10**6)]  # a candidate for w_1 - w_2
    losses = [
        a * iv.log(1 + iv.exp(-interval(dot(u, row)))) + (1 - a) * iv.log(1 + iv.exp(interval(dot(u, row))))
        for a, row in zip(map(interval, p), h, strict=True)
    ]
    # any q with sum pi_j (q_j - p_j) h_j = 0 has sum pi_j H(q_j) <= CE: q_3 is free
    last = Fraction(round(10**6 / (1 + math.exp(-float(dot(u, h[2]))))), 10**6)
    right = [sum(w * a * x[i] for w, a, x in zip(pi, p, h, strict=True)) - pi[2] * last * h[2][i] for i in (0, 1)]
    q = [*(solve([[pi[0] * h[0][i], pi[1] * h[1][i]] for i in (0, 1)], right) or []), last]
    entropies = [[-interval(a) * iv.log(interval(a)) for b in row for a in (b, 1 - b)] for row in (p, q)]
    entropy, lower = (sum(interval(w) * (t[2 * j] + t[2 * j + 1]) for j, w in enumerate(pi)) for t in entropies)
    upper = sum(interval(w) * loss for w, loss in zip(pi, losses, strict=True))
    within = [0.592355 < entropy.a and entropy.b < 0.592365, 0.606715 < lower.a and upper.b < 0.606725]
    return len(extensions(data)) == 1 and all(bool(found) for found in within)
