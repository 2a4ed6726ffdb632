"""On separable data the part of gradient descent on F converges like 1/k, with a known limit vector.

    eta k (P_F W_k - W*)  ->  v,   H_F v = -P_F sum alpha_{j,v} (e_v - pbar_j) h_j^T

so k^2 (CE_F(W_k) - CE_F(W*)) -> <v, H_F v>/(2 eta^2). Hypotheses and symbols of `bias/sharp-gd-expansion`; rates are
exactly 1/k and 1/k^2 when v is not 0 (it is 0 for F = {0}, and where the pull of the tail has no part on F).

Proof. r = W_k - U(eta k) tends to 0 off B = (F + active normals)^perp and converges on B. On F,
r' = (1 - eta H) r + coupling + miss, with H >= mu > 0. The coupling with the rest is O(1/k) ||r_A|| + O(k^(-1-theta)),
the miss O(k^(-1-m)): both are e_k/k with e_k -> 0. Hence r_F = o(1/k).
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "bias/sharp-gd-finite",
    source="derived (D4.3)",
    verdict="proved",
    needs=["bias/sharp-gd-expansion"],
    known=["continuous second derivatives, so v + o(1) in place of v does not change a limit"],
)

x, y, q, alpha, p, c, eta, mu = sp.symbols("x y q alpha p c eta mu", positive=True)
k = sp.Symbol("k", positive=True)


@statement.proves(
    "k ||r_F|| contracts, up to e_k: (1 + 1/k) c <= (1 + c)/2 for k >= 2c/(1 - c), c < 1 the norm of 1 - eta H on F"
)
def contracts() -> bool:
    keep, extra = sp.symbols("keep extra", positive=True)  # c: the largest |1 - eta h| for h in [mu, L], eta < 2/L
    late = 2 * keep / (1 - keep) + extra
    margin = sp.factor((1 - (1 - keep) / 2) - (1 + 1 / k) * keep)  # times 2k: (1 - keep) k - 2 keep
    return is_zero(margin * 2 * k - ((1 - keep) * k - 2 * keep)) and is_zero(
        (margin * 2 * k).subs(k, late) - (1 - keep) * extra
    )


@statement.proves("y' <= lam y + e with lam < 1, e <= E from some step on: limsup y <= E/(1 - lam), and E is arbitrary")
def to_zero() -> bool:
    lam, first, size = sp.symbols("lam y0 E", positive=True)
    n = sp.Symbol("n", integer=True, nonnegative=True)
    bound = size / (1 - lam) + (first - size / (1 - lam)) * lam**n
    step = bound.subs(n, n + 1) - (lam * bound + size)
    small = bound.subs(lam, 1 / (1 + mu))
    return is_zero(sp.powsimp(sp.expand(step))) and is_zero(sp.limit(small, n, sp.oo) - size * (1 + mu) / mu)


@statement.proves("coupling: r off F moves off-support logits alone, and all entries of the Hessian image are o(1/k)")
def coupling() -> bool:
    # off-support logits move by l (active, share of order x) and l' (inactive, share of order x y)
    near, far = sp.symbols("l l'", real=True)
    total = 1 + x * alpha / p + x * y * c
    mean = (x * alpha / p * near + x * y * c * far) / total
    entries = [q * (0 - mean), x * alpha / p * (near - mean), x * y * c * (far - mean)]
    over_x = [sp.cancel(entry / total / x).subs({x: 0, y: 0}) for entry in entries]
    # what is left is proportional to the active l, a part of r_A, which tends to 0
    return is_zero(over_x[0] + q * alpha * near / p) and all(entry.subs(near, 0) == 0 for entry in over_x)


@statement.proves("at W* + v/t the gradient has the term (H_F v + P_F sum alpha (e_v - pbar) h^T)/t on F, which is 0")
def balance() -> bool:
    # context by context: in-support entries pi q_z (d_z - q d) - q_z alpha, off-support entries alpha (over t)
    d, m, n = sp.symbols("d m n", real=True)
    support = p * q * ((1 + x * d) / (1 + x * m) / (1 + x * alpha / p) - 1)
    off = p * (x * alpha / p * (1 + x * n)) / (1 + x * alpha / p)
    slopes = [sp.limit(part / x, x, 0) for part in (support, off)]
    hessian, force = p * q * (d - m), (-q * alpha, alpha)  # force: alpha (e_v - pbar), entry z and entry v
    return is_zero(slopes[0] - hessian - force[0]) and is_zero(slopes[1] - force[1])


@statement.proves("t^2 (CE_F(W* + v/t) - CE_F(W*)) -> <v, H_F v>/2: half the variance of d under q")
def floor() -> bool:
    first, second = sp.symbols("m1 m2", real=True)  # moments of d under q, of any support
    level = sp.log(1 + x * first + x**2 * second / 2 + x**3 * sp.Symbol("rest"))
    loss = level - x * first  # minus sum q d x: at W* targets and q agree on F
    return is_zero(sp.limit(loss / x**2, x, 0) - (second - first**2) / 2)


@statement.confirms(
    "v = (alpha/2) (p1 - p2)/(2 p1 p2) (1, -1, 0) solves the equation; it is 0 exactly for p1 = p2",
    instances="V = 3, d = 1, h = 1, next tokens 1 and 2 (a family)",
)
def smallest_case() -> bool:
    share = sp.Symbol("p1", positive=True)
    probs = sp.Matrix([share, 1 - share, 0])
    hessian = sp.diag(*probs) - probs * probs.T
    axis = sp.Matrix([1, -1, 0])
    onto = axis * axis.T / 2
    v = alpha / 2 * (2 * share - 1) / (2 * share * (1 - share)) * axis
    force = onto * alpha * (sp.Matrix([0, 0, 1]) - probs)
    roots = sp.solve(v[0], share)
    return is_zero(onto * hessian * v + force) and bool(roots == [sp.Rational(1, 2)])
