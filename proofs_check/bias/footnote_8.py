"""Stochastic gradient descent that samples contexts keeps the direction W_mm (expected in a footnote, shown here).

Sampled contexts satisfy strong growth, E ||G||^2 <= rho ||grad CE||^2 (`bias/strong-growth`, independent embeddings).
So with W_{k+1} = W_k - eta G_k, E G_k = grad CE(W_k), 0 < eta <= 1/(rho L), L a smoothness constant, on compatible and
NTP-separable data, almost surely CE(W_k) -> H, P_F W_k -> W*, cos(W_k, W_mm) -> 1. (Where CE -> H, the distance of
P_F W_k to W* and the growth of W_k follow as for gradient descent, from the same explicit bounds.)
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/footnote-8",
    source="2402.18551 fn. 8",
    verdict="proved",
    needs=[
        "bias/strong-growth",
        "bias/smoothness",
        "bias/lemma-3",
        "bias/lemma-4",
        "bias/erratum-E8",
        "bias/theorem-1-genie",
        "bias/theorem-2",
    ],
    known=[
        "nonnegative supermartingales, and martingales bounded in L^2, converge almost surely (Doob)",
        "Fatou's lemma; conditional expectations",
    ],
)

eta, L, rho, g = sp.symbols("eta L rho g", positive=True)  # g = ||grad CE||
FALL = eta / 2 * g**2


@statement.proves(
    "E CE(W_{k+1}) <= CE - eta g^2 + (L/2) eta^2 rho g^2 <= CE - FALL; so CE(W_k) - H >= 0 is a supermartingale"
)
def descent() -> bool:
    slack = sp.Symbol("slack", nonnegative=True)
    change = -eta * g**2 + L / 2 * eta**2 * rho * g**2
    return bool(sp.factor(sp.expand((-FALL - change).subs(L, 1 / (eta * rho * (1 + slack))))).is_nonnegative)


@statement.proves(
    "expected FALLs telescope to at most CE(W_0) - H (by induction): sum eta^2 rho E g^2 <= 2 eta rho (CE(W_0) - H), "
    "squared steps have a finite expected sum"
)
def squares() -> bool:
    excess, first, now, after = sp.symbols("excess CE_0 CE_k CE_k1", positive=True)  # expectations
    most = first - now  # of the sum of E FALL so far; one more is at most now - after
    induction = is_zero(most + (now - after) - most.subs(now, after)) and most.subs(now, first) == 0
    total = sp.solve(sp.Eq(eta / 2 * g**2, excess), g**2)[0]  # of g^2, over all steps
    return induction and is_zero(eta**2 * rho * total - 2 * eta * rho * excess)


@statement.proves(
    "E ||W_{k+1} - W||^2 = ||W_k - W||^2 - 2 eta <grad, W_k - W> + eta^2 E ||G||^2, with <grad, W_k - W> >= CE_k "
    "- CE(W)"
)
def distance() -> bool:
    x, gradient, noise = sp.symbols("x gradient noise", real=True)  # entries of W_k - W, grad, G - grad
    square = sp.expand((x - eta * (gradient + noise)) ** 2)
    # E noise = 0 removes what is linear in it; gradient^2 + E noise^2 = E G^2
    mean = square.coeff(noise, 0) + square.coeff(noise, 2) * noise**2
    return is_zero(mean - (x**2 - 2 * eta * gradient * x + eta**2 * (gradient**2 + noise**2)))


@statement.proves(
    "so E CE(W_k) - H <= C/k + ((a + N log k)^2 + 2 eta rho (CE(W_0) - H))/(2 eta k) -> 0 at W = W* + log(k) "
    "W_mm; the supermartingale tends to 0"
)
def loss() -> bool:
    k, C, a, N, excess = sp.symbols("k C a N excess", positive=True)
    bound = C / k + ((a + N * sp.log(k)) ** 2 + 2 * eta * rho * excess) / (2 * eta * k)
    # summed, with E CE falling: 2 eta k (E CE_k - CE(W)) <= ||W_0 - W||^2 + the squared steps; CE(W) - H <= C/k
    most, level = sp.symbols("E_CE_k CE_W", real=True)
    summed = sp.solve(sp.Eq(2 * eta * k * (most - level), (a + N * sp.log(k)) ** 2 + 2 * eta * rho * excess), most)[0]
    same = is_zero(sp.expand(summed.subs(level, C / k) - bound))
    return same and bool(sp.limit(bound, k, sp.oo) == 0)


@statement.proves(
    "direction: with D = -eta P_o G, noise m = -eta P_o (G - grad), r = ||o_k||, U = W_mm/||W_mm||, alpha in (0, "
    "1) and <grad, o_k> >= (1+alpha) r <grad, U>: <D - m, U> >= (r' - r)/(1+alpha) - ||D||^2/(2 (1+alpha) r) - <m, "
    "o_k>/((1+alpha) r)"
)
def one_step() -> bool:
    alpha, r, new = sp.symbols("alpha r new", positive=True)
    size, spare = sp.symbols("size spare", nonnegative=True)
    noise = sp.Symbol("noise", real=True)  # <m, o_k>
    step = (new**2 - r**2 - size) / 2  # <D, o_k>
    inner = -(step - noise) / eta  # <grad, o_k>
    gain = -eta * (inner - spare) / ((1 + alpha) * r)  # <D - m, U>
    claimed = (new - r) / (1 + alpha) - size / (2 * (1 + alpha) * r) - noise / ((1 + alpha) * r)
    rest = sp.simplify((gain - claimed) * 2 * (1 + alpha) * r)
    return is_zero(rest - ((new - r) ** 2 + 2 * eta * spare))


@statement.proves(
    "both sums of noise are martingales with increments of mean square at most eta^2 rho E g^2: ||G||^2 - "
    "||grad||^2 = ||G - grad||^2 on average"
)
def noise() -> bool:
    gradient, noise = sp.symbols("gradient noise", real=True)
    square = sp.expand((gradient + noise) ** 2)
    mean = square.coeff(noise, 0) + square.coeff(noise, 2) * noise**2
    return is_zero(mean - gradient**2 - noise**2) and bool((mean - noise**2).is_nonnegative)


@statement.proves(
    "summed from the (random) k_0 on with r_k >= R: <o_k, U> >= r_k/(1+alpha) - c, c finite; r_k -> infinity: "
    "liminf cos >= 1/(1+alpha), for every alpha"
)
def limit() -> bool:
    alpha, r, c, R = sp.symbols("alpha r c R", positive=True)
    first, new, along, across = sp.symbols("first new along across", real=True)  # noise: <m, U>, <m, o_k>/r
    start, size, squares, above, spare = sp.symbols("start size squares above spare", nonnegative=True)
    # sums so far: of ||D||^2, and of the two parts of the noise
    bound = first + (r - start) / (1 + alpha) - squares / (2 * R) + along - across / (1 + alpha)
    more, noise = sp.symbols("m_U m_o", real=True)
    gain = (new - r - noise) / (1 + alpha) - size / (2 * (1 + alpha) * r) + more + spare
    sums = {r: new, squares: squares + size, along: along + more, across: across + noise}
    left = (bound + gain - bound.subs(sums, simultaneous=True)).subs(r, R + above)
    bound = sp.limit((r / (1 + alpha) - c) / r, r, sp.oo)
    end = is_zero(bound - 1 / (1 + alpha)) and sp.limit(bound, alpha, 0, "+") == 1
    return bool(end and sp.factor(left).is_nonnegative)
