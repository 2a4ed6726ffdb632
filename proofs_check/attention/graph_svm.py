"""Gradient descent on attention to tokens: a finite part within strong components, and a max-margin direction across.

Inputs x_1 .. x_T have last token k and a label y among them; f(W) = sum over inputs of pi (log sum_t exp(l_x_t) - l_y),
l_v = e_v' W e_k; independent embeddings. Every k has a graph with edges y -> x_t; i => j if i reaches j and not
conversely. F = span{(e_i - e_j) e_k': i, j strongly connected for k}, W_F and W_P the parts of W in F and orthogonal to
it. W_svm is the least W with (e_i - e_j)' W e_k = 0 within components and >= 1 for i => j, for every k.

It exists, as the number of tokens that a token reaches is feasible for each k (attention/unification). If there is an
i => j, gradient descent with step eta <= 1 / L (f is L-smooth) has

    W_F -> W_fin, the one minimiser in F of f_F (f with its sums cut to the component of y),
    W / |W| -> W_svm / |W_svm|,   and attention outside the component of the label tends to 0.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.matrices import matrices, transpose, vanishes
from ..statement import Statement

statement = Statement(
    "attention/graph-svm",
    source="2403.08081",
    verdict="proved",
    needs=["attention/convex-loss", "attention/unification"],
    known=[
        "a strictly convex function without recession directions has one minimiser, and bounded sublevel sets",
        "the descent lemma for functions with an L-Lipschitz gradient",
    ],
)

eta, K, gamma, eps = sp.symbols("eta K gamma eps", positive=True)


@statement.proves(
    "paths: along i -> .. -> j the differences sum to l_i - l_j; so it is enough to ask edges for margin 1"
)
def paths() -> bool:
    v, n = sp.symbols("v n", integer=True, positive=True)
    score = sp.Function("l")
    # at least one edge of the path of i => j crosses components, where the difference is 1 + x; the others add y >= 0
    x, y = sp.symbols("x y", nonnegative=True)
    telescopes = is_zero(sp.Sum(score(v) - score(v + 1), (v, 0, n - 1)).doit() - score(0) + score(n))
    return telescopes and (1 + x + y - 1).is_nonnegative is True


@statement.proves(
    "f - f_F = sum of pi log(1 + off / on), each log between s_v, for any v off the component, and off / on"
)
def split() -> bool:
    a, on, v, rest, x = sp.symbols("a on v rest x", positive=True)
    off = v + rest
    parts = sp.log((on + off) / a) - sp.log(on / a)
    whole = is_zero(sp.expand_log(parts, force=True) - sp.expand_log(sp.log(on + off) - sp.log(on)))
    upper = is_zero(sp.diff(x - sp.log(1 + x), x) - x / (1 + x))  # log(1 + x) <= x
    lower = is_zero(sp.diff(sp.log(1 + x) - x / (1 + x), x) - x / (1 + x) ** 2)  # log(1 + x) >= x / (1 + x) = eps
    mass = is_zero((off / on) / (1 + off / on) - v / (on + off) - rest / (on + off))
    return whole and upper and lower and mass


@statement.proves(
    "f_F is strictly convex on F and without recession directions there: curvature 0 means d_y = d_x on the edges of a "
    "component, d_y >= d_x around a cycle as well (attention/unification): constant on components, in F only 0"
)
def strictly_convex() -> bool:
    s_y, s_x, d_y, d_x = sp.symbols("s_y s_x d_y d_x", positive=True)
    # the variance is at least that of two of its tokens: s_y s_x (d_y - d_x)^2 / (s_y + s_x)
    mean = (s_y * d_y + s_x * d_x) / (s_y + s_x)
    pair = s_y * (d_y - mean) ** 2 + s_x * (d_x - mean) ** 2
    return is_zero(pair - s_y * s_x * (d_y - d_x) ** 2 / (s_y + s_x))


@statement.proves(
    "f(W_k) -> inf f = min f_F: |W+ - Z|^2 <= |W - Z|^2 - 2 eta (f(W+) - f(Z)) for all Z, by convexity and descent; so "
    "f(W_k) <= f(Z) + |W_0 - Z|^2 / (2 eta k), and Z = W_fin + R W_svm has f(Z) <= min f_F + C e^-R: take R = log k"
)
def loss() -> bool:
    W, Z, g = matrices("W Z g")
    after = W - eta * g
    square = transpose(after - Z) * (after - Z) - transpose(W - Z) * (W - Z)
    identity = vanishes(square + 2 * eta * transpose(g) * (W - Z) - eta**2 * transpose(g) * g, trace=True)
    # <g, W - Z> >= f(W) - f(Z) and f(W+) <= f(W) - eta |g|^2 / 2, for eta <= 1 / L
    now, other, norm, more = sp.symbols("f_now f_other norm more", nonnegative=True)
    then = now - eta * norm / 2 - more
    bound = -2 * eta * (now - other) + eta**2 * norm
    a, N, C, k = sp.symbols("a N C k", positive=True)
    vanishing = sp.limit(C / k + (a + N * sp.log(k)) ** 2 / (2 * eta * k), k, sp.oo) == 0
    return bool(identity and vanishing and sp.expand(-2 * eta * (then - other) - bound).is_nonnegative)


@statement.proves("descent: f(W - eta g) <= f(W) - eta (1 - L eta / 2) |g|^2 <= f(W) - eta |g|^2 / 2 for eta <= 1 / L")
def descent() -> bool:
    L, share = sp.symbols("L share", positive=True)
    factor = (eta * (1 - L * eta / 2) - eta / 2).subs(eta, 1 / (L * (1 + share)))
    return sp.factor(factor).is_positive is True and is_zero((eta * (1 - L * eta / 2) - eta / 2).subs(eta, 1 / L))


@statement.proves(
    "so f_F(W_k) -> min (W_F -> W_fin) and off / on -> 0 (|W_P| -> oo). The direction u of W_svm, margin gamma, wins: "
    "f(W_F + (1 + eps) |W_P| u) <= f(W) once |W_P| >= log(ratio of constants) / (eps gamma)"
)
def beats() -> bool:
    c, C, rho = sp.symbols("c C rho", positive=True)
    # f - f_F is at least c e^(-gamma rho) at W, as no margin of W_P exceeds gamma |W_P|, and at most C e^(..) along u
    radius = sp.log(C / c) / (eps * gamma)
    ratio = C * sp.exp(-gamma * (1 + eps) * rho) / (c * sp.exp(-gamma * rho))
    slope = sp.simplify(sp.diff(ratio, rho) / ratio)
    return is_zero(ratio.subs(rho, radius) - 1) and slope.is_negative is True


@statement.proves(
    "by convexity then <step, u> >= <step, W_P> / ((1 + eps) |W_P|), and with rho = |W_P| a step adds to the latter at "
    "least (rho+ - rho) - |step|^2 / (2 rho)"
)
def one_step() -> bool:
    # f(W) >= f(W_F + (1 + eps) rho u) >= f(W) + <g, (1 + eps) rho u - W_P>, with step = -eta g
    W, D = matrices("W D")
    rho, after = sp.symbols("rho after", positive=True)
    square = transpose(W + D) * (W + D) - transpose(W) * W - 2 * transpose(W) * D - transpose(D) * D
    return vanishes(square, trace=True) and is_zero(
        (after**2 - rho**2) / (2 * rho) - (after - rho) - (after - rho) ** 2 / (2 * rho)
    )


@statement.proves(
    "the squares of the steps sum to at most 2 eta (f(W_0) - inf f), so <W_k, u> >= (rho_k - K) / (1 + eps), for every "
    "eps; |W| <= rho + K: the cosine of W and u has a lower limit of at least 1 / (1 + eps), so it tends to 1"
)
def cosine() -> bool:
    rho, norm, drop = sp.symbols("rho norm drop", positive=True)
    least_drop = eta * norm / 2
    summable = is_zero(eta**2 * norm - 2 * eta * least_drop)
    lower = sp.limit((rho - K) / ((1 + eps) * (rho + K)), rho, sp.oo)
    return bool(summable and lower == 1 / (1 + eps) and sp.limit(lower, eps, 0) == 1)
