"""Printed: "Shannon's inequality" H_t >= H_{t+1} for the entropy H_t of the next token after prefixes of length t.

The strings abc and abd have H_1 = 0 and H_2 = log 2. Repaired: it holds for a stationary process, where
H_t = H(X_{t+1} | X_1 .. X_t) equals H(X_{t+2} | X_2 .. X_{t+1}), and to condition on X_1 as well does not raise that.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import product

import sympy as sp

from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "bias/erratum-E10", source="2402.18551 Remark 2", verdict="refuted as written", repair="proved", needs=[]
)

Law = dict[str, Fraction]


def entropy(law: Law, length: int) -> sp.Expr:
    """Of the letter after the first ``length`` ones, given those."""
    longer, shorter = defaultdict[str, Fraction](Fraction), defaultdict[str, Fraction](Fraction)
    for string, chance in law.items():
        longer[string[: length + 1]] += chance
        shorter[string[:length]] += chance
    ratios = [(chance, chance / shorter[string[:-1]]) for string, chance in longer.items() if chance]
    return -sum(
        sp.Rational(a.numerator, a.denominator) * sp.log(sp.Rational(b.numerator, b.denominator)) for a, b in ratios
    )


@statement.refutes("abc and abd, equally often: H_1 = 0 < log 2 = H_2")
def counterexample() -> bool:
    law = {"abc": Fraction(1, 2), "abd": Fraction(1, 2)}
    return bool(entropy(law, 1) == 0 and sp.simplify(entropy(law, 2) - sp.log(2)) == 0)


@statement.proves(
    "one more condition: every term p(x,y) log(p(x,y)/(p(x) p(y))) is at least p(x,y) - p(x) p(y), as log u >= 1 - 1/u"
)
def term() -> bool:
    u, joint, x, y = sp.symbols("u joint x y", positive=True)
    f = sp.log(u) - 1 + 1 / u
    lowest = sp.solve(sp.diff(f, u), u)
    bound = sp.simplify((joint * (1 - 1 / u)).subs(u, joint / (x * y)) - (joint - x * y))
    return bool(lowest == [1] and f.subs(u, 1) == 0 and sp.diff(f, u, 2).subs(u, 1).is_positive and bound == 0)


@statement.proves(
    "these lower bounds sum to 1 - 1 = 0, for alphabets of any size; so H(Y) - H(Y|X) >= 0, given any past"
)
def total() -> bool:
    i, j, K, N = sp.symbols("i j K N", integer=True, positive=True)
    x, y = sp.IndexedBase("x"), sp.IndexedBase("y")
    apart = split(sp.Sum(sp.Sum(x[i] * y[j], (i, 1, K)), (j, 1, N)))
    both = sp.Sum(x[i], (i, 1, K)) * sp.Sum(y[j], (j, 1, N))
    masses = {sp.Sum(x[i], (i, 1, K)): sp.Integer(1), sp.Sum(y[j], (j, 1, N)): sp.Integer(1)}
    return bool(sp.expand(apart - both) == 0 and 1 - both.subs(masses) == 0)


@statement.confirms(
    "H_1 >= H_2 in a stationary process, and its first two and last two letters have one law",
    instances="a chain of two states with stationary start (2/5, 3/5), watched through the letters",
)
def stationary() -> bool:
    step = {"a": {"a": Fraction(1, 4), "b": Fraction(3, 4)}, "b": {"a": Fraction(1, 2), "b": Fraction(1, 2)}}
    start = {"a": Fraction(2, 5), "b": Fraction(3, 5)}
    law = {"".join(s): start[s[0]] * step[s[0]][s[1]] * step[s[1]][s[2]] for s in product("ab", repeat=3)}
    ends = [defaultdict[str, Fraction](Fraction), defaultdict[str, Fraction](Fraction)]
    for string, chance in law.items():
        ends[0][string[:2]] += chance
        ends[1][string[1:]] += chance
    return ends[0] == ends[1] and bool(sp.N(entropy(law, 1) - entropy(law, 2), 30) > -sp.Rational(1, 10**20))
