"""With a second head h that is not the marginal of the chain q(x) q(y|x), Lemma L.3 fails by H(p_Y, h) - H(p_Y, q_Y).

Left: the heads' losses H(p_X, q_X) + H(p_Y, h). Right: H(p_(X|Y), q_(X|Y)) + 2 I + H(p_(Y|X), q_(Y|X)), conditionals of
the chain. With I formed from the chain's own marginals, left minus right is + [H(p_Y, h) - H(p_Y, q_Y)]; with h in
place of q_Y in I it is - [H(p_Y, h) - H(p_Y, q_Y)]. It is 0 in both if h = q_Y. H is the cross-entropy.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("multitoken/chain-residual", source="derived", verdict="proved", needs=["multitoken/lemma-L3"])

# At one pair: the chain's q(x), q(y|x) and q_Y(y), and the head h(y).
q_x, step, q_y, h = sp.symbols("q_x q_step q_y h", positive=True)
chain = q_x * step
left = -sp.log(q_x) - sp.log(h)


def right(second: sp.Expr) -> sp.Expr:
    """The right side with ``second`` as the law of Y in the relative mutual information."""
    information = sp.log(chain / (q_x * second))
    return -sp.log(chain / q_y) + 2 * information - sp.log(chain / q_x)


residual = -sp.log(h) + sp.log(q_y)


@statement.proves("I from the chain's marginals: left - right = -log h + log q_y at every pair")
def own_marginals() -> bool:
    return is_zero(left - right(q_y) - residual)


@statement.proves("I with h in place of q_y: left - right = -(-log h + log q_y) at every pair")
def with_the_head() -> bool:
    return is_zero(left - right(h) + residual)


@statement.proves(
    "the mean over pairs of a function of y is its mean under p_Y: it is H(p_Y, h) - H(p_Y, q_Y), any sizes"
)
def mean() -> bool:
    x, y, n, m = sp.symbols("x y n m", integer=True, positive=True)
    p, f = sp.IndexedBase("p"), sp.IndexedBase("f")
    over_pairs = split(sp.Sum(p[x, y] * f[y], (x, 1, n), (y, 1, m)))
    return bool(over_pairs == sp.Sum(sp.Sum(p[x, y], (x, 1, n)) * f[y], (y, 1, m)))


@statement.proves("h = q_Y: no residual")
def consistent() -> bool:
    return is_zero(residual.subs(h, q_y)) and not is_zero(residual)
