"""Multiplication data x*y=xy with reversed, zero-padded digits can be read back: the text determines x, y and x y.

A number is written with its P lowest digits, units first; digits are read back by x = d_0 + 10 (d_1 + 10 (d_2 + ..)).
Both factors are padded to P digits, and a product of factors below 10^P is below 10^(2P), so 2P digits hold it.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement("planning/multiplication", source="FutureGPT2-public notebook", verdict="proved")


def write(number: int, digits: int) -> str:
    """Units first, padded with zeros."""
    return "".join(str(number // 10**k % 10) for k in range(digits))


def read(word: str) -> int:
    """The number of a word."""
    number = 0
    for digit in reversed(word):
        number = 10 * number + int(digit)
    return number


@statement.proves(
    "one digit: q = 10 a + r with r in 0..9 has the unit r and the rest a, so writing r and then a with one digit "
    "less, and reading r + 10 a, returns q; with no digits left a number below 10^0 is 0: induction on the number "
    "of digits"
)
def one_digit() -> bool:
    a = sp.Symbol("a", integer=True, nonnegative=True)
    rest = all(sp.floor((10 * a + r) / sp.Integer(10)) == a for r in range(10))
    unit = all(sp.simplify(sp.Mod(10 * a + r, 10)) == r for r in range(10))
    return rest and unit and write(0, 0) == "" and read("") == 0


@statement.proves("a number below 10^(P+1) leaves a rest below 10^P: 10 a + r < 10^(P+1) with r >= 0 gives a < 10^P")
def sizes() -> bool:
    power, more = sp.symbols("power more", integer=True, nonnegative=True)  # a = power + more >= 10^P = power
    return (10 * (power + more) - 10 * power).is_nonnegative is True


@statement.proves("a product of factors below 10^P is at most (10^P - 1)^2 < 10^(2P)")
def product_fits() -> bool:
    count = sp.Symbol("count", integer=True, positive=True)  # P
    room = sp.expand(10 ** (2 * count) - (10**count - 1) ** 2)
    lower = sp.Symbol("lower", nonnegative=True)  # 10^P = 1 + lower
    return is_zero(room - (2 * 10**count - 1)) and (2 * (1 + lower) - 1).is_positive is True


@statement.proves("the marks * and = are no digits, so a text has one of each and splits into its three words")
def splits() -> bool:
    return not set("*=") & set("0123456789") and all(write(d, 1) in set("0123456789") for d in range(10))


@statement.confirms("whole texts are read back", instances="765 pairs of factors below 100, P = 2, 3, 5")
def texts() -> bool:
    for pad in (2, 3, 5):
        for x in range(100):
            for y in range(x, 100, 7):
                line = f"{write(x, pad)}*{write(y, pad)}={write(x * y, 2 * pad)}"
                left, answer = line.split("=")
                if [read(word) for word in (*left.split("*"), answer)] != [x, y, x * y] or len(line) != 4 * pad + 2:
                    return False
    return True
