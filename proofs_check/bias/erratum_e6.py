"""Printed: case (ii) of Theorem 1 uses P_F W_B = W* for the minimiser W_B of CE on the ball ||W|| <= B. It is not so.

With one context h = 1 and p = (3/4, 1/4, 0), the minimiser on the unit ball has another part in F: the equality would
force B^2 = (13/2) log(3)^2. Repaired: nothing about P_F W_B is needed, since every decoder W has

    CE(W) - H  >=  sum_j pi_j (-log(1 - eps_j))  >=  pi_j log(1 + e^-a / A),

with eps_j the mass off the support, a = l_z - l_v any margin of context j and A = sum_{z' in S_j} e^(l_z' - l_z). If
margins of W_B fell short by a fixed fraction delta, this would exceed the loss C e^-R of the genie for all large B, as
A stays bounded (`bias/lemma-4`).
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/erratum-E6",
    source="2402.18551 Thm 1, case (ii)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/split", "bias/theorem-1-boundary", "bias/theorem-1-genie", "bias/lemma-4"],
    known=["Lagrange multipliers: at a minimiser on a sphere the gradient is a multiple of the point"],
)

P = (sp.Rational(3, 4), sp.Rational(1, 4), sp.Integer(0))
RADIUS = sp.Integer(1)


@statement.refutes("at a minimiser grad CE = - lam W; with w1 - w2 = log 3 this leaves one norm only, and it is not 1")
def counterexample() -> bool:
    lam, eps, t = sp.symbols("lam eps t", positive=True)
    # softmax with in-support log-odds log 3 and mass eps off the support; the gradient is s - p
    gradient = [p * (1 - eps) - p for p in P[:2]] + [eps]
    # rows sum to 0, as the gradient does: W = W* + t (1, 1, -2), W* = (log 3 / 2) (1, -1, 0)
    half = sp.log(3) / 2
    W = [half + t, -half + t, -2 * t]
    found = sp.solve([g + lam * w for g, w in zip(gradient, W, strict=True)], [lam, t], dict=True)
    norms = {sp.simplify(sum(w**2 for w in W).subs(solution)) for solution in found}
    odds_alone = sp.expand(sum(w**2 for w in W).subs(t, 0))  # ||W*||^2 < 1: the ball has W* inside
    return bool(
        sum(gradient) == 0
        and norms == {sp.Rational(13, 2) * sp.log(3) ** 2}
        and (norms.pop() - RADIUS**2).is_positive
        and (RADIUS**2 - odds_alone).is_positive
    )


@statement.proves("-log(1 - eps) = log(1 + off/on) for masses on and off the support, and on = A e^l_z, off >= e^l_v")
def lower_bound() -> bool:
    A, more = sp.symbols("A more", positive=True)
    lz, a = sp.symbols("l_z a", real=True)
    on, off = A * sp.exp(lz), sp.exp(lz - a) + more
    eps = off / (on + off)
    excess = off / on - sp.exp(-a) / A
    return is_zero(1 / (1 - eps) - (1 + off / on)) and is_zero(excess - more / on) and bool((more / on).is_positive)


@statement.proves("no term of CE - H = sum pi_j KL_j + sum pi_j (-log(1 - eps_j)) is negative: log(1/q) >= 1 - q")
def nonnegative() -> bool:
    u = sp.Symbol("u", positive=True)
    # KL = sum p log(p/q) >= sum p (1 - q/p) = 0: u - 1 - log u has its least value 0 at u = 1
    f = u - 1 - sp.log(u)
    return bool(sp.solve(sp.diff(f, u), u) == [1] and f.subs(u, 1) == 0 and sp.diff(f, u, 2).is_positive)


@statement.proves(
    "a margin of at most (1 - delta) B/N + K: log(1 + x) >= x/2 for x = e^-a/A <= 1, and the log of pi x/2 over C e^-R,"
    " R = sqrt(B^2 - w^2)/N, grows like delta B/N: without bound"
)
def misaligned() -> bool:
    B, N, w, delta, K, A, C, share = sp.symbols("B N w delta K A C pi", positive=True)
    R = sp.sqrt(B**2 - w**2) / N
    ratio = (sp.log(share / 2) - sp.log(A) - (1 - delta) * B / N - K) - (sp.log(C) - R)
    u = sp.Symbol("u", nonnegative=True)  # x = 1/(1 + u)
    half = sp.factor(1 / (2 + u) - 1 / (1 + u) / 2)  # x/(1 + x) - x/2, and log(1 + x) >= x/(1 + x)
    x = sp.Symbol("x", nonnegative=True)
    below = bool(half.is_nonnegative) and nonnegative_from_zero(sp.log(1 + x) - x / (1 + x), x)
    return below and bool(sp.simplify(sp.limit(sp.expand(ratio / B), B, sp.oo) - delta / N) == 0)
