"""A draft is kept with probability beta = sum_x min(p(x), q(x)) = 1 - TV(p, q), TV the total variation sum |p - q| / 2.

The mean of beta over contexts is the acceptance rate alpha: the probability that a draft in a random context is kept.
"""

from __future__ import annotations

import sympy as sp

from ..kit.decoding import distance, generic_tokens, keep, law, smaller, table, verify
from ..kit.generic import split
from ..statement import Statement

statement = Statement("speculative/acceptance-rate", source="2211.17192", verdict="proved")


@statement.proves("token by token: q min(1, p / q) = min(p, q), the probability that it is drafted and kept")
def kept() -> bool:
    drafted = [(p, q) for p, q in generic_tokens() if q != 0]
    return all(sp.cancel(q * keep(p, q) - smaller(p, q)) == 0 for p, q in drafted)


@statement.proves("token by token: min(p, q) = (p + q - |p - q|) / 2, in either order of p and q")
def half_sum() -> bool:
    return all(sp.expand(smaller(p, q) - (p + q - sp.Abs(p - q)) / 2) == 0 for p, q in generic_tokens())


@statement.proves("summed over a vocabulary of any size: beta = 1 - TV")
def summed() -> bool:
    x, V = sp.symbols("x V", integer=True, positive=True)
    p, q = sp.IndexedBase("p"), sp.IndexedBase("q")
    gap = sp.Sum(sp.Abs(p[x] - q[x]), (x, 1, V))
    total = split(sp.Sum((p[x] + q[x] - sp.Abs(p[x] - q[x])) / 2, (x, 1, V)))
    total = total.subs({sp.Sum(p[x], (x, 1, V)): 1, sp.Sum(q[x], (x, 1, V)): 1})
    return bool(sp.expand(total - (1 - gap / 2)) == 0)


@statement.proves("over contexts c of weights w_c: sum_c sum_x w_c q_c min(1, p_c / q_c) = sum_c w_c beta_c = alpha")
def mean() -> bool:
    x, c, V, C = sp.symbols("x c V C", integer=True, positive=True)
    w, kept = sp.IndexedBase("w"), sp.IndexedBase("m")
    both = split(sp.Sum(w[c] * kept[c, x], (x, 1, V), (c, 1, C)))
    beta = sp.Sum(kept[c, x], (x, 1, V))
    return bool(both == sp.Sum(w[c] * beta, (c, 1, C)))


@statement.confirms("the branches that keep the draft weigh 1 - TV", instances="20 pairs of rational laws, V = 4")
def enumerated() -> bool:
    def exact(seed: int) -> bool:
        p, q = table(seed, 4, 1)(()), table(seed + 100, 4, 1)(())
        found = law(lambda choose: verify(choose, p, q, choose(q))[0])
        return bool(found[True] == 1 - distance(dict(enumerate(p)), dict(enumerate(q))))

    return all(exact(seed) for seed in range(20))
