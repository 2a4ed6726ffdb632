"""The gradient off F comes from the tail alone, at any scale; softmax - p in floating point loses it.

For one context: s the softmax, eps its mass off the support, q = s restricted to the support and normalised, r = s off
the support and 0 on it, u = r / eps. Then

    s - p = (q - p) + (r - eps q),   (q - p) h^T in F,   r - eps q = eps (u - q),

so that P_perp grad CE = P_perp sum_j pi_j (r_j - eps_j q_j) h_j^T, whose direction does not change when a common factor
of all eps_j is removed. In binary floating point with 53 digits, 1 - eps rounds to 1 for 0 < eps <= 2^-54: on one-hot
data the in-support entry of s - p becomes 0, and for one context the direction found is at least 45 degrees off. (On
one-hot data the entries off the support survive; with two or more in-support tokens s - p has errors of the size of
rounding, far above eps. The losses of correlation measured on runs are not part of this statement.)
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.generic import split
from ..kit.rational import dot
from ..statement import Statement

statement = Statement("bias/tail-exact", source="derived", verdict="proved", needs=["bias/split", "bias/data-subspace"])

# Exponentials of one token (a), of the whole support (A), of what is off it (B); sums run over tokens of any number.
a, on, off, p = sp.symbols("a A B p", positive=True)
eps = off / (on + off)


@statement.proves("in-support entries: s - p = (q - p) - eps q; off the support s = r = eps u")
def identity() -> bool:
    s, q = a / (on + off), a / on
    return is_zero((s - p) - ((q - p) - eps * q)) and is_zero(s - eps * a / off)


@statement.proves("q - p sums to 0 over the support, so it is the sum of (q_z - p_z)(e_z - e_first), any support")
def in_the_subspace() -> bool:
    z, size = sp.symbols("z S", integer=True, positive=True)
    e, first = sp.IndexedBase("e"), sp.Symbol("e_first")
    q, mass = sp.IndexedBase("q"), sp.IndexedBase("p")
    plain = split(sp.Sum((q[z] - mass[z]) * e[z], (z, 1, size)))
    anchored = split(sp.Sum((q[z] - mass[z]) * (e[z] - first), (z, 1, size)))
    one = {sp.Sum(q[z], (z, 1, size)): 1, sp.Sum(mass[z], (z, 1, size)): 1}
    return is_zero((plain - anchored).subs(one))


@statement.proves("logits of a context moved by c off the support: eps/(1 - eps) is e^c times as large, u and q stay")
def any_scale() -> bool:
    c = sp.Symbol("c", real=True)
    odds = eps / (1 - eps)
    moved = odds.subs(off, off * sp.exp(c))
    share = (a * sp.exp(c)) / (off * sp.exp(c))  # u
    return is_zero(moved / odds - sp.exp(c)) and is_zero(share - a / off)


@statement.proves("a common factor f of all eps_j leaves a direction: <f X, Y> / |f X| = <X, Y> / |X|")
def homogeneous() -> bool:
    f, inner, length = sp.symbols("f inner length", positive=True)
    return is_zero(f * inner / sp.sqrt(f**2 * length**2) - inner / length)


@statement.proves(
    "numbers below 1 are 2^-53 apart: 1 - eps is nearer to 1 than to the next, or between them and 1 is even"
)
def rounds_to_one() -> bool:
    digits, share = 53, sp.Symbol("x", nonnegative=True)
    small = sp.Rational(1, 2 ** (digits + 1)) / (1 + share)  # eps <= 2^-54
    next_below = 1 - sp.Rational(1, 2**digits)
    nearer = sp.factor((1 - small - next_below) - small)
    even = 2 ** (digits - 1) % 2 == 0  # the significand of 1
    return nearer.is_nonnegative is True and even


@statement.proves("then (0, r) stands for (-eps, r): cos^2 = |r|^2 / (|r|^2 + eps^2) <= 1/2, since |r| <= sum r = eps")
def wrong_direction() -> bool:
    one, other = sp.Symbol("one", positive=True), sp.Symbol("other", nonnegative=True)
    excess = sp.expand((one + other) ** 2 - (one**2 + other**2))  # entry by entry: the products of pairs
    squares, pairs = one**2, sp.Symbol("pairs", nonnegative=True)  # |r|^2, eps^2 - |r|^2
    cosine = squares / (squares + squares + pairs)
    return bool(excess.is_nonnegative) and sp.factor(sp.together(sp.Rational(1, 2) - cosine)).is_nonnegative is True


@statement.confirms(
    "P_perp of softmax - p and of the tail agree, for rational exponentials of the logits", instances="30 datasets"
)
def projected() -> bool:
    for seed in range(30):
        data = draw(seed, vocab_size=4, dim=2, contexts=3, sizes=[1, 2, 3])
        plain, tail = ([Fraction(0)] * (4 * data.dim) for _ in range(2))
        for j, (row, h) in enumerate(zip(data.probabilities, data.embeddings, strict=True)):
            powers = [Fraction(1 + (seed + 3 * j + v * v) % 7) for v in range(4)]  # e^logit
            total, inside = (sum((powers[z] for z in chosen), Fraction(0)) for chosen in (range(4), data.supports[j]))
            mass = (total - inside) / total
            for v in range(4):
                s = powers[v] / total
                rest = -mass * powers[v] / inside if row[v] else s
                for i, x in enumerate(h):
                    plain[v * data.dim + i] += data.weights[j] * (s - row[v]) * x
                    tail[v * data.dim + i] += data.weights[j] * rest * x
        if any(dot(basis, plain) != dot(basis, tail) for basis in data.complement):
            return False
    return True


@statement.confirms("1 - 2^-54 is 1 and 1 - 2^-53 is not, in the arithmetic of this machine", instances="2 numbers")
def on_this_machine() -> bool:
    return 1.0 - 2.0**-54 == 1.0 and 1.0 - 2.0**-53 != 1.0
