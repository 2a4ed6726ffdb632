"""The regularisation path aligns with W_mm: cos(W_B, W_mm) -> 1 and P_F W_B -> W* for compatible, NTP-separable data.

W_B minimises CE on the ball ||W|| <= B. With R = sqrt(B^2 - ||W*||^2)/||W_mm||, C = V e^(M ||W*||), y = n C e^-R and
f >= ||P_F W_B||, which is bounded because P_F W_B -> W* (`bias/lemma-4`), every B >= ||W*|| has

    cos(W_B, W_mm)  >=  (R - log(n C V) - 2 M f - y) ||W_mm||/B  ->  1        (where the bracket is positive).

n training sequences, V tokens, M = sqrt(2) max ||h_j||.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/theorem-1",
    source="2402.18551 Thm 1",
    verdict="proved",
    needs=["bias/theorem-1-genie", "bias/theorem-1-lower", "bias/direction-certificate", "bias/lemma-4"],
    known=["a continuous function on a compact set has a minimum (so W_B exists)"],
)

B, N, w, n, V, M, f = sp.symbols("B N w n V M f", positive=True)  # N = ||W_mm||, w = ||W*||
C = V * sp.exp(M * w)
R = sp.sqrt(B**2 - w**2) / N
MARGIN = R - sp.log(n * C * V) - 2 * M * f - n * C * sp.exp(-R)
y = sp.Symbol("y", positive=True)


@statement.proves("the genie: CE(W_B) - H <= C e^-R, as W* + R W_mm has norm B; so y = n C e^-R >= n (CE(W_B) - H)")
def genie() -> bool:
    return is_zero(w**2 + R**2 * N**2 - B**2)


@statement.proves("the smallest margin g off F: C e^-R >= (1/n) log(1 + e^-b/A), with b <= g + M f and A <= V e^(M f)")
def margin_missed() -> bool:
    spare, less = sp.symbols("spare less", nonnegative=True)
    g = sp.Symbol("g", real=True)
    b = g + M * f - spare
    log_share = sp.expand(-b - (sp.log(V) + M * f - less))  # log(e^-b/A), log A = log V + M f - less
    least = -g - 2 * M * f - sp.log(V)
    # A sums at most V terms e^(l_z' - l_z), each at most e^(M f)
    return bool(sp.expand(log_share - least).is_nonnegative)


@statement.proves("so e^(-g - 2 M f)/V <= e^y - 1 <= y e^y, that is g >= -log y - y - 2 M f - log V, which is MARGIN")
def margin_bound() -> bool:
    u = sp.Symbol("u", nonnegative=True)
    below = nonnegative_from_zero(u * sp.exp(u) - sp.exp(u) + 1, u)
    log_y = sp.expand_log(sp.log(n * C), force=True) - R
    bound = -log_y - n * C * sp.exp(-R) - 2 * M * f - sp.log(V)
    return below and is_zero(sp.expand(bound - sp.expand_log(MARGIN, force=True)))


@statement.proves(
    "<W_B, W_mm> >= g ||W_mm||^2 and ||W_B|| <= B: the cosine is at least g ||W_mm||/B (`bias/direction-certificate`)"
)
def cosine() -> bool:
    g, spare, short = sp.symbols("g spare short", positive=True)
    norm = B / (1 + short)
    actual = (g * N**2 + spare) / (norm * N)
    return bool(sp.expand(sp.simplify(actual - g * N / B)).is_nonnegative)


@statement.proves("the bound tends to 1: R ||W_mm||/B -> 1, and what is subtracted stays bounded (f tends to ||W*||)")
def limit() -> bool:
    return bool(sp.limit(sp.expand(MARGIN * N / B), B, sp.oo) == 1)


@statement.proves(
    "P_F W_B -> W*: sqrt(n r/2) -> 0 with r = C e^-R, and the error 2t/(1/n - t) of the log-odds with it "
    "(`bias/lemma-4`)"
)
def finite_part() -> bool:
    t = sp.Symbol("t", positive=True)
    excess = sp.limit(sp.sqrt(n * C * sp.exp(-R) / 2), B, sp.oo)
    return bool(excess == 0 and sp.limit(2 * t / (1 / n - t), t, 0, "+") == 0)
