"""In s = log t gradient flow splits into a slaved part on F and a mild differential equation off it.

    P_F grad CE = O(e^(-2s)), e^(-s) times its two halves,
    dW_perp/ds = -P_perp [ e^s sum_j pi_j r_j (u_j - q_j) h_j^T ]

r_j is the mass off the support of context j, u_j the softmax restricted to these tokens, q_j the one restricted to the
support; a context with full support has no term. The second equation is exact; the first holds under the hypotheses of
`bias/sharp-gd-expansion`, the halves being H_F (W - W*) and the pull of the tail, 1/t each (`bias/sharp-gd-finite`). In
X = W_perp - W_mm s the second tends to an autonomous equation, whose rates of decay are those of `bias/sharp-gd-duals`:
they stay bounded, while on F the rates grow like e^s.
"""

from __future__ import annotations

import sympy as sp
from mpmath import iv

from ..kit.algebra import is_zero
from ..kit.intervals import interval
from ..statement import Statement

statement = Statement(
    "bias/log-time-flow",
    source="derived",
    verdict="proved",
    needs=["bias/sharp-gd-expansion", "bias/sharp-gd-finite", "bias/sharp-gd-duals", "bias/offset"],
    known=["comparison of solutions of differential inequalities"],
)

# One token of a context: its exponential a; all exponentials on the support (A) and off it (B).
a, on, off, p, s, t = sp.symbols("a A B p s t", positive=True)
mass = off / (on + off)


@statement.proves("softmax - p_hat = (q - p_hat) + r (u - q), entry by entry on the support and off it")
def split() -> bool:
    inside = a / (on + off) - p - ((a / on - p) + mass * (0 - a / on))
    outside = a / (on + off) - mass * (a / off - 0)
    return is_zero(inside) and is_zero(outside) and bool(mass.subs(off, 0) == 0)


@statement.proves("(q - p_hat) h^T is on F: sum c_z e_z = sum c_z (e_z - e_1) + (sum c_z) e_1, and sum (q_z - p_z) = 0")
def on_f() -> bool:
    z, size = sp.symbols("z S", integer=True, positive=True)
    entry, axis = sp.IndexedBase("c"), sp.IndexedBase("e")
    parts = sp.Sum(entry[z] * (axis[z] - axis[1]), (z, 1, size)) + sp.Sum(entry[z] * axis[1], (z, 1, size))
    return is_zero(parts.simplify() - sp.Sum(entry[z] * axis[z], (z, 1, size)))


@statement.proves("dW/ds = t dW/dt at t = e^s")
def logarithmic_time() -> bool:
    decoder = sp.Function("W")
    return is_zero(sp.diff(decoder(sp.exp(s)), s) - sp.exp(s) * sp.Subs(sp.diff(decoder(t), t), t, sp.exp(s)).doit())


@statement.proves("P_F grad CE = O(t^-2): y' <= -mu y + C t^-2 keeps y below K t^-2 for t >= 4/mu, K >= 2C/mu")
def slaved() -> bool:
    # g = grad CE has g' = -Hess g: on F -H g_F - (cross part, O(1/t)) (g_perp = O(1/t))
    mu, size, extra, late = sp.symbols("mu C extra late", positive=True)
    bound = 2 * size / mu + extra
    surplus = sp.diff(bound / t**2, t) - (-mu * bound / t**2 + size / t**2)
    return sp.expand(sp.expand(surplus * t**3).subs(t, 4 / mu + late)).is_positive is True


@statement.proves(
    "the cross part of the Hessian is O(1/t): between the support and off-support tokens, of share O(1/t)"
)
def cross_part() -> bool:
    x, q, alpha, move = sp.symbols("x q alpha l", positive=True)
    share = x * alpha / p / (1 + x * alpha / p)
    entry = q * (1 - share) * (0 - share * move)  # in-support entry for logits that move off the support
    return is_zero(sp.limit(entry / x, x, 0) + q * alpha * move / p)


@statement.proves("off F the rates are eigenvalues of sum alpha a a^T, at most its trace sum alpha ||a||^2, for all s")
def mild() -> bool:
    alpha = sp.Symbol("alpha", positive=True)
    normal = sp.Matrix(sp.symbols("a1:5", real=True))
    matrix = alpha * normal * normal.T
    slack = sp.Symbol("slack", positive=True)
    force = sp.exp(s) * alpha * sp.exp(-(1 + slack) * s)  # an inactive constraint drops out
    return is_zero(matrix.trace() - alpha * normal.dot(normal)) and bool(sp.limit(force, s, sp.oo) == 0)


@statement.confirms(
    "1 - cos = 3.36e-8 at log t = 10^4 and a distance of directions of 2.59/log t agree: 10^4 sqrt(2 (1 - cos))",
    instances="the recorded run, V = 10, d = 20, m = 15",
)
def recorded() -> bool:
    found = 10**4 * iv.sqrt(2 * interval("3.355e-8", "3.365e-8"))
    return bool(2.585 < found.a) and bool(found.b < 2.595)
