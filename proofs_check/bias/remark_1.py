"""With one next token a context: H = 0, the subspace F is trivial, and separability is that of multiclass data.

For V = 2 and m contexts in general position, with random tokens, the data is separable with probability w(m, d) =
2^(1-m) sum_{i<d} C(m-1, i) (Cover), which is 1/2 at m = 2d for every d; along d = r m it tends to 1 if r > 1/2 and to
0 if r < 1/2. Thresholds for NTP-separability beyond this case are stated as open; that is no claim.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import entropy, is_zero
from ..kit.data import draw
from ..statement import Statement

statement = Statement(
    "bias/remark-1",
    source="2402.18551 Remark 1",
    verdict="proved",
    needs=["bias/definition-2", "bias/data-subspace", "bias/one-hot", "classical/cover-wendel"],
    known=["the binomial theorem"],
)

n, d = sp.symbols("n d", integer=True, positive=True)
m, r = sp.symbols("m r", positive=True)


@statement.proves(
    "one token has probability 1 and entropy 0; S = 1 leaves S (S - 1) = 0 generators of F and V - 1 inequalities"
)
def one_token() -> bool:
    S, V = sp.symbols("S V")
    (p,) = sp.solve(sp.Eq(sp.Symbol("p"), 1))
    return entropy([p]) == 0 and [x.subs(S, 1) for x in (S * (S - 1), V - S)] == [0, V - 1]


@statement.proves(
    "V = 2: the tokens' conditions are (w_1 - w_2).h >= 1 and <= -1, a half-space through 0 as in Cover's count"
)
def binary() -> bool:
    w1, w2, h = sp.symbols("w1 w2 h", real=True)
    return is_zero((w1 - w2) * h + (w2 - w1) * h) and is_zero(((w1 - w2) * h).subs({w1: w2}))


@statement.proves("w(2d, d) = 1/2 for every d: C(n, i) = C(n, n - i), n = 2d - 1, so the terms i < d are half of 2^n")
def middle() -> bool:
    k = sp.Symbol("k", integer=True, nonnegative=True)
    symmetric = sp.gammasimp((sp.binomial(n, k) / sp.binomial(n, n - k)).rewrite(sp.gamma)) == 1
    total = sp.summation(sp.binomial(n, k), (k, 0, n)) == 2**n
    # i < d is mirrored on i > n - d = d - 1, so on all the others
    mirrored = sp.expand((n - (d - 1)).subs(n, 2 * d - 1) - d) == 0
    half = sp.simplify(2 ** (1 - 2 * d) * 2 ** (2 * d - 1) / 2)
    return bool(symmetric and total and mirrored and half == sp.Rational(1, 2))


@statement.proves(
    "w(m, d) = P(X < d), X the heads among n = m - 1 fair coins: mean n/2 and variance n/4, by ((1 + t)/2)^n"
)
def moments() -> bool:
    t = sp.Symbol("t", positive=True)
    heads = ((1 + t) / 2) ** n
    mean = sp.diff(heads, t).subs(t, 1)
    second = sp.diff(t * sp.diff(heads, t), t).subs(t, 1)
    return is_zero(sp.simplify(mean) - n / 2) and is_zero(sp.simplify(second - mean**2) - n / 4)


@statement.proves(
    "Chebyshev: X is further than |d - n/2| from its mean with probability at most n / (4 (d - n/2)^2), and 0 in "
    "the limit"
)
def threshold() -> bool:
    bound = (n / (4 * (d - n / 2) ** 2)).subs(n, m - 1).subs(d, r * m)
    c = sp.Symbol("c", positive=True)
    above = sp.Symbol("above", nonnegative=True)
    # [|x| >= c] <= x^2 / c^2, where |x| = c + above
    chebyshev = sp.expand(((c + above) ** 2 - c**2) / c**2).is_nonnegative
    side = sp.Symbol("e", positive=True)
    limits = [sp.limit(bound.subs(r, sp.Rational(1, 2) + sign * side), m, sp.oo) for sign in (1, -1)]
    return bool(chebyshev) and limits == [0, 0]


@statement.confirms("F has dimension 0 and H is 0 for one-hot data", instances="20 rational datasets")
def instances() -> bool:
    sets = [draw(seed, vocab_size=4, dim=3, contexts=4, sizes=[1]) for seed in range(20)]
    return all(data.dim_subspace == 0 and data.entropy == 0 for data in sets)
