"""The part of the iterates in F converges to W*, and the part off it diverges; for gradient descent and the ball path.

Compatible and NTP-separable data. (1) CE_F(W*) = inf CE_F = H. (2) W* is the only minimiser of CE_F on F.
(3), (5) P_F W_k -> W* and P_F W_B -> W*. (4), (6) ||P_o W_k||, ||P_o W_B|| -> infinity, P_o off F. Explicitly: if
CE(W) - H <= r and t = sqrt(n r/2) < 1/n, n training sequences, then with K = sum_j (S_j - 1) and sigma the least
positive singular value of the anchored log-odds equations

    ||P_F W - W*||  <=  (sqrt(K)/sigma) 2 t/(1/n - t)  ->  0   as r -> 0.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, over_pairs
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/lemma-4",
    source="2402.18551 Lemma 4 (1), (2)",
    verdict="proved",
    needs=["bias/split", "bias/lemma-2", "bias/lemma-3", "bias/theorem-1-genie", "bias/erratum-E5", "bias/erratum-E11"],
    known=["singular value decompositions"],
)

n, r, t, p, q = sp.symbols("n r t p q", positive=True)
ERROR = 2 * t / (1 / n - t)


@statement.proves(
    "(1): CE_F - H = sum pi KL(p||q), each at least sum p (1 - q/p) = 0, with equality only for q = p: u - 1 - "
    "log u > 0 but at 1"
)
def divergence() -> bool:
    u = sp.Symbol("u", positive=True)
    f = u - 1 - sp.log(u)
    at_solution = is_zero(sp.log(p) - sp.log(q) - sp.expand_log(sp.log(p / q)))  # log-odds (4): softmax on S_j is p_j
    return at_solution and bool(
        sp.solve(sp.diff(f, u), u) == [1] and f.subs(u, 1) == 0 and sp.diff(f, u, 2).is_positive
    )


@statement.proves(
    "(2): the second derivative along D is a sum of s_u s_z (x_u - x_z)^2/2, x = D h_j on S_j, zero only if D is "
    "orthogonal to F"
)
def strictly_convex() -> bool:
    x, y, m1, m2, w = sp.symbols("x y m1 m2 w", real=True)
    spread = over_pairs((x - y) ** 2 / 2, x, y, [sp.Integer(1), m1, m2])
    s = sp.Symbol("s", positive=True)
    zero_only = sp.solve(s * w**2, w) == [0]
    return is_zero(spread - (m2 - m1**2)) and zero_only


@statement.proves(
    "binary Pinsker: p log(p/q) + (1-p) log((1-p)/(1-q)) >= 2 (p - q)^2: the gap is 0 at q = p, with slope "
    "(q-p)(1-2q)^2/(q(1-q))"
)
def pinsker() -> bool:
    gap = p * sp.log(p / q) + (1 - p) * sp.log((1 - p) / (1 - q)) - 2 * (p - q) ** 2
    return is_zero(sp.diff(gap, q) - (q - p) * (1 - 2 * q) ** 2 / (q * (1 - q))) and is_zero(gap.subs(q, p))


@statement.proves(
    "so |q_z - p_z| <= t: 2 (q_z - p_z)^2 <= KL_j <= r/pi_j <= n r (the other tokens merged, `bias/erratum-E5`)"
)
def closeness() -> bool:
    return is_zero(2 * t**2 - (n * r).subs(r, 2 * t**2 / n)) and is_zero(sp.sqrt(n * r / 2) ** 2 * 2 - n * r)


@statement.proves(
    "then |log(q_z/p_z)| <= t/(1/n - t), as log(1 + x) <= x and p_z >= 1/n; two of them err by ERROR at most"
)
def log_odds() -> bool:
    x, more, less = sp.symbols("x more less", nonnegative=True)
    room = sp.Symbol("room", positive=True)  # 1/n - t
    # q > p: x = (q - p)/p <= t/p; q < p: x = (p - q)/q <= t/(p - t); with p = room + t + more
    largest = t / room
    up = sp.factor(largest - t / (room + t + more))
    down = sp.factor(largest - t / (room + more + less))
    twice = is_zero(ERROR - 2 * largest.subs(room, 1 / n - t))
    return nonnegative_from_zero(x - sp.log(1 + x), x) and bool(up.is_nonnegative and down.is_nonnegative) and twice


@statement.proves(
    "K equations, each off by ERROR at most: sigma ||P_F W - W*|| <= sqrt(K) ERROR, the error being in F (in "
    "singular coordinates)"
)
def linear_map() -> bool:
    sigma, K, size = sp.symbols("sigma K size", positive=True)
    gap, off = sp.symbols("gap off", nonnegative=True)
    i = sp.Symbol("i", integer=True)
    c = sp.Symbol("c", real=True)
    smaller = sp.expand((sigma + gap) ** 2 * c**2 - sigma**2 * c**2).is_nonnegative
    count = sp.Symbol("count", integer=True, positive=True)
    total = sp.Sum(size**2, (i, 1, count)).doit()
    return bool(smaller) and is_zero(total - (sp.sqrt(count) * size) ** 2)


@statement.proves(
    "(3), (5): ERROR -> 0 as t -> 0, and r = RATE of Lemma 2 for W_k, r = C e^-R of the genie for W_B, tend to 0"
)
def limits() -> bool:
    k, C, N, a, eta, B, w = sp.symbols("k C N a eta B w", positive=True)
    descent = sp.limit(C / k + (a + N * sp.log(k)) ** 2 / (2 * eta * k), k, sp.oo)
    ball = sp.limit(C * sp.exp(-sp.sqrt(B**2 - w**2) / N), B, sp.oo)
    return bool(sp.limit(ERROR, t, 0, "+") == 0 and descent == 0 and ball == 0)


@statement.proves(
    "(4), (6): CE -> H forces ||W|| -> infinity (`bias/lemma-3`, for any W), and ||P_o W|| >= ||W|| - ||P_F W||"
)
def off_part() -> bool:
    a, b = sp.symbols("a b", nonnegative=True)  # ||P_F W||, ||P_o W||
    size, bounded = sp.symbols("size bounded", positive=True)
    return bool(
        sp.expand((a + b) ** 2 - (a**2 + b**2)).is_nonnegative and sp.limit(size - bounded, size, sp.oo) == sp.oo
    )
