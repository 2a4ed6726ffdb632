"""On the plateau of teacher forcing the free accuracy is the accuracy of r_1 alone: nothing compounds.

Free-running greedy output equals the target exactly if every position is right given the true past. So with forced
accuracies p_k the free accuracy lies between max(0, sum p_k - (l - 1)) and min p_k; for (1, 1/d, 1, .., 1) both
bounds are 1/d. Compounding is different: free = product of the accuracies given that all earlier outputs are right,
for example (1 - eps)^l for independent errors, which decays with the length.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import sympy as sp

from ..kit.algebra import is_zero
from ..kit.path_star import SIZES, stars
from ..statement import Statement

statement = Statement(
    "pitfalls/snowballing", source="recalled; derived", verdict="proved", needs=["pitfalls/chance-level"]
)


@statement.proves(
    "chain rule: with F(k) = P(first k right) > 0 the product of F(k) / F(k-1) telescopes to F(l), F(0) = 1"
)
def chain_rule() -> bool:
    k, length = sp.symbols("k l", integer=True, positive=True)
    F = sp.Function("F", positive=True)
    # induction: the product up to k is F(k) / F(0); one more factor F(k + 1) / F(k)
    step = F(k) / F(0) * (F(k + 1) / F(k))
    eps = sp.Symbol("eps")
    independent = sp.Product(1 - eps, (k, 1, length)).doit()
    return is_zero(step - F(k + 1) / F(0)) and is_zero(independent - (1 - eps) ** length)


@statement.proves(
    "greedy free output = target exactly if every forced prediction is right: while all outputs are right the own "
    "past is the true past, so the free prediction is the forced one, right or wrong"
)
def greedy() -> bool:
    predict, past, truth = sp.Function("predict"), sp.Symbol("past"), sp.Symbol("truth")
    free, forced = predict(past), predict(truth)
    return bool(free != forced and free.subs(past, truth) == forced)


@statement.confirms("that equivalence", instances="all 128 greedy models of 3 binary tokens, all 8 targets")
def models() -> bool:
    pasts = [past for size in range(3) for past in product((0, 1), repeat=size)]
    for outputs in product((0, 1), repeat=len(pasts)):
        model = dict(zip(pasts, outputs, strict=True))
        free: tuple[int, ...] = ()
        for _ in range(3):
            free = (*free, model[free])
        for target in product((0, 1), repeat=3):
            forced = all(model[target[:k]] == target[k] for k in range(3))
            if forced != (free == target):
                return False
    return True


@statement.proves(
    "bounds: P(all right) <= each p_k, and P(some wrong) <= sum (1 - p_k); with (1, 1/d, 1, .., 1) both bounds are 1/d"
)
def bounds() -> bool:
    d, length, k = sp.symbols("d l k", integer=True, positive=True)
    accuracy = 1 + sp.KroneckerDelta(k, 1) * (1 / d - 1)  # positions k = 0, .., l
    wrong = sp.simplify(sp.Sum(1 - accuracy, (k, 0, length)).doit())
    chance = sp.Symbol("more", nonnegative=True) + 1  # d >= 1
    return (
        is_zero(wrong - (1 - 1 / d))
        and is_zero((1 - wrong) - 1 / d)
        and sp.factor(1 - 1 / chance).is_nonnegative is True
    )


@statement.proves("without such forced accuracies the product rule fails: (1/2, 1/2) allows free accuracies 1/2 and 0")
def not_determined() -> bool:
    together, apart = [(True, True), (False, False)], [(True, False), (False, True)]
    half = Fraction(1, 2)
    same = all(sum(case[k] for case in law) * half == half for law in (together, apart) for k in (0, 1))
    return same and [sum(all(case) for case in law) * half for law in (together, apart)] == [half, 0]


@statement.confirms(
    "a model that guesses an arm and then follows unique children is right exactly with probability 1/d, and ends "
    "in a leaf",
    instances="all graphs with d <= 4 arms of l <= 5 nodes",
)
def follows_the_rule() -> bool:
    right = []
    for d, length in SIZES:
        for star in stars(d, length):
            hits = Fraction(0)
            for guess in star.children(star.target[0]):
                path = [star.target[0], guess]
                while len(path) < length:
                    path.append(star.children(path[-1])[0])
                hits += Fraction(path == list(star.target), d)
                right.append(star.children(path[-1]) == [])
            right.append(hits == Fraction(1, d))
    return all(right)
