"""Each step of normalised steepest descent lowers the loss by a stated amount.

    L_{t+1} <= L_t - gamma eta_t (1 - alpha_{s1} eta_t) G_t,      alpha_{s1} = 2 B^2 e^{2 B eta_0} / gamma,

for 0 <= eta_t <= eta_0 and a step -eta_t D with ||D|| <= 1 and <grad L, D> = ||grad L||_*, in any norm that is at
least the largest entry. Proof: Taylor's formula for f(x) = L(W - x eta D) on [0, 1]. The slope at 0 is at most
-gamma eta G (Lemma 1); the curvature is a mean of variances, at most 4 eta^2 B^2 G(W - x eta D) (Lemma 2 with c = y),
and G changes by a factor of at most e^{2 B eta} (Lemma 4).
"""

from __future__ import annotations

import sympy as sp

from ..kit.generic import nonnegative_from_zero, split
from ..statement import Statement

statement = Statement(
    "steepest/descent",
    source="2502.04664 Eq. (9)",
    verdict="proved",
    needs=["steepest/lemma-1", "steepest/lemma-2", "steepest/lemma-4", "steepest/norm-order"],
    known=["the fundamental theorem of calculus"],
)

c, N = sp.symbols("c N", integer=True, positive=True)
gamma, size, eta, first, level, proxy = sp.symbols("gamma B eta eta_0 L G", positive=True)
x, more = sp.Symbol("x", nonnegative=True), sp.Symbol("d", nonnegative=True)
alpha = 2 * size**2 * sp.exp(2 * size * first) / gamma  # alpha_{s1}
printed = level - gamma * eta * (1 - alpha * eta) * proxy


@statement.proves(
    "the curvature of one sample's loss along v is sum s v^2 - (sum s v)^2, s its softmax, any number of tokens"
)
def curvature() -> bool:
    logit, v = sp.IndexedBase("l", real=True), sp.IndexedBase("v", real=True)
    label, v_label = sp.symbols("l_y v_y", real=True)
    weight = sp.exp(logit[c] + x * v[c])
    total, mean, square = (sp.Sum(weight * v[c] ** k, (c, 1, N)) for k in range(3))
    loss = sp.log(total) - label - x * v_label
    slope, second = sp.diff(loss, x), sp.diff(loss, x, 2)
    variance = square / total - (mean / total) ** 2
    return bool(
        sp.simplify(slope - (mean / total - v_label)) == 0 and sp.simplify(split(sp.expand(second - variance))) == 0
    )


@statement.proves(
    "Taylor: ((1 - x) f' + f)' = (1 - x) f'', so f(1) = f(0) + f'(0) + int_0^1 (1 - x) f''; the weight has mass 1/2"
)
def taylor() -> bool:
    f = sp.Function("f")
    formula = sp.diff((1 - x) * sp.diff(f(x), x) + f(x), x) - (1 - x) * sp.diff(f(x), x, 2)
    return bool(sp.simplify(formula) == 0 and sp.integrate(1 - x, (x, 0, 1)) == sp.Rational(1, 2))


@statement.proves("|D h| <= ||D||_max ||h||_1 <= B makes the curvature at most 4 eta^2 B^2 (1 - s_y), v = -eta D h")
def lemma_2() -> bool:
    below, miss = sp.symbols("r g", nonnegative=True)  # the largest |v| is eta (B - r), 0 <= r <= B
    part = sp.Symbol("q", nonnegative=True)  # B = r + q
    gap = 4 * eta**2 * size**2 * miss - 4 * miss * (eta * (size - below)) ** 2
    return bool(sp.expand(gap.subs(size, below + part)).is_nonnegative)


@statement.proves("along the step, e^{2 B eta x} <= e^{2 B eta}, and e^{2 B eta} <= e^{2 B eta_0} for eta <= eta_0")
def factors() -> bool:
    grown = sp.exp(2 * size * eta * (x + more)) - sp.exp(2 * size * eta * x)  # x <= x + d
    later = sp.exp(2 * size * (eta + more)) - sp.exp(2 * size * eta)
    return nonnegative_from_zero(grown, more) and nonnegative_from_zero(later, more)


@statement.proves("put together, L - eta gamma G + (1/2) 4 eta^2 B^2 e^{2 B eta_0} G is the bound as printed")
def together() -> bool:
    bound = level - eta * gamma * proxy + sp.Rational(1, 2) * 4 * eta**2 * size**2 * sp.exp(2 * size * first) * proxy
    return bool(sp.expand(bound - printed) == 0)


@statement.proves("slack in Lemma 1 and in the curvature only lowers it: what is left over is r_1 + r_2 >= 0")
def slack() -> bool:
    # f'(0) = -eta (gamma G + r1), the integral is 2 eta^2 B^2 e^{2 B eta_0} G - r2
    r1, r2 = sp.symbols("r1 r2", nonnegative=True)
    after = level - eta * (gamma * proxy + r1) + 2 * eta**2 * size**2 * sp.exp(2 * size * first) * proxy - r2
    return bool(sp.expand(printed - after).is_nonnegative)
