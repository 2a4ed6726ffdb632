"""Three losses of multiclass classification have exponential tails: what holds for cross-entropy holds for them.

In the relative margins u_k = l_y - l_k of the other classes, from any number of classes,

    cross-entropy log(1 + sum e^-u_k),   exponential sum e^-u_k,   PairLogLoss sum log(1 + e^-u_k)

do not change when the classes are permuted, are convex and decreasing, and their slopes are exponential up to a factor:

    e^-u_k (1 - sum_i e^-u_i)  <=  -d loss / d u_k  <=  e^-u_k.

The paper (Ravi et al.) extends Soudry et al. to all losses of a class, PERM, with such a property; only its abstract is
at hand.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero, over_pairs
from ..statement import Statement

statement = Statement(
    "classical/perm",
    source="2411.01350",
    verdict="open: source incomplete",
    missing=(
        "the definition of the class of losses and the theorem's conditions on data and steps. Proved here: the three "
        "losses named in the abstract have the exponential tail on which the proof of classical/soudry rests"
    ),
    needs=["classical/soudry"],
    known=["a sum of convex functions is convex"],
)

# x = e^-u_k, r = the sum of e^-u_i over the other i, any number of them
x, y, r = sp.symbols("x y r", positive=True)
LOSSES = {"cross-entropy": sp.log(1 + x + r), "exponential": x + r, "pairs": sp.log(1 + x) + r}  # r: the other terms


def slope(loss: sp.Expr) -> sp.Expr:
    """-d loss / d u_k, by d x / d u_k = -x."""
    return sp.diff(loss, x) * x


@statement.proves("-d loss / d u_k lies between e^-u_k (1 - sum e^-u_i) and e^-u_k, and is positive")
def tails() -> bool:
    above = [sp.factor(x - slope(loss)).is_nonnegative for loss in LOSSES.values()]
    below = [sp.factor(sp.expand(sp.together(slope(loss) - x * (1 - x - r)))).is_positive for loss in LOSSES.values()]
    return all(above) and all(below) and all(bool(slope(loss).is_positive) for loss in LOSSES.values())


@statement.proves("in a second margin, e^-u = y, the value is the same with x and y exchanged")
def symmetric() -> bool:
    both = [sp.log(1 + x + y + r), x + y + r, sp.log(1 + x) + sp.log(1 + y) + r]
    return all(is_zero(loss - loss.subs({x: y, y: x}, simultaneous=True)) for loss in both)


@statement.proves("convex: along d the second derivative is a variance, a sum of e^-u d^2, a sum of s (1 - s) d^2")
def convex() -> bool:
    d = sp.Symbol("d", real=True)
    # cross-entropy: log of a sum of exponentials, a variance over classes, by pairs
    one, other, mean, square = sp.symbols("a b m1 m2")
    variance = is_zero(over_pairs((one - other) ** 2 / 2, one, other, [1, mean, square]) - (square - mean**2))
    u = sp.Symbol("u", real=True)
    power = is_zero(sp.diff(sp.exp(-(u + r * d)), r, 2) - d**2 * sp.exp(-(u + r * d)))
    share = 1 / (1 + sp.exp(u))
    pair = is_zero(sp.diff(sp.log(1 + sp.exp(-u)), u, 2) - share * (1 - share))
    return variance and power and pair


@statement.proves("at margins log k + O(1) these slopes are e^-u (1 + O(1/k)), as in the proof for cross-entropy")
def same_forces() -> bool:
    h, c, b = sp.symbols("h c b", positive=True)  # h = 1/k
    orders = [(slope(loss) - x).subs({x: c * h, r: b * h}) / h**2 for loss in LOSSES.values()]
    return all(sp.denom(sp.cancel(order)).subs(h, 0) != 0 for order in orders)
