"""Printed: with trunk output z the loss is - sum_t log P(x_(t+1..t+n) | z) * P(z | x_(1..t)), a product.

The logarithm of a product, a sum of logarithms, was meant.

With P(x|z) = P(z|x) = 1/2 the printed expression is (1/2) log(1/2), the logarithm of the joint probability 2 log(1/2).
Repaired: log(P(x|z) P(z|x)) = log P(x|z) + log P(z|x). The trunk is deterministic, so P(z|x) = 1: then both readings
are log P(x|z), and the loss is that of `multitoken/loss`.
"""

from __future__ import annotations

import sympy as sp

from ..statement import Statement

statement = Statement(
    "multitoken/erratum-factorisation",
    source="2404.19737 Sec. 2",
    verdict="refuted as written",
    repair="proved",
    needs=["multitoken/loss"],
)

head, trunk = sp.symbols("P c", positive=True)  # P(x|z) and P(z|x)


@statement.refutes(
    "P(x|z) = P(z|x) = 1/2: the printed product is log(1/2) / 2, the logarithm of the product 2 log(1/2)"
)
def counterexample() -> bool:
    half = sp.Rational(1, 2)
    printed, meant = sp.log(half) * half, sp.log(half * half)
    return bool(printed == -sp.log(2) / 2 and sp.expand_log(meant) == -2 * sp.log(2))


@statement.proves("repaired: the logarithm of the product is the sum of logarithms")
def repaired() -> bool:
    return bool(sp.expand_log(sp.log(head * trunk)) == sp.log(head) + sp.log(trunk))


@statement.proves("at P(z|x) = 1 printed and repaired forms are both log P(x|z)")
def deterministic() -> bool:
    printed, meant = sp.log(head) * trunk, sp.log(head * trunk)
    return bool(printed.subs(trunk, 1) == meant.subs(trunk, 1) == sp.log(head))
