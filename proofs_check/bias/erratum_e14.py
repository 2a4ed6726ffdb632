"""Printed: normalised gradient descent (and Adam) with constant steps has the bias of gradient descent, faster.

Normalised descent, W' = W - eta grad CE / ||grad CE||, need not approach W* in F, nor its loss the entropy. With two
tokens, h_1 = (1, 0), h_2 = (0, 1), frequencies 1/2, p_1 = (1/2, 1/2) and p_2 = (1, 0), the data is compatible and
separable, and F has one coordinate: x = l_1 - l_2 in the first context, 0 at W*. Let y be the same in the second one
and theta = sqrt(2) eta. From x_0 = theta/2, theta = 1/10, y_0 = log 10^7 all iterates keep

    theta/4  <=  |x_k|  <=  3 theta/4.

What Adam does in the limit is open (`bias/adam-plateau`); the general behaviour is in `bias/ngd-plateau`.
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..kit.intervals import Interval
from ..statement import Statement

statement = Statement("bias/erratum-E14", source="2402.18551 App. A.2, Fig. 5", verdict="refuted as written", needs=[])

THETA = sp.Rational(1, 10)
START = 10**7  # e^y_0
x, y = sp.symbols("x y", real=True)
a, b, eta = sp.symbols("a b eta", positive=True)


@statement.refutes(
    "with a = tanh(|x|/2)/4, b = sigma(-y)/2: |x'| = |theta c - |x||, c = a/sqrt(a^2+b^2); y' = y + theta "
    "b/sqrt(a^2+b^2)"
)
def the_steps() -> bool:
    # rows (x/2, y/2) and minus that; the gradient's rows are (a, -b) and minus that, its norm sqrt(2 (a^2 + b^2))
    u1, u2 = sp.symbols("u1 u2", real=True)
    first = (sp.log(sp.exp(u1) + sp.exp(u2)) - (u1 + u2) / 2) / 2
    second = (sp.log(sp.exp(u1) + sp.exp(u2)) - u1) / 2
    at = {u1: x / 2, u2: -x / 2}
    slopes = [sp.diff(first, u).subs(at).rewrite(sp.exp) for u in (u1, u2)]
    tanh = sp.tanh(x / 2).rewrite(sp.exp) / 4
    falls = [sp.diff(second, u).subs({u1: y / 2, u2: -y / 2}) for u in (u1, u2)]
    sigma = 1 / (1 + sp.exp(y)) / 2
    right = is_zero(slopes[0] - tanh) and is_zero(slopes[1] + tanh)
    right = right and is_zero(falls[0] + sigma) and is_zero(falls[1] - sigma)
    norm = sp.sqrt(2 * a**2 + 2 * b**2)
    theta = sp.sqrt(2) * eta
    return right and is_zero(2 * eta * a / norm - theta * a / sp.sqrt(a**2 + b**2))


@statement.refutes(
    "1 - c <= b^2/(2 a^2), and b <= e^-y/2; so each step moves ||x| - theta/2| by at most theta e^(-2y)/(8 a^2)"
)
def drift() -> bool:
    q = sp.Symbol("q", nonnegative=True)  # (b/a)^2
    level = sp.Symbol("level", positive=True)  # e^y
    bound = nonnegative_from_zero(1 / sp.sqrt(1 + q) - 1 + q / 2, q)
    below = sp.simplify(1 / level / 2 - 1 / (1 + level) / 2)
    theta, c, size = sp.symbols("theta c size", positive=True)
    # |x'| - theta/2 = -(|x| - theta/2) - theta (1 - c) while |x| <= theta c, and theta c >= 3 theta/4 there
    turned = is_zero((theta * c - size - theta / 2) + (size - theta / 2) + theta * (1 - c))
    total = is_zero((q / 2).subs(q, (1 / (2 * level) / a) ** 2) - 1 / (8 * a**2 * level**2))
    return bound and bool(below.is_positive) and turned and total


@statement.refutes(
    "e^y grows by at least kappa = theta/(8 sqrt(a^2 + b^2)) a step: b >= e^-y/4 for y >= 0, and e^t >= 1 + t"
)
def growth() -> bool:
    more, t = sp.symbols("more t", nonnegative=True)
    level = 1 + more  # e^y
    below = sp.factor(1 / (1 + level) / 2 - 1 / (4 * level))
    theta, norm = sp.symbols("theta norm", positive=True)
    step = theta * (1 / (4 * level)) / norm
    return (
        bool(below.is_nonnegative)
        and nonnegative_from_zero(sp.exp(t) - 1 - t, t)
        and bool(
            sp.simplify(level * step - theta / (4 * norm)).is_zero
            and (theta / (4 * norm) - theta / (8 * norm)).is_positive
        )
    )


@statement.refutes(
    "all drifts together, at most theta/(8 a^2) (1/E^2 + 1/(kappa E)) with E = e^y_0, stay below theta/4"
)
def stays() -> bool:
    theta = iv.mpf(int(THETA.p)) / int(THETA.q)

    def tanh(value: Interval) -> Interval:
        return 1 - 2 / (1 + iv.exp(2 * value))

    least, most, leak = tanh(theta / 8) / 4, tanh(3 * theta / 8) / 4, 1 / iv.mpf(2 * START)
    kappa = theta / (8 * iv.sqrt(most**2 + leak**2))
    drifts = theta / (8 * least**2) * (1 / iv.mpf(START) ** 2 + 1 / (kappa * START))
    share = leak**2 / (2 * least**2)  # 1 - c, at most: theta c >= 3 theta/4
    # sum over k >= 0 of 1/(E + kappa k)^2 <= 1/E^2 + 1/(kappa E), by the integral
    k, E, speed = sp.symbols("k E speed", positive=True)
    integral = sp.integrate(1 / (E + speed * k) ** 2, (k, 0, sp.oo))
    return is_zero(sp.simplify(integral - 1 / (speed * E))) and bool(drifts.b < (theta / 4).a) and bool(share.b < 0.25)


@statement.refutes("so P_F W_k stays away from W* = 0 and CE(W_k) - H >= log(cosh(theta/8))/2 > 0")
def floor() -> bool:
    excess = (sp.log(sp.exp(x / 2) + sp.exp(-x / 2)) - sp.log(2)) / 2  # frequency 1/2, target (1/2, 1/2), logits +-x/2
    slope = sp.simplify(sp.diff(excess, x) - sp.tanh(x / 2).rewrite(sp.exp) / 4)
    least = iv.log((iv.exp(iv.mpf(1) / 80) + iv.exp(-iv.mpf(1) / 80)) / 2) / 2
    return bool(slope == 0 and excess.subs(x, 0) == 0) and bool(least.a > 0) and sp.Rational(1, 80) == THETA / 8
