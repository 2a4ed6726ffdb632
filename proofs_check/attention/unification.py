"""Next-token decoders, attention to tokens, and one-hot classification have one kind of loss, and one closure.

    sum_i pi_i ( log sum_{t in C_i} exp <A_it, W>  -  sum_{t in C_i} p_it <A_it, W> ),    p_i a distribution on C_i.

Decoders: C_i all tokens, A_iv = e_v h_i'. One-hot: p_i = e_{y_i}. Attention (attention/convex-loss): C_i the positions
of an input, A_it = e_{x_t} e_k', p_i uniform on the positions of the label. The recession directions are those W whose
scores are equal on the support of every p_i and no larger elsewhere in C_i. For attention data with one last token they
are the functions l on tokens with l_y >= l_x for every edge y -> x (label y, other token x of its input), and the
extended support of bias/any-data for an edge y -> x contains x exactly if x and y are strongly connected: the closure
by strongly connected components (attention/graph-svm).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import sympy as sp
from sympy.logic.inference import satisfiable

from ..kit.algebra import is_zero
from ..statement import Statement

statement = Statement(
    "attention/unification", source="derived", verdict="proved", needs=["bias/split", "attention/convex-loss"]
)

Edges = Sequence[tuple[int, int]]


@statement.proves("decoders and one-hot: sum_z p_z (log-sum-exp - l_z) is that form, since p sums to 1")
def decoders() -> bool:
    p, logit, level, mean = sp.symbols("p l level mean")
    # Sums of p and of p l over the support are 1 and `mean`.
    term = sp.Poly(sp.expand(p * (level - logit)), p, logit)
    total = term.coeff_monomial(p) * 1 + term.coeff_monomial(p * logit) * mean
    return is_zero(total - (level - mean))


@statement.proves("attention: p_i uniform on the n positions of y gives log-sum-exp - l_y, the loss up to log n")
def attention() -> bool:
    n, own, t = sp.symbols("n l_y t", positive=True, integer=True)
    return is_zero(sp.Sum(own / n, (t, 1, n)).doit() - own)


@statement.proves(
    "along W the loss of i moves as log sum q exp(r d) - r sum p d: with d constant on the support and no larger "
    "elsewhere it never rises; else max d > sum p d, it is at least log q' + r (max d - sum p d) -> oo, q' at the max"
)
def recession() -> bool:
    r, top, mean, q, rest = sp.symbols("r top mean q rest", positive=True)  # rest: all other terms of the sum
    loss = sp.log(q * sp.exp(r * top) + rest) - r * mean
    above = sp.expand_log(loss - sp.log(q * sp.exp(r * top)) + r * mean, force=True)
    linear = sp.expand_log(sp.log(q * sp.exp(r * top)) - r * mean, force=True) - sp.log(q) - r * (top - mean)
    ratio = sp.simplify(sp.exp(above)) - 1  # > 0: loss is above its largest term's part
    # d = top - x <= top, where x >= 0 off the support: a term of the sum has slope (d - top) e^(r (d - top))
    x = sp.Symbol("x", nonnegative=True)
    falls = sp.diff(q * sp.exp(-r * x), r).is_nonpositive is True
    # sum p d = top - sum p x, and a term p x is positive where p is and d is below the top
    return bool(sp.simplify(ratio).is_positive and is_zero(sp.expand(linear)) and falls)


@statement.proves("the split of bias/split: -log(mass) = -log(mass of the extended support) + log(1 + off / on)")
def split() -> bool:
    a, on, off = sp.symbols("a on off", positive=True)
    return is_zero(sp.expand_log(sp.log((on + off) / a) - sp.log(on / a), force=True) - sp.log((on + off) / on))


@statement.proves("around a cycle the differences l_y - l_x >= 0 sum to 0: l is constant on a strong component")
def cycles() -> bool:
    i, n = sp.symbols("i n", integer=True, positive=True)
    score = sp.Function("l")
    return is_zero(sp.Sum(score(i) - score(i + 1), (i, 0, n - 1)).doit() - (score(0) - score(n)))


@statement.proves(
    "the number of tokens that a token reaches, itself among them, is a recession direction, and strict on every edge "
    "y -> x where x does not reach y: x reaches fewer, a subset without y (any graph: no three tokens contradict it)"
)
def reach_count() -> bool:
    # any third token z; reaching is transitive and every token reaches itself
    y_x, x_z, y_z, x_y, y_y = sp.symbols("y_x x_z y_z x_y y_y")
    reaching = sp.And(sp.Implies(sp.And(y_x, x_z), y_z), y_y, y_x)
    subset = satisfiable(sp.And(reaching, sp.Not(sp.Implies(x_z, y_z))))
    # y is among those that y reaches, and not among those of x
    strict = satisfiable(sp.And(reaching, sp.Not(x_y), sp.Not(sp.And(y_y, sp.Not(x_y)))))
    return subset is False and strict is False


def decided(edges: Edges, size: int, directions: Sequence[Sequence[int]]) -> bool:
    """Whether each edge y -> x has one of two certificates and not both: a path back, or a strict direction."""
    reached = [{v} for v in range(size)]
    for _ in range(size):
        for y, x in edges:
            reached[y] |= reached[x]
    recession = [d for d in directions if all(d[y] >= d[x] for y, x in edges)]
    return all(any(d[y] > d[x] for d in recession) != (y in reached[x]) for y, x in edges)


@statement.confirms(
    "an edge has a strict direction among the integer vectors exactly if it has no path back (a path back is a proof "
    "that there is none: its differences and the edge's sum to 0)",
    instances="all 4161 labelled directed graphs of 2 to 4 tokens that have an edge",
)
def enumerated() -> bool:
    seen = 0
    for size in range(2, 5):
        pairs = list(itertools.permutations(range(size), 2))
        directions = list(itertools.product(range(size), repeat=size))
        for count in range(1, len(pairs) + 1):
            for edges in itertools.combinations(pairs, count):
                seen += 1
                if not decided(edges, size, directions):
                    return False
    return seen == (2**2 - 1) + (2**6 - 1) + (2**12 - 1)
