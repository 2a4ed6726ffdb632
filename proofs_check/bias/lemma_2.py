"""Gradient descent reaches the entropy: CE(W_k) -> H, if the data is compatible and NTP-separable.

W_{k+1} = W_k - eta grad CE(W_k) from any W_0, 0 < eta <= 1/L, L a smoothness constant (the printed eta <= 1/(2L) is
enough). With W* the log-odds solution in F, W_mm the max-margin decoder, C from `bias/theorem-1-genie`, for k >= 1

    CE(W_k) - H  <=  C/k + (||W_0 - W*|| + ||W_mm|| log k)^2 / (2 eta k)  ->  0,   and CE(W_k) never increases.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/lemma-2",
    source="2402.18551 Lemma 2",
    verdict="proved",
    needs=["bias/smoothness", "bias/theorem-1-genie", "bias/loss"],
    known=["the fundamental theorem of calculus"],
)

eta, L, g, k, C, N, a = sp.symbols("eta L g k C N a", positive=True)
FALL = eta / 2 * g**2
RATE = C / k + (a + N * sp.log(k)) ** 2 / (2 * eta * k)


@statement.proves(
    "on a segment f(1) - f(0) - f'(0) = int (1-t) f''(t) dt, with 0 <= f'' <= L ||step||^2: convexity, and the "
    "descent lemma"
)
def taylor() -> bool:
    t = sp.Symbol("t", real=True)
    f = sp.Function("f")
    parts = sp.diff((1 - t) * sp.diff(f(t), t) + f(t), t) - (1 - t) * sp.diff(f(t), t, 2)
    return is_zero(parts) and sp.integrate(1 - t, (t, 0, 1)) == sp.Rational(1, 2)


@statement.proves("CE_{k+1} <= CE_k - FALL, FALL = (eta/2) ||grad||^2, for eta <= 1/L")
def descent() -> bool:
    slack = sp.Symbol("slack", nonnegative=True)
    change = -eta * g**2 + L / 2 * (eta * g) ** 2
    left = sp.factor(sp.expand((-FALL - change).subs(L, 1 / (eta * (1 + slack)))))  # eta L = 1/(1 + slack)
    return bool(left.is_nonnegative)


@statement.proves("with convexity: 2 eta (CE_{k+1} - CE(W)) <= ||W_k - W||^2 - ||W_{k+1} - W||^2, for every W")
def three_points() -> bool:
    inner, far = sp.symbols("inner far", real=True)  # <grad, W_k - W> >= CE_k - CE(W), and ||W_k - W||^2
    moved = far - 2 * eta * inner + eta**2 * g**2
    return is_zero(2 * eta * (inner - FALL) - (far - moved))


@statement.proves(
    "the right-hand sides telescope, and CE_k is the least of k terms: k (CE_k - CE(W)) <= ||W_0 - W||^2/(2 eta)"
)
def telescope() -> bool:
    i, K = sp.symbols("i K", integer=True, positive=True)
    D = sp.Function("D")
    # induction: the sum up to K, of D(i-1) - D(i), is D(0) - D(K)
    claim = D(0) - D(K)
    first = is_zero(claim.subs(K, 1) - (D(0) - D(1)))
    step = is_zero(claim.subs(K, K + 1) - claim - (D(i - 1) - D(i)).subs(i, K + 1))
    rest = sp.Symbol("rest", nonnegative=True)  # D(K)
    return first and step and bool((D(0) - (D(0) - rest)).is_nonnegative)


@statement.proves(
    "at W = W* + log(k) W_mm: C e^-R = C/k, ||W_0 - W|| <= a + N log k, a = ||W_0 - W*||, N = ||W_mm||: this is RATE"
)
def genie() -> bool:
    R = sp.log(k)
    bound = C * sp.exp(-R) + (a + N * R) ** 2 / (2 * eta * k)
    b, c, angle = sp.symbols("b c angle", nonnegative=True)  # triangle inequality: 2<x,y> <= 2|x||y|
    return is_zero(bound - RATE) and bool(sp.expand((b + c) ** 2 - (b**2 + c**2 + 2 * b * c - angle)).is_nonnegative)


@statement.proves("RATE tends to 0")
def limit() -> bool:
    return bool(sp.limit(RATE, k, sp.oo) == 0)
