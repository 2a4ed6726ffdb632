"""Printed: the proof of Theorem 2 bounds the step off F by the fall of CE(W_o), W_o the part of W orthogonal to F.

With contexts h = 1 (support {2, 3}, equal probabilities, frequency 1/4) and h = -1 (support {1}), the step from
W = (0, log 4, -log 4) with eta = 1/4 breaks that bound. Repaired: for gradient descent W' = W - eta grad CE(W) with
eta < 2/L, L a smoothness constant of CE,

    ||P_o (W' - W)||^2  <=  eta^2 ||grad CE(W)||^2  <=  2 eta / (2 - eta L) (CE(W) - CE(W')).
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/erratum-E12",
    source="2402.18551 proof of Thm 2",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/smoothness", "bias/data-subspace"],
)

eta, L, g = sp.symbols("eta L g", positive=True)
FACTOR = 2 * eta / (2 - eta * L)


@statement.refutes(
    "that step off F is longer than the printed bound with any L <= 1/2, which is a smoothness constant here"
)
def counterexample() -> bool:
    quarter = sp.Rational(1, 4)
    up, rows = sp.Integer(4), []  # e^W = (1, 4, 1/4)
    for h, p in ((1, (0, quarter * 2, quarter * 2)), (-1, (1, 0, 0))):
        masses = [sp.Integer(1), up**h, up ** (-h)]
        total = sum(masses)
        rows.append([h * (mass / total - q) for mass, q in zip(masses, p, strict=True)])
    gradient = [quarter * a + 3 * quarter * b for a, b in zip(*rows, strict=True)]
    # F is spanned by (0, 1, -1): off it, equal second and third rows
    level = (gradient[1] + gradient[2]) / 2
    step = [-quarter * x for x in (gradient[0], level, level)]
    squared = sum(x**2 for x in step)
    spread = step[1] - step[0]  # W_o goes from 0 to this difference of logits
    x = iv.mpf(int(spread.p)) / int(spread.q)
    after = (iv.log(2 + iv.exp(-x)) + 3 * iv.log(1 + 2 * iv.exp(-x))) / 4
    fall = iv.log(iv.mpf(3)) - after
    # CE at W_o: targets share log 2 in the first context, which is the same before and after
    factor = FACTOR.subs({eta: quarter, L: sp.Rational(1, 2)})
    grows = is_zero(sp.diff(FACTOR, L) - 2 * eta**2 / (2 - eta * L) ** 2)  # in L
    return grows and bool((iv.mpf(int(squared.p)) / int(squared.q) - fall * int(factor.p) / int(factor.q)).a > 0)


@statement.proves("smoothness: f(1) = f(0) + f'(0) + int_0^1 (1-t) f''(t) dt on the segment, and f'' <= L ||W' - W||^2")
def descent_lemma() -> bool:
    t = sp.Symbol("t", real=True)
    f = sp.Function("f")
    parts = sp.diff((1 - t) * sp.diff(f(t), t) + f(t), t) - (1 - t) * sp.diff(f(t), t, 2)
    share = sp.integrate(1 - t, (t, 0, 1))
    # CE(W') <= CE(W) - eta g^2 + (L/2) eta^2 g^2, with g the norm of the gradient
    fall = eta * g**2 - share * L * (eta * g) ** 2
    return is_zero(parts) and is_zero(fall - eta * (2 - eta * L) / 2 * g**2)


@statement.proves("so eta^2 g^2 is at most FACTOR times the fall")
def bound() -> bool:
    fall = eta * (2 - eta * L) / 2 * g**2
    return is_zero(FACTOR * fall - eta**2 * g**2)


@statement.proves("a projection does not lengthen: ||A||^2 - ||P_o A||^2 = ||P_F A||^2 >= 0")
def projection() -> bool:
    a, b = sp.symbols("a b", real=True)  # parts in F and off it
    return bool(((a**2 + b**2) - b**2).is_nonnegative)
