"""Printed: linear heads W_i on frozen contexts decouple into n next-token problems, and their supports grow with i.

Supports need not grow: if a goes to b or c, and both go to d, then a has two successors at i = 1 and one at i = 2.
Repaired: the n problems decouple for all data. Head i's gradient is that of next-token prediction with the law p_i(.|j)
of the token i steps ahead, so that problem's theory (finite part, margin problem, rates) holds for each head with its
own supports. Supports grow if every token can follow itself. With full supports no margin constraint is left, and a
support of size s leaves s (V - s) > 0 ordered pairs otherwise. For a shared unembedding or a trained trunk nothing is
claimed: the heads are coupled there.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement(
    "multitoken/linear",
    source="derived; 2402.18551",
    verdict="refuted as written",
    repair="proved",
    needs=["multitoken/loss", "bias/loss"],
)


def supports(chain: sp.Matrix, head: int) -> list[set[int]]:
    power = chain**head
    return [{b for b in range(chain.cols) if power[a, b] != 0} for a in range(chain.rows)]


@statement.refutes("a -> b or c -> d -> a: a's support is {b, c} at i = 1 and {d} at i = 2")
def shrinking() -> bool:
    half = sp.Rational(1, 2)
    chain = sp.Matrix([[0, half, half, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]])
    return supports(chain, 1)[0] == {1, 2} and supports(chain, 2)[0] == {3}


@statement.proves("the loss is a sum of terms, each in one W_i: every mixed second derivative is 0")
def decoupled() -> bool:
    first, second = sp.symbols("w1 w2")  # any entries of two heads
    one, two = sp.Function("L1"), sp.Function("L2")
    return bool(sp.diff(one(first) + two(second), first, second) == 0)


@statement.proves(
    "head i in logit l_v: d/dl_v of sum_z p_z (log sum_u e^(l_u) - l_z) is softmax_v - p_v, any vocabulary"
)
def gradient() -> bool:
    logit, rest, others = sp.Symbol("l", real=True), sp.Symbol("S", positive=True), sp.Symbol("m", real=True)
    p = sp.Symbol("p", positive=True)  # others: sum_(z != v) p_z l_z; the weights of log sum e^l sum to 1
    loss = sp.log(sp.exp(logit) + rest) - (p * logit + others)
    return is_zero(sp.diff(loss, logit) - (sp.exp(logit) / (sp.exp(logit) + rest) - p))


@statement.proves("summing out the i - 1 tokens between leaves -sum_z p_i(z|j) log softmax_z: a next-token loss")
def next_token_loss() -> bool:
    z, m, V, M = sp.symbols("z m V M", integer=True, positive=True)
    joint, minus_log = sp.IndexedBase("p"), sp.IndexedBase("l")  # m numbers the ways to the token z
    total = split(sp.Sum(joint[m, z] * minus_log[z], (m, 1, M), (z, 1, V)))
    return bool(total == sp.Sum(sp.Sum(joint[m, z], (m, 1, M)) * minus_log[z], (z, 1, V)))


@statement.proves("if P_bb > 0 for all b: (P^(i+1))_ab = (P^i)_ab P_bb + terms >= 0, positive wherever (P^i)_ab is")
def growing() -> bool:
    before, stay = sp.symbols("R_ab P_bb", positive=True)
    others = sp.Symbol("rest", nonnegative=True)
    return bool((before * stay + others).is_positive)


@statement.proves("a support of size s has s (V - s) pairs of a token on it and one off it: 0 only if s = V, as s >= 1")
def constraints() -> bool:
    s, V = sp.symbols("s V", positive=True)
    return bool(sp.solve(s * (V - s), s) == [V])
