"""The excess loss is what a decoder misses on the supports plus what leaks off them.

    CE(W) - H  =  sum_j pi_j KL(p_j || q_j)  +  sum_j pi_j (-log(1 - eps_j))

eps_j is the softmax mass off the support S_j, and q_j the softmax restricted to S_j and normalised. The first sum is
CE_F(W) - H: it does not change when W moves within the orthogonal complement of F.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..statement import Statement

statement = Statement(
    "bias/split",
    source="derived (D1)",
    verdict="proved",
    needs=["bias/loss", "bias/entropy-floor", "bias/auxiliary-loss", "bias/data-subspace"],
)

# One in-support token of one context: its probability p, its exponential a, all exponentials on the support (A) and
# off it (B). A token stands for all of them, since both sides are sums over tokens and contexts with the same weights.
p, a, on, off = sp.symbols("p a A B", positive=True)
eps = off / (on + off)


@statement.proves("token by token: p log(p / softmax) = p log(p / q) - p log(1 - eps), for supports of any size")
def chain_rule() -> bool:
    softmax, q = a / (on + off), a / on
    left = p * (sp.log(p) - sp.log(softmax))
    right = p * (sp.log(p) - sp.log(q)) - p * sp.log(sp.cancel(1 - eps))
    return is_zero(left - right)


@statement.proves("1 - eps is the mass on the support, so q = softmax / (1 - eps) sums to 1")
def normalised() -> bool:
    return is_zero(a / (on + off) / (1 - eps) - a / on)


@statement.proves("the probabilities of a support sum to 1, so the second parts of its tokens sum to -log(1 - eps)")
def tail() -> bool:
    z, size = sp.symbols("z S", integer=True, positive=True)
    probability, level = sp.IndexedBase("p"), sp.Symbol("t")
    total = sp.Sum(probability[z] * level, (z, 1, size))
    return is_zero(sp.factor_terms(total) - level * sp.Sum(probability[z], (z, 1, size)))


@statement.proves("q depends on differences of in-support logits alone: it is 1 / sum_z' exp(-(l_z - l_z'))")
def of_differences() -> bool:
    logits = sp.symbols("l1:5", real=True)
    shift = sp.Symbol("c", real=True)
    moved = [sp.exp(x + shift) / sum(sp.exp(y + shift) for y in logits) for x in logits]
    return all(is_zero(m - 1 / sum(sp.exp(y - x) for y in logits)) for m, x in zip(moved, logits, strict=True))


@statement.proves(
    "a matrix orthogonal to (e_z - e_z') h^T has equal logits at z and z' (V = 3, d = 3; other rows do not enter)"
)
def blind_to_the_complement() -> bool:
    decoder = sp.MatrixSymbol("W", 3, 3).as_explicit()
    h = sp.Matrix(sp.symbols("h1:4", real=True))
    generator = sp.Matrix([[1], [-1], [0]]) * h.T
    return is_zero((generator.T * decoder).trace() - ((decoder * h)[0] - (decoder * h)[1]))


@statement.confirms(
    "the logits of every matrix of a basis of the complement of F are constant on every support",
    instances="20 rational datasets",
)
def constant_on_supports() -> bool:
    sets = [draw(seed, vocab_size=4, dim=3, contexts=3, sizes=[1, 2, 3]) for seed in range(20)]
    return all(
        len({row[z] for z in support}) == 1
        for data in sets
        for matrix in data.complement
        for row, support in zip(data.logits(matrix), data.supports, strict=True)
    )
