"""Identities between real matrices of any size: letters that do not commute, products rewritten by rules, traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import sympy as sp

__all__ = ["diagonals", "matrices", "transpose", "vanishes"]

Word = tuple[sp.Expr, ...]


def matrices(names: str) -> list[sp.Symbol]:
    """One letter a name, each a matrix of any shape."""
    return [sp.Symbol(name, commutative=False) for name in names.split()]


def diagonals(names: str) -> list[sp.Symbol]:
    """Letters for diagonal matrices of one size: equal to their transposes, and they commute with each other."""
    return [sp.Symbol(name, commutative=False, hermitian=True) for name in names.split()]


def transpose(expression: sp.Expr) -> sp.Expr:
    """The transpose."""
    return sp.adjoint(sp.expand(expression))


def vanishes(expression: sp.Expr, rules: Mapping[sp.Expr, sp.Expr] | None = None, *, trace: bool = False) -> bool:
    """Whether an expression, or its trace, is 0 for all matrices that obey the rules "product: what it equals".

    Products that occur on the left of a rule are replaced until none is left. A trace does not change when a factor
    moves from the end to the front, nor under transposition. True is a proof; False may mean that rules are missing.

    Examples
    --------
    >>> (U, X), one = matrices("U X"), sp.S.One
    >>> orthonormal = {transpose(U) * U: one}
    >>> vanishes((U * transpose(U)) ** 2 - U * transpose(U), orthonormal), vanishes(U * transpose(U) - 1, orthonormal)
    (True, False)
    >>> vanishes(X * U - U * X), vanishes(X * U - U * X, trace=True)
    (False, True)
    """
    left = {_words(product).popitem()[0]: value for product, value in (rules or {}).items()}
    todo, total = _words(expression), Counter[Word]()
    while todo:
        word, factor = todo.popitem()
        turns = _turns(word) if trace else [word]
        for start in turns:
            new = _replaced(start, left)
            if new is not None:
                break
        if new is None:
            total[_canonical(word, trace)] += factor
        else:
            for other, value in _words(new).items():
                todo[other] = todo.get(other, 0) + factor * value
    return all(sp.expand(factor) == 0 for factor in total.values())


def _words(expression: sp.Expr) -> dict[Word, sp.Expr]:
    """Coefficients of the words of an expression."""
    found: dict[Word, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(expression)):
        factors, letters = term.args_cnc()
        word: Word = ()
        for letter in letters:
            base, power = letter.as_base_exp()
            word += sp.Mul.make_args(base) * int(power)
        word = _sorted(word)
        found[word] = found.get(word, 0) + sp.Mul(*factors)
    return found


def _replaced(word: Word, left: Mapping[Word, sp.Expr]) -> sp.Expr | None:
    for product, value in left.items():
        for i in range(len(word) - len(product) + 1):
            if word[i : i + len(product)] == product:
                return sp.Mul(*word[:i]) * value * sp.Mul(*word[i + len(product) :])
    return None


def _sorted(word: Word) -> Word:
    """Neighbouring diagonal letters in the order of their names."""
    letters, moved = list(word), True
    while moved:
        moved = False
        for i in range(len(letters) - 1):
            a, b = letters[i : i + 2]
            if a.is_hermitian and b.is_hermitian and str(a) > str(b):
                letters[i : i + 2], moved = [b, a], True
    return tuple(letters)


def _canonical(word: Word, trace: bool) -> Word:
    if not trace:
        return word
    transposed = tuple(sp.adjoint(letter) for letter in reversed(word))
    return min(_turns(word) + _turns(transposed), key=str)


def _turns(word: Word) -> list[Word]:
    """The words of equal trace, by moving factors from the front to the end."""
    return [_sorted(word[i:] + word[:i]) for i in range(max(1, len(word)))]
