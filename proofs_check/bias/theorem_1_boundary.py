"""The minimiser of CE on the ball ||W|| <= B lies on its boundary, if the data is compatible and NTP-separable.

With s_j the softmax of context j, for all W and U

    <-grad CE(W), U>  =  sum_j pi_j sum_z p_jz ( sum_{z' in S_j} s_jz' (e_z - e_z')^T U h_j
                                                 + sum_{v off S_j} s_jv (e_z - e_v)^T U h_j ).     (24)

At U = W_mm the first inner sum is 0 and the second at least eps_j, the mass off the support. So the slope is at least
sum_j pi_j eps_j > 0 at every W, grad CE has no zero, and no minimiser lies inside.
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "bias/theorem-1-boundary",
    source="2402.18551 Thm 1, proof (i), Eq. (24)",
    verdict="proved",
    needs=["bias/loss", "bias/definition-2", "bias/definition-3", "bias/smoothness"],
    known=["a continuous function on a compact set has a minimum"],
)

i, V, S = sp.symbols("i V S", integer=True, positive=True)
s, u = sp.IndexedBase("s"), sp.IndexedBase("u")
uz = sp.Symbol("u_z")
ON, ALL = (i, 1, S), (i, 1, V)


@statement.proves(
    "along U the target z gains u_z - sum_i s_i u_i: the derivative of l_z + t u_z - log sum_i exp(l_i + t u_i) at 0"
)
def slope() -> bool:
    t, lz = sp.symbols("t l_z", real=True)
    logit = sp.IndexedBase("l")
    level = sp.Sum(sp.exp(logit[i] + t * u[i]), ALL)
    derivative = sp.diff(lz + t * uz - sp.log(level), t).subs(t, 0)
    weighted = sp.Sum(sp.exp(logit[i]) * u[i], ALL) / sp.Sum(sp.exp(logit[i]), ALL)
    return bool(sp.simplify(derivative - (uz - weighted)) == 0)


@statement.proves(
    "(24): u_z - sum_i s_i u_i = sum_i s_i (u_z - u_i), as the s_i sum to 1, for supports and vocabularies of any size"
)
def equation_24() -> bool:
    printed = split(sp.Sum(s[i] * (uz - u[i]), ON) + sp.Sum(s[i] * (uz - u[i]), (i, S + 1, V)))
    mean = sp.Sum(s[i] * u[i], ON) + sp.Sum(s[i] * u[i], (i, S + 1, V))
    mass = {sp.Sum(s[i], ON): 1 - sp.Sum(s[i], (i, S + 1, V))}
    return bool(sp.expand(sp.expand(printed).subs(mass) - (uz - mean)) == 0)


@statement.proves(
    "along W_mm: margins 0 on the support and 1 + e, e >= 0, off it, so the slope is sum s_v (1 + e_v) >= eps"
)
def positive() -> bool:
    e, level = sp.IndexedBase("e"), sp.Symbol("level")
    inside = split(sp.Sum(s[i] * (uz - level), ON)).subs(level, uz)
    off = split(sp.Sum(s[i] * (1 + e[i]), (i, S + 1, V)))
    rest = sp.expand(off - sp.Sum(s[i], (i, S + 1, V)))
    return bool(inside == 0 and rest == sp.Sum(e[i] * s[i], (i, S + 1, V)))


@statement.proves(
    "a step of length t against the gradient inside the ball lowers CE: the change is -t g^2 + O(t^2), g > 0"
)
def interior() -> bool:
    t, g, L = sp.symbols("t g L", positive=True)
    change = -t * g**2 + L / 2 * (t * g) ** 2  # an upper bound, L a smoothness constant
    short = sp.Rational(1, 2) / L
    share = sp.Symbol("share", positive=True)  # t = short / (1 + share), as small as the ball asks for
    return bool(sp.factor(change.subs(t, short / (1 + share))).is_negative)
