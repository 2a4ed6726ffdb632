"""Printed: the proof of Lemma 5 writes sum_v e^-a_v + sum_v e^-b_v for the off-support terms of CE, in (15) and (16).

a_v and b_v are the margins l_z - l_v of the parts W_F in F and W_o orthogonal to F. The terms are the products
e^-a_v e^-b_v. Repaired: let W_o have norm R' ||W_mm||, and some margin at most (1 - delta) R', delta in [0, 1]
(delta = 0 always serves); A_jz = sum_{z' in S_j} e^-(l_z - l_z') for the logits of W_F. Replacing W_o by
(1 + alpha) R' W_mm does not raise CE as soon as

    (alpha + delta) R'  >=  2 M ||W_F|| + log(n V (A_max + 1) / A_min),     M = sqrt(2) max ||h_j||.
"""

from __future__ import annotations

from fractions import Fraction

import mpmath
import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import standard
from ..kit.generic import nonnegative_from_zero
from ..kit.rational import dot
from ..statement import Statement

statement = Statement(
    "bias/erratum-E7",
    source="2402.18551 Eq. (15), (16)",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/split", "bias/definition-3", "bias/lemma-5-modulus"],
)

alpha, MF, R, n, V, A_max = sp.symbols("alpha MF R n V A_max", positive=True)
A_min, A = sp.symbols("A_min A", positive=True)
delta, x, y = sp.symbols("delta x y", nonnegative=True)
RADIUS = (2 * MF + sp.log(n * V * (A_max + 1) / A_min)) / (alpha + delta)
UPPER = V * sp.exp(MF - (1 + alpha) * R) / A_min
LOWER = sp.exp(-MF - (1 - delta) * R) / (n * (A_max + 1))


@statement.refutes("V = 2, p = (1, 0), e^-a = 1, e^-b = 1/2: CE = log(3/2), and the printed form gives log(5/2)")
def counterexample() -> bool:
    first, second = (sp.Integer(0), sp.Integer(0)), (sp.log(2), sp.Integer(0))  # logits of the two parts
    total = [sp.exp(f + s) for f, s in zip(first, second, strict=True)]
    loss = -sp.log(total[0] / sum(total))
    a, b = first[0] - first[1], second[0] - second[1]
    printed = sp.log(1 + sp.exp(-a) + sp.exp(-b))
    return bool(
        sp.simplify(loss - sp.log(sp.Rational(3, 2))) == 0 and sp.simplify(printed) == sp.log(sp.Rational(5, 2))
    )


@statement.proves(
    "a term is a product: -log softmax_z = log(A + sum_v e^-a_v e^-b_v), W_o having equal logits on the support"
)
def product_form() -> bool:
    f, g, gv, fv, fz2 = sp.symbols("f g g_v f_v f_z2", real=True)  # logits of W_F and W_o at z, off-support v, z'
    softmax = sp.exp(f + g) / (sp.exp(f + g) + sp.exp(fz2 + g) + sp.exp(fv + gv))
    claimed = 1 + sp.exp(-(f - fz2)) + sp.exp(-(f - fv)) * sp.exp(-(g - gv))
    return is_zero(1 / softmax - claimed)


@statement.proves(
    "from above: CE after - CE_F <= V e^(M||W_F|| - (1+alpha) R') / A_min, by log(1 + x/A) <= x/A, margins >= 1"
)
def from_above() -> bool:
    extra, spare = sp.symbols("extra spare", nonnegative=True)
    # each of at most V terms: margin of W_F at least -M||W_F||, that of W_mm at least 1, A at least A_min
    exponent = sp.expand(sp.log(UPPER / V * A_min).subs(V, 1) - ((MF - spare) - (1 + alpha) * R * (1 + extra)))
    exponent = sp.expand(sp.expand_log(exponent, force=True))
    larger = is_zero(exponent - (spare + (1 + alpha) * R * extra)) and bool(exponent.is_nonnegative)
    return larger and nonnegative_from_zero(x - sp.log(1 + x), x)


@statement.proves(
    "from below: CE before - CE_F >= e^(-M||W_F|| - (1-delta) R') / (n (A_max + 1)), as log(1 + y) >= y/(1 + y)"
)
def from_below() -> bool:
    spare, room, short = sp.symbols("spare room short", nonnegative=True)
    least = sp.Symbol("x0", positive=True)  # e^(-M||W_F|| - (1-delta) R') <= 1
    # x/(A + x) grows with x and falls with A; with A = A_max - room, x = x0 + spare and x0 = 1 - short
    actual, claimed = (least + spare) / (A + least + spare), least / (A + room + 1)
    difference = sp.factor(sp.numer(sp.together((actual - claimed).subs(least, 1 - short))))
    expected = spare * (A + room + 1) + (1 - short) * (A + room + 1) - (1 - short) * (A + 1 - short + spare)
    positive = sp.expand(expected - (spare * (A + room) + spare * short + (1 - short) * (room + short)))
    weight = is_zero(LOWER * n * (A_max + 1) - sp.exp(-MF - (1 - delta) * R))
    return (
        weight
        and is_zero(difference - expected)
        and is_zero(positive)
        and nonnegative_from_zero(sp.log(1 + y) - y / (1 + y), y)
    )


@statement.proves(
    "the upper bound is at most the lower one exactly when R' is at least the radius: log ratio = "
    "(alpha+delta)(R' - radius)"
)
def comparison() -> bool:
    ratio = sp.expand_log(sp.log(LOWER), force=True) - sp.expand_log(sp.log(UPPER), force=True)
    radius = (alpha + delta) * (R - sp.expand_log(RADIUS, force=True))
    return is_zero(sp.expand(ratio - sp.expand(radius)))


@statement.confirms(
    "at a radius above the bound (delta = 0) the loss does not rise, alpha = 3/10",
    instances="instance LEMMA5 with entries rounded to 1/64: W_F a generator of F, W_o = R' W_mm reflected, 10 ways",
)
def instance() -> bool:
    data = standard(3, 5, 10, 8, 2, bits=6)
    point, inside = data.svm.point, data.generators[0]
    assert point is not None
    with mpmath.workdps(60):
        spread = mpmath.sqrt(2 * max(number(dot(h, h)) for h in data.embeddings) * number(dot(inside, inside)))
        rows = zip(data.logits(inside), data.supports, strict=True)
        totals = [mpmath.fsum(mpmath.exp(number(row[u] - row[z])) for u in s) for row, s in rows for z in s]
        samples = 1 / min(
            number(w * p) for w, ps in zip(data.weights, data.probabilities, strict=True) for p in ps if p
        )
        reach = (2 * spread + mpmath.log(samples * 5 * (max(totals) + 1) / min(totals))) * 10 / 3
        radius = int(mpmath.ceil(reach))
        after = data.loss([f + radius * w * 13 / 10 for f, w in zip(inside, point, strict=True)])
        for mirror in data.complement[:10]:
            share = 2 * dot(point, mirror) / dot(mirror, mirror)  # a reflection keeps the norm
            turned = [share * u - w for u, w in zip(mirror, point, strict=True)]
            if after > data.loss([f + radius * w for f, w in zip(inside, turned, strict=True)]):
                return False
    return True


def number(x: Fraction) -> mpmath.mpf:
    """At the working precision."""
    return mpmath.mpf(x.numerator) / x.denominator
