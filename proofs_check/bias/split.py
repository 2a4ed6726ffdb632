"""The excess loss is what a decoder misses on the supports plus what leaks off them.

    CE(W) - H  =  sum_j pi_j KL(p_j || q_j)  +  sum_j pi_j (-log(1 - eps_j))

eps_j is the softmax mass off the support S_j, and q_j the softmax restricted to S_j and normalised. The first sum is
CE_F(W) - H: it does not change when W moves within the orthogonal complement of F.
"""

from __future__ import annotations

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.data import draw
from ..kit.generic import split
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
    z, size = sp.symbols("z S", integer=True, positive=True)
    logits, own = sp.IndexedBase("l"), sp.Symbol("l_z", real=True)
    differences = split(sp.Sum(sp.exp(logits[z] - own), (z, 1, size)).expand(power_exp=True))
    return is_zero(differences - sp.exp(-own) * sp.Sum(sp.exp(logits[z]), (z, 1, size)))


@statement.proves(
    "<(e_z - e_z') h^T, W> = (W h)_z - (W h)_z' for all V and d: W orthogonal to F has equal logits on supports"
)
def blind_to_the_complement() -> bool:
    v, z, y, i = sp.symbols("v z y i", integer=True)
    w, h, delta = sp.IndexedBase("W"), sp.IndexedBase("h"), sp.KroneckerDelta
    over_rows = sp.Sum((delta(v, z) - delta(v, y)) * h[i] * w[v, i], (v, -sp.oo, sp.oo)).doit()  # column i
    return is_zero(over_rows - (w[z, i] * h[i] - w[y, i] * h[i]))


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
