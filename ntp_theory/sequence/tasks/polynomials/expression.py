"""One expression as a Python object: its text in brackets, its value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import DatasetError
from .ring import OPERATORS, Coefficients, evaluate

__all__ = ["MOST_OPERATORS", "Expression"]

MOST_OPERATORS = 100
"""Of an expression that is read from a text or drawn; each may be an operand of the one before."""


@dataclass(frozen=True)
class Expression:
    """A polynomial, or an operator with its operands.

    Attributes
    ----------
    symbol : str
        ``-``, ``+``, ``*``, ``o`` (composition: the first operand is the outer polynomial); empty for a polynomial.
    operands : tuple of Expression
        One for ``-``, two for the others.
    coefficients : tuple of int
        Of a polynomial, 0 to 9, the constant term first.

    Raises
    ------
    DatasetError
        If there is no such operator, or it has another number of operands; or a coefficient is no digit.

    Notes
    -----
    Source: 2404.19737 Sec. 4.2 (`multitoken/arithmetic`); the texts are ours, the paper shows none.

    Examples
    --------
    >>> found = Expression.parse("(-12+(34*10))")
    >>> found.num_operators, found.value(7)
    (3, (2, 2))
    """

    symbol: str
    operands: tuple[Expression, ...] = ()
    coefficients: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.symbol and (len(self.operands) != OPERATORS.get(self.symbol) or self.coefficients):
            raise DatasetError(
                f"expression has symbol {self.symbol!r}, {len(self.operands)} operands and coefficients "
                f"{self.coefficients}; - has one operand, + * o have two, and they have no coefficients"
            )
        if not self.symbol and (self.operands or not self.coefficients or not set(self.coefficients) <= set(range(10))):
            raise DatasetError(
                f"expression has coefficients {self.coefficients} and {len(self.operands)} operands; a polynomial has "
                "coefficients from 0 to 9 and no operands"
            )

    @property
    def num_operators(self) -> int:
        """m."""
        return bool(self.symbol) + sum(part.num_operators for part in self.operands)

    @property
    def polynomials(self) -> tuple[tuple[int, ...], ...]:
        """The coefficients of all polynomials in it, from left to right."""
        if not self.symbol:
            return (self.coefficients,)
        return tuple(found for part in self.operands for found in part.polynomials)

    def format(self) -> str:
        """The text; brackets around every operator with two operands, so that it can be read in one way only."""
        parts = [part.format() for part in self.operands]
        if not parts:
            return "".join(map(str, self.coefficients))
        return f"({parts[0]}{self.symbol}{parts[1]})" if len(parts) == 2 else self.symbol + parts[0]

    @staticmethod
    def parse(text: str) -> Expression:
        """Read such a text; spaces do not count.

        Raises
        ------
        DatasetError
            If it is no such text, the message says where; or has too many operators.

        Examples
        --------
        >>> Expression.parse("( 10 o -01 )").format()
        '(10o-01)'
        """
        packed = "".join(text.split())
        operators = max(sum(map(packed.count, OPERATORS)), packed.count("("))
        if operators > MOST_OPERATORS:
            raise DatasetError(f"text has {operators} operators or brackets; it must have at most {MOST_OPERATORS}")
        found, end = _read(packed, 0)
        if end < len(packed):
            raise _unreadable(packed, end, "its end")
        return found

    def value(self, modulus: int) -> tuple[int, ...]:
        """The value in F_p[X]/(X^n): reduced at every operator, so that composition is of reduced polynomials."""
        return tuple(self._value(modulus).tolist())

    def _value(self, modulus: int) -> Coefficients:
        if not self.symbol:
            return np.array(self.coefficients, dtype=np.int64) % modulus
        return evaluate(self.symbol, tuple(part._value(modulus) for part in self.operands), modulus)


def _read(text: str, at: int) -> tuple[Expression, int]:
    """The expression that begins at a place, and where it ends."""
    here = text[at : at + 1]
    if here == "-":
        operand, at = _read(text, at + 1)
        return Expression("-", (operand,)), at
    if here == "(":
        first, at = _read(text, at + 1)
        symbol = text[at : at + 1]
        if OPERATORS.get(symbol) != 2:
            raise _unreadable(text, at, "one of + * o")
        second, at = _read(text, at + 1)
        if text[at : at + 1] != ")":
            raise _unreadable(text, at, "a closing bracket")
        return Expression(symbol, (first, second)), at + 1
    end = at
    while text[end : end + 1] in tuple("0123456789"):
        end += 1
    if end == at:
        raise _unreadable(text, at, "coefficients, a minus or a bracket")
    return Expression("", coefficients=tuple(map(int, text[at:end]))), end


def _unreadable(text: str, at: int, wanted: str) -> DatasetError:
    return DatasetError(f"text is {text!r}; at {at} it has {text[at : at + 1]!r} and must have {wanted}")
