"""The cross-entropy of n training sequences is a sum over the m distinct contexts, weighted by counts.

    CE(W)  =  -(1/n) sum_i log s_{y_i}(W h(x_i))  =  - sum_j pi_j sum_{z in S_j} p_jz log s_z(W h_j)

Sequence i is a context x_i followed by the token y_i; s is the softmax of the logits W h. With c_jz the number of
sequences that are context j followed by token z, and N_j = sum_z c_jz: pi_j = N_j / n, p_jz = c_jz / N_j, and the
support S_j has the z with c_jz > 0.
"""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.generic import split
from ..statement import Statement

statement = Statement("bias/loss", source="2402.18551 Eq. (2)", verdict="proved")

# term[j, z] stands for -log s_z(W h_j), whatever the decoder; x(i), y(i) are the context and the token of sequence i.
term = sp.IndexedBase("term")
i, j, z = sp.symbols("i j z", integer=True)
x, y = (sp.Function(name, integer=True)(i) for name in "xy")
n, m, V = sp.symbols("n m V", integer=True, positive=True)
hit = sp.KroneckerDelta(x, j) * sp.KroneckerDelta(y, z)


@statement.proves("a sequence meets one (context, token): its term is the sum of [x_i = j] [y_i = z] term_jz over all")
def one_sequence() -> bool:
    over_tokens = sp.Sum(hit * term[j, z], (z, -sp.oo, sp.oo)).doit()
    return bool(sp.Sum(over_tokens, (j, -sp.oo, sp.oo)).doit() == term[x, y])


@statement.proves("summed over n sequences, term_jz is met c_jz = sum_i [x_i = j] [y_i = z] times")
def counted() -> bool:
    count = sp.Sum(hit, (i, 1, n))
    return is_zero(split(sp.Sum(hit * term[j, z], (i, 1, n))) - count * term[j, z])


@statement.proves("a count over n is pi_j p_jz; a token off the support has count 0 and adds nothing")
def weights() -> bool:
    count, total = sp.symbols("c N", positive=True)
    pi, p = total / n, count / total
    return is_zero(count / n - pi * p) and (pi * p * term[j, z]).subs(count, 0) == 0


@statement.proves(
    "pi and every p_j are probabilities: sum_z c_jz / N_j = 1, and sum_j N_j = n since each sequence counts once"
)
def probabilities() -> bool:
    c = sp.IndexedBase("c")
    total = sp.Sum(c[j, z], (z, 1, V))
    of_context = split(sp.Sum(c[j, z] / sp.Symbol("N"), (z, 1, V))).subs(total, sp.Symbol("N"))
    once = sp.Sum(sp.Sum(hit, (z, -sp.oo, sp.oo)).doit(), (j, -sp.oo, sp.oo)).doit()
    return bool(of_context == 1 and sp.Sum(once, (i, 1, n)).doit() == n)


@statement.confirms("both sums have the same coefficient at every term_jz", instances="100 random samples of up to 30")
def samples() -> bool:
    rng = random.Random(0)
    for _ in range(100):
        pairs = [(rng.randrange(4), rng.randrange(5)) for _ in range(rng.randint(1, 30))]
        raw = {pair: Fraction(0) for pair in pairs}
        for pair in pairs:
            raw[pair] += Fraction(1, len(pairs))
        contexts, tokens = Counter(j for j, _ in pairs), Counter(pairs)
        pi = {j: Fraction(count, len(pairs)) for j, count in contexts.items()}
        if raw != {(j, z): pi[j] * Fraction(count, contexts[j]) for (j, z), count in tokens.items()}:
            return False
    return True
