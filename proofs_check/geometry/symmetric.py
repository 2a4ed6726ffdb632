"""Printed: if all supports have one size k, the max-margin logits are the centred supports S~. Not in general.

    S~[z, j] = 1 - k / V  on the support of context j,   S~[v, j] = -k / V  off it.

With V = 5 and the supports {0, 1}, {0, 2}, {3, 4} there are feasible logits (equal on each support, at least 1 larger
than off it) with a nuclear norm below that of S~: 2.9487 against 2.9659. Repaired: with all the supports of k of V
tokens, each once, S~ has the smallest nuclear norm, and

    S~ S~' = binom(V - 2, k - 1) (1 - J / V),    ||S~||_* = (V - 1) sqrt(binom(V - 2, k - 1)),    J the all-ones matrix.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.spectra import nuclear_norm
from ..statement import Statement

statement = Statement(
    "geometry/symmetric",
    source="2408.15417 (as recalled), derived",
    verdict="refuted as written",
    repair="proved",
    needs=["geometry/svd-certificate"],
)

V, k, c = sp.symbols("V k c", positive=True)
HIT, MISS = 1 - k / V, -k / V


def centred(vocab_size: int, supports: Sequence[tuple[int, ...]]) -> sp.Matrix:
    """S~, one column a support."""
    share = [sp.Rational(len(support), vocab_size) for support in supports]
    return sp.Matrix(vocab_size, len(supports), lambda v, j: int(v in supports[j]) - share[j])


@statement.refutes(
    "V = 5, three supports of 2 tokens: a feasible L with a smaller nuclear norm, by isolated eigenvalues"
)
def counterexample() -> bool:
    supports = [(0, 1), (0, 2), (3, 4)]
    theirs = centred(5, supports)
    # token 0 of the third context is lowered, and the column centred again
    lower = sp.Matrix(5, 3, lambda v, j: int(j == 2) * (sp.Rational(1, 5) - int(v == 0)))
    ours = theirs + sp.Rational(3, 10) * lower
    feasible = all(
        ours[z, j] - ours[v, j] >= 1 if v not in support else ours[z, j] == ours[v, j]
        for j, support in enumerate(supports)
        for z in support
        for v in range(5)
    )
    small, large = nuclear_norm(ours), nuclear_norm(theirs)
    return bool(feasible and small.b < 2.94871 and large.a > 2.9659)


@statement.proves(
    "S~ S~': of all supports of size k, c = binom(V - 2, k - 1) hold one of two tokens and not the other, "
    "c (k - 1) / (V - k) hold both, c (V - k - 1) / k neither; the entries are those of c (1 - J / V), for all V and k"
)
def gram() -> bool:
    both, neither = c * (k - 1) / (V - k), c * (V - k - 1) / k
    counted = {
        both: sp.binomial(V - 2, k - 2),
        neither: sp.binomial(V - 2, k),
    }
    counts = all(
        sp.gammasimp(sp.combsimp((count.subs(c, 1) - exact / sp.binomial(V - 2, k - 1)).rewrite(sp.gamma))) == 0
        for count, exact in counted.items()
    )
    diagonal = (both + c) * HIT**2 + (c + neither) * MISS**2
    off_diagonal = both * HIT**2 + 2 * c * HIT * MISS + neither * MISS**2
    return counts and is_zero(diagonal - c * (1 - 1 / V)) and is_zero(off_diagonal + c / V)


@statement.proves(
    "1 - J / V is a projection of rank V - 1, so S~ / sqrt c is the U T' of S~, and its entries off the supports are "
    "negative: geometry/svd-certificate applies; the norm is (V - 1) sqrt c"
)
def certificate() -> bool:
    J = sp.Symbol("J")  # J^2 = V J, and the trace of J is V
    centring = 1 - J / V
    idempotent = is_zero(sp.rem(sp.expand(centring**2), J**2 - V * J, J) - centring)
    # The rank of a projection is its trace. (S~ / sqrt c)(S~ / sqrt c)' is that projection: S~ = sqrt c U T'.
    trace = centring.coeff(J, 0) * V + centring.coeff(J, 1) * V
    return idempotent and is_zero(trace - (V - 1)) and (MISS / sp.sqrt(c)).is_negative is True


@statement.confirms("the identity in integers", instances="all 0 < k < V <= 6")
def enumerated() -> bool:
    for size in range(2, 7):
        for chosen in range(1, size):
            matrix = centred(size, list(itertools.combinations(range(size), chosen)))
            projection = sp.eye(size) - sp.ones(size, size) / size
            if matrix * matrix.T != sp.binomial(size - 2, chosen - 1) * projection:
                return False
    return True
