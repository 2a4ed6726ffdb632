"""Gradient descent aligns with W_mm: cos(W_k, W_mm) -> 1 and P_F W_k -> W* for compatible, NTP-separable data.

W_{k+1} = W_k - eta grad CE(W_k), 0 < eta <= 1/L, any W_0. Let o_k be the part of W_k off F, rho_k = ||o_k||,
U = W_mm/||W_mm||. For every alpha in (0, 1) there are k_0 and R > 0 such that for all k >= k_0

    <o_k, U>  >=  rho_k/(1 + alpha) - c,   c = |<o_k0, U>| + rho_k0 + (1/(2 R)) sum_i ||o_{i+1} - o_i||^2 < infinity.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/theorem-2",
    source="2402.18551 Thm 2",
    verdict="proved",
    needs=["bias/lemma-4", "bias/lemma-5", "bias/erratum-E12", "bias/smoothness"],
)

alpha, eta, rho, new = sp.symbols("alpha eta rho new", positive=True)  # rho_k, rho_{k+1}
along, inner = sp.symbols("along inner", real=True)  # <grad CE, U> and <grad CE, o_k>


@statement.proves(
    "Lemma 5 and convexity: X = P_F W_k + (1+alpha) rho U has CE(X) <= CE(W_k), so <grad, X - W_k> <= 0: <grad, "
    "o_k> >= (1+alpha) rho <grad, U>"
)
def convexity() -> bool:
    # X - W_k = (1 + alpha) rho U - o_k, checked with coordinates of U and o_k
    u, o, x = sp.symbols("u o f", real=True)
    target, iterate = x + (1 + alpha) * rho * u, x + o
    moved = sp.expand(target - iterate)
    product = moved.coeff(u) * along + moved.coeff(o) * inner
    return is_zero(product - ((1 + alpha) * rho * along - inner))


@statement.proves(
    "one step D = o_{k+1} - o_k = -eta P_o grad: <D, U> >= <D, o_k>/((1+alpha) rho), and 2 <D, o_k> = rho_{k+1}^2 "
    "- rho_k^2 - ||D||^2"
)
def step() -> bool:
    spare = sp.Symbol("spare", nonnegative=True)
    gain = (-eta * along).subs(along, (inner - spare) / ((1 + alpha) * rho))
    claimed = -eta * inner / ((1 + alpha) * rho)
    o, d = sp.symbols("o d", real=True)  # an entry of o_k and of D
    polar = is_zero(2 * d * o - ((o + d) ** 2 - o**2 - d**2))
    return polar and bool(sp.simplify(gain - claimed).is_nonnegative)


@statement.proves(
    "so <D, U> >= (rho_{k+1} - rho_k)/(1+alpha) - ||D||^2/(2 (1+alpha) rho_k), because (b^2 - a^2)/(2a) - (b - a) "
    "= (b - a)^2/(2a)"
)
def one_step() -> bool:
    size = sp.Symbol("size", nonnegative=True)  # ||D||^2
    actual = (new**2 - rho**2 - size) / (2 * (1 + alpha) * rho)
    claimed = (new - rho) / (1 + alpha) - size / (2 * (1 + alpha) * rho)
    square = sp.expand(sp.simplify((actual - claimed) * 2 * (1 + alpha) * rho))
    return is_zero(square - (new - rho) ** 2)


@statement.proves(
    "summed from k_0 (induction): <o_k, U> >= <o_k0, U> + (rho_k - rho_k0)/(1+alpha) - sum_i ||D_i||^2/(2 (1+alpha) "
    "rho_i), and with rho_i >= R the constant c covers what is lost"
)
def summed() -> bool:
    R = sp.Symbol("R", positive=True)
    start, size, squares, spare, above = sp.symbols("rho_k0 size squares spare above", nonnegative=True)
    first = sp.Symbol("first", real=True)  # <o_k0, U>; squares: the sum of ||D_i||^2 so far
    bound = first + (rho - start) / (1 + alpha) - squares / (2 * R)
    begins = is_zero(bound.subs({rho: start, squares: 0}) - first)
    step = spare - size / (2 * (1 + alpha) * rho) + (new - rho) / (1 + alpha)
    later = (bound + step - bound.subs({rho: new, squares: squares + size}, simultaneous=True)).subs(rho, R + above)
    c = sp.Abs(first) + start + squares / (2 * R)
    # |first| + first >= 0 is left out
    covers = sp.expand(bound - (rho / (1 + alpha) - c) - sp.Abs(first) - first)
    return begins and bool(sp.factor(later).is_nonnegative and sp.factor(covers).is_nonnegative)


@statement.proves(
    "sum ||D_i||^2 <= F (CE(W_k0) - H), F = 2 eta/(2 - eta L) > 0 as eta L <= 1: every term is at most F times a fall "
    "of CE (`bias/erratum-E12`), by induction"
)
def finite_sum() -> bool:
    slack, L = sp.Symbol("slack", nonnegative=True), sp.Symbol("L", positive=True)
    factor = (2 * eta / (2 - eta * L)).subs(L, 1 / (eta * (1 + slack)))
    before, now, after, rest = sp.symbols("CE_k0 CE_k CE_k1 rest", real=True)
    most = factor * (before - now)  # of the sum so far
    induction = is_zero(most + factor * (now - after) - most.subs(now, after)) and most.subs(now, before) == 0
    below = sp.Symbol("above", nonnegative=True)  # CE_k - H
    total = factor * (before - rest) - most.subs(now, rest + below)
    return induction and bool(sp.factor(sp.simplify(factor)).is_positive and sp.factor(total).is_nonnegative)


@statement.proves(
    "so liminf cos(o_k, U) >= 1/(1+alpha), as rho_k -> infinity; it holds for all alpha, and 1/(1+alpha) -> 1 as "
    "alpha -> 0"
)
def limit() -> bool:
    c = sp.Symbol("c", positive=True)
    bound = sp.limit((rho / (1 + alpha) - c) / rho, rho, sp.oo)
    return is_zero(bound - 1 / (1 + alpha)) and sp.limit(bound, alpha, 0, "+") == 1


@statement.proves(
    "cos(W_k, U) = cos(o_k, U) rho_k/||W_k||, ||W_k||^2 = rho_k^2 + ||P_F W_k||^2 with the last part bounded: the "
    "factor tends to 1"
)
def whole_matrix() -> bool:
    f = sp.Symbol("f", positive=True)
    return bool(sp.limit(rho / sp.sqrt(rho**2 + f**2), rho, sp.oo) == 1)
