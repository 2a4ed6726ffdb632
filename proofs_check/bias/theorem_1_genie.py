"""The "genie" W* + R W_mm of norm B has a loss of at most H + C e^-R, C = V e^(M ||W*||), M = sqrt(2) max ||h_j||.

W* is the log-odds solution in F and W_mm, orthogonal to F, the max-margin decoder; R = sqrt(B^2 - ||W*||^2)/||W_mm||
for B >= ||W*||, and R/B -> 1/||W_mm||.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/theorem-1-genie",
    source="2402.18551 Thm 1, proof (ii), Eq. (9), (25)",
    verdict="proved",
    needs=["bias/split", "bias/definition-1", "bias/definition-3"],
)

B, N, w, V, M = sp.symbols("B N w V M", positive=True)  # N = ||W_mm||, w = ||W*||
R = sp.sqrt(B**2 - w**2) / N
C = V * sp.exp(M * w)


@statement.proves("the norm: W* is orthogonal to W_mm, so ||W* + R W_mm||^2 = w^2 + R^2 N^2 = B^2")
def norm() -> bool:
    return is_zero(w**2 + R**2 * N**2 - B**2)


@statement.proves("R/B -> 1/||W_mm||, and 1 - (R/B) ||W_mm|| is between 0 and w^2/B^2")
def rate() -> bool:
    q = sp.Symbol("q", nonnegative=True)  # w^2 = q B^2/(1 + q)
    share = q / (1 + q)
    ratio = sp.sqrt(1 - share)
    exact = is_zero((R / B * N).subs(w, 0) - 1) and is_zero(sp.simplify((R * N / B) ** 2 - (1 - w**2 / B**2)))
    # 1 - sqrt(1 - x) <= x, as sqrt(1 - x) >= 1 - x
    below = sp.simplify(ratio**2 - (1 - share) ** 2)
    return exact and bool(sp.factor(below).is_nonnegative) and bool(sp.limit(R / B, B, sp.oo) == 1 / N)


@statement.proves(
    "logits: |(e_v - e_z)^T W* h_j| <= ||e_v - e_z|| ||h_j|| ||W*|| <= M w (Cauchy-Schwarz, as a square for two "
    "entries at a time)"
)
def logit_gap() -> bool:
    a, b, c, d = sp.symbols("a b c d", real=True)
    # |x|^2 |y|^2 - <x, y>^2 is a sum of such squares over pairs of entries
    lagrange = sp.expand((a**2 + b**2) * (c**2 + d**2) - (a * c + b * d) ** 2 - (a * d - b * c) ** 2)
    return bool(lagrange == 0 and sp.sqrt(1**2 + (-1) ** 2) == sp.sqrt(2))


@statement.proves(
    "the loss: CE - H = sum pi_j log(1 + y_j), y_j at most V terms e^(l_v - l_z) <= e^(M w - R), and log(1 + y) <= y"
)
def loss() -> bool:
    y, spare, extra = sp.symbols("y spare extra", nonnegative=True)
    size = sp.Symbol("R", positive=True)
    # the genie has in-support logits with the log-odds of p_j, so the divergence part is 0 (`bias/split`)
    exponent = (M * w - spare) - size * (1 + extra)
    slack = sp.expand(sp.expand_log(sp.log(C * sp.exp(-size) / V), force=True) - exponent)
    return bool(slack.is_nonnegative) and nonnegative_from_zero(y - sp.log(1 + y), y)
