"""The transformer bigram sets off-diagonal keys and values to 0, which is not the same as masking them.

A zero key has score 0 and so the weight e^0 / Z with Z = e^(q_n . k_n) + (n - 1), which is not 0. One head gives

    out_n  =  e^(q_n . k_n) V_n / (e^(q_n . k_n) + n - 1),

a function of the own input x_n and of the position n alone, and so does every stack of layers. Masking gives V_n.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.myopic import attended, h, n, score, u, value, w, x
from ..kit.stacks import Stack
from ..statement import Statement

statement = Statement(
    "planning/bigram", source="FutureGPT2-public 22b86c1", verdict="proved", needs=["planning/forward-equality"]
)

own, out = sp.exp(score(n, w, h)), attended(sp.S.Zero, sp.S.Zero).doit()  # scores q . 0 and values 0


@statement.proves("the head is e^(q.k) V_n / (e^(q.k) + n - 1), for any number of positions")
def formula() -> bool:
    return is_zero(out - own * value(n, u, h) / (own + n - 1))


@statement.proves("the weights e^0 / Z and e^(q.k) / Z sum to 1, and each zeroed position has a positive one")
def weights() -> bool:
    total = own + n - 1
    zeroed, count = 1 / total, sp.Symbol("count", integer=True, nonnegative=True)  # n = 1 + count
    return is_zero(own / total + (n - 1) * zeroed - 1) and bool(zeroed.subs(n, 1 + count).is_positive)


@statement.proves("no past input occurs in it, also when its own state is itself any function of x_n and n (a stack)")
def own_input_only() -> bool:
    state = sp.Function("state")
    return out.free_symbols >= {h, n} and not out.has(x) and not out.subs(h, state(h, n)).has(x)


@statement.proves("the position counts: the output at n + 1 is smaller in size than at n for equal scores and values")
def position_counts() -> bool:
    e, v, count = sp.symbols("e v count", positive=True)
    size = e * v / (e + count)  # count = n - 1
    return sp.factor(size - size.subs(count, count + 1)).is_positive is True


@statement.proves("masking, a past weight of 0, gives V_n: different as soon as there is a past and V_n is not 0")
def not_masking() -> bool:
    e, v, past, weight, mixed = sp.symbols("e v past weight mixed", positive=True)
    # past scores tend to minus infinity: their exponentials, here weight * past, vanish
    masked = sp.limit((e * v + weight * mixed) / (e + weight * past), weight, 0)
    return is_zero(masked - v) and sp.factor(masked - e * v / (e + past)).is_positive is True


@statement.confirms(
    "stacked: the final state contains its own input and no other", instances="2 layers, 3 positions, any functions"
)
def stacked() -> bool:
    stack = Stack(2, 3, "zeroed")
    return all(
        state.free_symbols & set(stack.inputs) == {own}
        for state, own in zip(stack.states[2], stack.inputs, strict=True)
    )
