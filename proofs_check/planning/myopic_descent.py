"""Myopic descent is gradient descent without the off-diagonal terms; myopic attention computes exactly that gradient.

Position n reads keys and values that position i made from its input x_i. Give position i its own copy of the weights
w_K, w_V with which they are made. The diagonal part of the gradient at n is the derivative in the copy of position n
and in its own input h, the past held fixed. Then

* blocking keys and values (variant 2) gives this diagonal part: w_K, w_V belong to the position that makes the key;
* blocking hidden states (variant 1) gives it too if w_K, w_V belong to the reader n, whose copy then makes all keys it
  reads; the two readings differ in these two weights alone.

In both, d l_n / d x_i = 0 for i < n. Any number of positions, any differentiable scores and values.
"""

from __future__ import annotations

import sympy as sp

from ..kit.myopic import attend, equated, h, p, past_u, past_w, same, sg_u, sg_w, sg_x, u, w, x
from ..statement import Statement

statement = Statement(
    "planning/myopic-descent", source="2404.00859 (secondary)", verdict="proved", needs=["planning/gradient-split"]
)

m = sp.Symbol("m", integer=True, positive=True)
plain = attend(w, u, x)
writers = attend(past_w, past_u, x)  # the copies of the past positions made the past keys and values
blocked = {"hidden states": attend(w, u, sg_x), "keys and values": attend(sg_w, sg_u, sg_x)}
own_copy = (w, u)


@statement.proves("variant 2 is the diagonal part if w_K, w_V belong to the position that makes keys and values")
def second_variant() -> bool:
    diagonal = [equated(sp.diff(writers, weight)) for weight in (*own_copy, h, p)]
    myopic = [equated(sp.diff(blocked["keys and values"], weight)) for weight in (*own_copy, h, p)]
    return all(same(a, b) for a, b in zip(diagonal, myopic, strict=True))


@statement.proves("variant 1 is the diagonal part if w_K, w_V belong to the reader, whose copy makes all it reads")
def first_variant() -> bool:
    # the reader's copy is w, u throughout; what belongs to other positions is their inputs, held fixed
    reader = attend(w, u, x)
    return all(
        same(equated(sp.diff(blocked["hidden states"], weight)), sp.diff(reader, weight))
        for weight in (*own_copy, h, p)
    )


@statement.proves("diagonal and off-diagonal parts of w_K and of w_V add up to the gradient of plain attention")
def whole() -> bool:
    parts = [
        equated(sp.diff(writers, own)) + equated(sp.diff(writers, past)) for own, past in ((w, past_w), (u, past_u))
    ]
    return all(same(part, sp.diff(plain, weight)) for part, weight in zip(parts, own_copy, strict=True))


@statement.proves("neither variant has a derivative in a past input x_m, plain attention has one")
def past_inputs() -> bool:
    zero = all(sp.diff(variant, x[m]) == 0 for variant in blocked.values())
    return zero and not same(sp.diff(plain, x[m]), sp.S.Zero)


@statement.proves("the two readings agree in the own input h and the query's weight, and differ in w_K and in w_V")
def readings() -> bool:
    first, second = blocked.values()
    agree = [same(equated(sp.diff(first, s)), equated(sp.diff(second, s))) for s in (h, p, *own_copy)]
    return agree == [True, True, False, False]
