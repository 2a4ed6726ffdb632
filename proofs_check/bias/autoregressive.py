"""Printed: among prefixes as contexts, longer ones are no more (m_1 >= m_2 >= ..) and no less certain. Both fail.

The loss has the same form, with one context for each distinct prefix; m_t is the number of distinct prefixes of length
t and H_t the entropy of the next token given its prefix of length t. The strings abc, abd, aec, aed have m_1 = 1 and
m_2 = 2; abc, abd have H_1 = 0 and H_2 = log 2, against H_t >= H_{t+1}. Repaired: m_{t+1} >= m_t always; and
H_t >= H_{t+1} for a stationary process, since conditioning on more lowers an entropy.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import sympy as sp

from ..kit.algebra import entropy, is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "bias/autoregressive",
    source="2402.18551 App. C",
    verdict="refuted as written",
    repair="proved",
    needs=["bias/loss", "bias/entropy-floor"],
)


def prefixes(strings: tuple[str, ...], length: int) -> int:
    """m_t."""
    return len({s[:length] for s in strings})


def conditional_entropy(strings: tuple[str, ...], length: int) -> sp.Expr:
    """H_t, of the token after a prefix of this length."""
    total = sp.Integer(0)
    for prefix, count in Counter(s[:length] for s in strings).items():
        tokens = Counter(s[length] for s in strings if s[:length] == prefix)
        total += sp.Rational(count, len(strings)) * entropy([sp.Rational(c, count) for c in tokens.values()])
    return total


@statement.refutes("abc, abd, aec, aed: m_1 = 1 and m_2 = 2")
def more_prefixes() -> bool:
    strings = ("abc", "abd", "aec", "aed")
    return [prefixes(strings, t) for t in (1, 2)] == [1, 2]


@statement.refutes("abc, abd: H_1 = 0 and H_2 = log 2")
def less_certain() -> bool:
    strings = ("abc", "abd")
    return [sp.expand_log(conditional_entropy(strings, t)) for t in (1, 2)] == [0, sp.log(2)]


@statement.proves(
    "same form: the sum over strings and positions is one over (prefix, token) pairs, met in all c times: weights c / n"
)
def same_form() -> bool:
    x, y = (sp.Function(name, integer=True)(sp.Symbol("i"), sp.Symbol("t")) for name in "xy")
    j, z = sp.symbols("j z", integer=True)
    term = sp.IndexedBase("term")
    hit = sp.KroneckerDelta(x, j) * sp.KroneckerDelta(y, z)  # prefix t of string i is context j, then comes z
    one = sp.Sum(sp.Sum(hit * term[j, z], (z, -sp.oo, sp.oo)).doit(), (j, -sp.oo, sp.oo)).doit()
    return bool(one == term[x, y])


@statement.proves(
    "m_{t+1} - m_t is the sum over prefixes of length t of their different next tokens less 1, each at least 0"
)
def onto() -> bool:
    a, m = sp.symbols("a m", integer=True, positive=True)
    children = sp.IndexedBase("c")
    counted = split(sp.Sum(children[a], (a, 1, m))) - m
    extra = sp.Symbol("extra", nonnegative=True)  # a prefix that goes on has 1 + extra next tokens
    return is_zero(counted - split(sp.Sum(children[a] - 1, (a, 1, m)))) and bool(((1 + extra) - 1).is_nonnegative)


@statement.proves(
    "stationary: with x the first token, u the t next and y the one after, H(y | u) - H(y | x, u) is the sum of "
    "p(x, u, y) log(p(y | x, u) / p(y | u)) >= sum p(x, u, y) - p(x, u) p(y | u) = 1 - 1, as log r >= 1 - 1/r"
)
def conditioning() -> bool:
    r, pxu, py, pyu = sp.symbols("r pxu py pyu", positive=True)  # p(x, u), p(y | x, u), p(y | u)
    gap = sp.log(r) - 1 + 1 / r
    tangent = sp.solve(sp.diff(gap, r), r) == [1] and gap.subs(r, 1) == 0 and sp.diff(gap, r, 2).subs(r, 1) > 0
    term = pxu * py * (1 - 1 / (py / pyu))
    y, V = sp.symbols("y V", integer=True, positive=True)
    after = sp.IndexedBase("q")  # both conditional distributions sum to 1 over the next token
    summed = split(sp.Sum(pxu * after[y], (y, 1, V))).subs(sp.Sum(after[y], (y, 1, V)), 1)
    return bool(tangent) and is_zero(term - (pxu * py - pxu * pyu)) and summed == pxu


@statement.confirms(
    "m_2 >= m_1 for every non-empty set of strings", instances="all sets of strings of length 3 over {a, b}"
)
def all_sets() -> bool:
    words = ["".join(w) for w in product("ab", repeat=3)]
    sets = [s for size in range(1, 9) for s in combinations(words, size)]
    return len(sets) == 255 and all(prefixes(s, 1) <= prefixes(s, 2) <= prefixes(s, 3) for s in sets)
