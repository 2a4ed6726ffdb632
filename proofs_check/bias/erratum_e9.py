"""Printed: the numbers m_t of distinct prefixes of length t satisfy m_1 >= m_2 >= ... The order is reversed.

The strings abc, abd, aec, aed have one prefix of length 1 and two of length 2. Repaired: m_t <= m_{t+1} for every set
of strings, because cutting off the last letter maps the prefixes of length t + 1 onto those of length t.
"""

from __future__ import annotations

import itertools

import sympy as sp

from ..statement import Statement

statement = Statement(
    "bias/erratum-E9", source="2402.18551 App. C", verdict="refuted as written", repair="proved", needs=[]
)


def prefixes(strings: tuple[str, ...], length: int) -> set[str]:
    """The distinct ones."""
    return {string[:length] for string in strings}


def agreement(string: str, others: tuple[str, ...]) -> int:
    """The greatest number of first letters that the string shares with one of the others; -1 if there are none."""
    return max((sum(string[: i + 1] == o[: i + 1] for i in range(len(string))) for o in others), default=-1)


@statement.refutes("abc, abd, aec, aed: m_1 = 1 < 2 = m_2")
def counterexample() -> bool:
    strings = ("abc", "abd", "aec", "aed")
    return len(prefixes(strings, 1)) == 1 and len(prefixes(strings, 2)) == 2


@statement.proves(
    "string by string: a new string adds a prefix of length t if and only if it agrees with the earlier ones in l < t "
    "letters at most; then l < t + 1 too, so m_{t+1} grows whenever m_t does"
)
def induction() -> bool:
    agreed, beyond = sp.Symbol("l", integer=True), sp.Symbol("beyond", integer=True, positive=True)
    t = agreed + beyond  # any t > l
    return bool(((t + 1) - agreed).is_positive)


@statement.confirms(
    "m_t is the number of strings with agreement < t, and m_1 <= m_2 <= m_3",
    instances="all 2^8 - 1 sets of strings of length 3 on two letters",
)
def all_small_sets() -> bool:
    every = ["".join(letters) for letters in itertools.product("ab", repeat=3)]
    for size in range(1, len(every) + 1):
        for strings in itertools.combinations(every, size):
            numbers = [len(prefixes(strings, t)) for t in (1, 2, 3)]
            agreements = [agreement(string, strings[:i]) for i, string in enumerate(strings)]
            counted = [sum(a < t for a in agreements) for t in (1, 2, 3)]
            if numbers != counted or numbers != sorted(numbers):
                return False
    return True
