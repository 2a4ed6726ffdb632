"""Decoders that miss a log-odds or a margin pay for it (repaired; the printed forms fail, errata E5 and E6).

For every decoder W, context j and token z of its support, with logits l and conditional probability p = p_jz:

    (i)   CE(W) - H  >=  pi_j (p log(p e^a) - 1/e),        a = l_z' - l_z, z' another token of the support;
    (ii)  CE(W) - H  >=  pi_j log(1 + e^-b / A),           b = l_z - l_v, v off the support,

with A = sum_{z' in S_j} e^(l_z' - l_z).
"""

from __future__ import annotations

import mpmath
import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.generic import nonnegative_from_zero
from ..statement import Statement

statement = Statement(
    "bias/theorem-1-lower",
    source="2402.18551 Thm 1, proof (iii)",
    verdict="proved",
    needs=["bias/split", "bias/erratum-E5", "bias/erratum-E6"],
)

OFFSET = sp.exp(-1)


@statement.proves(
    "both parts of CE - H = sum pi_j KL(p_j||q_j) + sum pi_j (-log(1 - eps_j)) are sums without negative terms"
)
def nonnegative() -> bool:
    u, e = sp.symbols("u e", nonnegative=True)
    # -log(1 - eps) = log(1 + e), e = eps/(1 - eps); KL >= sum p (1 - q/p) = 0 as -log(1 + d) >= -d for d = q/p - 1 > -1
    below = nonnegative_from_zero(u - sp.log(1 + u), u)
    v = sp.Symbol("v", nonnegative=True)  # d = -v/(1 + v): the same for negative d
    above = nonnegative_from_zero(-v / (1 + v) + sp.log(1 + v), v)
    return below and above and nonnegative_from_zero(sp.log(1 + e), e)


@statement.proves("(i): all tokens but z merged, KL >= p log(p/q) + (1-p) log((1-p)/(1-q)) with 1/q = 1 + e^a + rest")
def case_i() -> bool:
    p, a, rest = sp.symbols("p a rest", positive=True)
    q = 1 / (1 + sp.exp(a) + rest)
    merged = p * (sp.log(p) - sp.log(q)) + (1 - p) * (sp.log(1 - p) - sp.log(1 - q))
    bound = p * (sp.log(p) + a) - OFFSET
    first = p * (-sp.log(q) - a)  # log((1 + e^a + rest) e^-a) >= 0
    second = -(1 - p) * sp.log(1 - q)
    third = (1 - p) * sp.log(1 - p) + OFFSET
    split = is_zero(sp.expand(merged - bound - first - second - third))
    ratio = sp.expand(sp.exp(-a) / q) - 1
    x = sp.Symbol("x", positive=True)
    f = x * sp.log(x) + OFFSET  # least value at 1/e
    least = sp.solve(sp.diff(f, x), x)
    below_one = sp.factor(sp.together(1 - q - (sp.exp(a) + rest) / (1 + sp.exp(a) + rest))) == 0
    return split and bool(ratio.is_positive) and below_one and bool(least == [sp.exp(-1)] and f.subs(x, least[0]) == 0)


@statement.proves(
    "(i): merging tokens lowers a divergence: r log(r/u) + s log(s/v) minus the merged term is least, for fixed "
    "v, at u = r v/s, where it is 0"
)
def merging() -> bool:
    r, s, u, v = sp.symbols("r s u v", positive=True)
    gap = r * sp.log(r / u) + s * sp.log(s / v) - (r + s) * sp.log((r + s) / (u + v))
    slope = sp.factor(sp.simplify(sp.diff(gap, u)))  # for fixed v the gap falls, then rises
    return is_zero(slope - (s * u - r * v) / (u * (u + v))) and is_zero(
        sp.expand_log(gap.subs(u, v * r / s), force=True)
    )


@statement.proves("(ii): -log(1 - eps) = log(1 + off/on) with on = A e^l_z and off >= e^l_v = e^(l_z - b)")
def case_ii() -> bool:
    A, more = sp.symbols("A more", positive=True)
    lz, b = sp.symbols("l_z b", real=True)
    on, off = A * sp.exp(lz), sp.exp(lz - b) + more
    return is_zero(1 / (1 - off / (on + off)) - (1 + off / on)) and is_zero(off / on - sp.exp(-b) / A - more / on)


@statement.proves("both bounds grow without limit as the logits err: a -> infinity, b -> -infinity")
def limits() -> bool:
    p, a, A, d = sp.symbols("p a A d", positive=True)
    first = sp.limit(p * (sp.log(p) + a) - OFFSET, a, sp.oo)
    return bool(first == sp.oo and sp.limit(sp.log(1 + sp.exp(d) / A), d, sp.oo) == sp.oo)


@statement.confirms("both bounds", instances="20 rational datasets, one integer decoder each")
def datasets() -> bool:
    with mpmath.workdps(40):
        for seed in range(20):
            data = draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[2, 3], uniform=False)
            W = [2 * x for row in draw(seed + 100, 4, 3, 4, [1]).embeddings for x in row]
            excess = data.loss(W) - data.entropy
            rows = zip(data.weights, data.probabilities, data.supports, data.logits(W), strict=True)
            for weight, chances, s, logits in rows:
                level = [mpmath.mpf(int(x)) for x in logits]
                for z in s:
                    p, pi = (mpmath.mpf(x.numerator) / x.denominator for x in (chances[z], weight))
                    a = max(level[u] - level[z] for u in s)
                    total = mpmath.fsum(mpmath.exp(level[u] - level[z]) for u in s)
                    other = max(mpmath.exp(level[v] - level[z]) for v in range(4) if v not in s)
                    first = pi * (p * (mpmath.log(p) + a) - mpmath.exp(-1)) if a else -1
                    if max(first, pi * mpmath.log(1 + other / total)) > excess:
                        return False
    return True
