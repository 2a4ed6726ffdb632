"""Variant 1 blocks the hidden states of other positions: K' = W_K sg(x), V' = W_V sg(x), x the normalised layer input.

The gradient through a past input is then exactly 0, d l_n / d x_i = 0 for i < n, at the input of every layer; but W_K
and W_V, which belong to the reader, keep their whole gradient, the part through i < n included. sg is the identity in
value with derivative 0. Any number of positions and layers, any differentiable score, value, residual block and loss.
"""

from __future__ import annotations

import sympy as sp

from ..kit.myopic import as_printed, attend, equated, h, p, past_u, past_w, same, u, w, x
from ..kit.stacks import Stack
from ..statement import Statement

statement = Statement(
    "planning/cut-hidden-states",
    source="FutureGPT2-public 22b86c1",
    verdict="proved",
    needs=["planning/forward-equality"],
    known=["chain rule: the Jacobian of a stack is the product of the Jacobians of its layers"],
)

m = sp.Symbol("m", integer=True, positive=True)
myopic, plain = as_printed(w, u), attend(w, u, x)


@statement.proves("d out_n / d x_m = 0 for every past position m; the plain head depends on x_m")
def past_input() -> bool:
    return bool(sp.diff(myopic, x[m]) == 0) and not same(sp.diff(plain, x[m]), sp.S.Zero)


@statement.proves(
    "the own input and the query's weight keep the derivative of plain attention with the past held fixed"
)
def own_input() -> bool:
    return all(same(equated(sp.diff(myopic, s)), sp.diff(plain, s)) for s in (h, p))


@statement.proves("W_K and W_V keep their whole gradient: it equals that of plain attention")
def weights() -> bool:
    return all(same(equated(sp.diff(myopic, s)), sp.diff(plain, s)) for s in (w, u))


@statement.proves("and it has a part through i < n: the derivatives in copies of W_K, W_V for the past are not 0")
def through_the_past() -> bool:
    copies = attend(past_w, past_u, x)
    parts = [equated(sp.diff(copies, s)) for s in (past_w, past_u)]
    # an instance where they are numbers: two positions, score = weight * input (query 1), value = weight * input
    weight_k, weight_v = sp.symbols("weight_k weight_v")
    score_1, score_2 = 2 * weight_k, 3 * w
    out = (sp.exp(score_1) * 2 * weight_v + sp.exp(score_2) * 3 * u) / (sp.exp(score_1) + sp.exp(score_2))
    at = {weight_k: 0, w: 0, weight_v: 1, u: 1}
    numbers = [sp.diff(out, s).subs(at) for s in (weight_k, weight_v)]
    return not any(same(part, sp.S.Zero) for part in parts) and numbers == [sp.Rational(-1, 2), 1]


@statement.proves(
    "a layer out_n = G(h_n, attention) has a diagonal Jacobian in its inputs, the product of diagonal Jacobians is "
    "diagonal: so d l_n / d x_i = 0 for i < n at the input of every layer"
)
def layers() -> bool:
    j, k, q, size = sp.symbols("j k q size", integer=True, positive=True)
    block = sp.Function("G")
    off_diagonal = sp.diff(block(h, myopic), x[m])
    first, second, delta = sp.IndexedBase("first"), sp.IndexedBase("second"), sp.KroneckerDelta
    product = sp.Sum(second[j] * delta(j, k) * delta(k, q) * first[q], (k, 1, size)).doit()
    # off the diagonal: q = j + gap
    gap = sp.Symbol("gap", integer=True, positive=True)
    return (
        bool(off_diagonal == 0) and sp.simplify(product.subs(q, j + gap)) == 0 and sp.simplify(product.subs(q, j)) != 0
    )


@statement.confirms(
    "with norms before attention: a target's state contains no past residual in any layer, while the weights of "
    "keys and values are read at past positions too; plain stacks contain every past residual",
    instances="2 layers, 3 positions, any norms, scores, values and blocks",
)
def stacks() -> bool:
    myopic, plain = Stack(2, 3, "hidden states"), Stack(2, 3, "nothing")
    past = set(plain.inputs[:2])
    final = myopic.states[2][2]
    reads = [f for f in final.atoms(sp.core.function.AppliedUndef) if f.func.__name__ in ("key2", "value2")]
    through_past = [
        f for f in reads if f.args[1] in myopic.values and f.args[0] in (sp.Symbol("w_k2"), sp.Symbol("w_v2"))
    ]
    return not past & final.free_symbols and past <= plain.states[2][2].free_symbols and len(through_past) >= 4


@statement.proves(
    "two plain layers do have the term: x_1 moves h_2 of layer 1, which layer 2 reads (an exact instance)"
)
def plain_stack() -> bool:
    first, second = sp.symbols("x1 x2")
    # scores 0 and values equal to inputs, so a head is the mean of what it reads; the residual is kept
    layer_1 = [first + first, second + (first + second) / 2]
    out_2 = layer_1[1] + (layer_1[0] + layer_1[1]) / 2
    return bool(sp.diff(out_2, first) == sp.Rational(7, 4))
