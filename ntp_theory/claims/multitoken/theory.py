"""What several heads are asked for: choice points, floors on Markov chains, linear heads as problems of their own."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch

from ...checks import Check
from ...compare import compare
from ...dataset import NTPDataset
from ...descent import descend
from ...loss import evaluate
from ...multitoken import MarkovChain, choice_terms, lost_support, two_branches, wrong_predictions
from ...predict import Limit, predict
from ..registry import Budget, at_most, claim, same
from .trained import heads_against_floors

# Sums of a few hundred terms, each rounded to some 1e-16.
ROUNDING = 1e-13
STEPS = 5_000


@claim("multitoken/choice-points", source="2404.19737 Sec. 5.1, App. L.3", evidence="exact")
def choice_points() -> Iterator[Check]:
    """The n-step loss has n (n + 1) / 2 terms for a choice point and n for an inconsequential transition.

    Counted are predictions that are not the likeliest, not cross-entropy: on two trajectories, n = 1 to 8; Fig. 9; and
    on a tree of three branches of different weights.
    """
    for n in range(1, 9):
        counted = [wrong_predictions(taken, [other], n) for taken, other in (two_branches(n), two_branches(n, 1))]
        words = f"n = {n}: terms of a choice point, and of a transition"
        yield same(f"{n * (n + 1) // 2}, {n}", ", ".join(str(found.count) for found in counted), statement=words)
    figure = wrong_predictions("12345ABC", ["12345XYZ"], 3).named()
    yield same("3->A 4->A 4->B 5->A 5->B 5->C", " ".join(figure), statement="terms of Fig. 9, n = 3")
    # at 1 the likeliest tokens are A, then B: one head is right on a branch that no greedy path takes
    tree = {("1", "A", "B"): 3, ("1", "C", "D"): 2, ("1", "E", "D"): 2}
    found = [" ".join(wrong_predictions(branch, tree, 2).named()) for branch in tree]
    yield same(
        "1->B | 1->C | 1->E", " | ".join(found), statement="terms of three branches, by likeliest tokens of heads"
    )


@claim("multitoken/rejoin", source="derived", evidence="exact")
def rejoin() -> Iterator[Check]:
    """If branches rejoin after j tokens a choice has sum_i min(i, j) = j n - j (j - 1) / 2 terms, j <= n.

    Counted on trajectories for all n <= 8 and j <= n + 2, head by head; j = 2 gives 2 n - 1.
    """
    places = [(n, j) for n in range(1, 9) for j in range(1, n + 3)]
    right = heads = 0
    for n, j in places:
        taken, other = two_branches(n, j)
        found, least = wrong_predictions(taken, [other], n), min(j, n)
        right += found.count == choice_terms(n, j) == least * n - least * (least - 1) // 2
        heads += found.by_head == [min(i, j) for i in range(1, n + 1)]
    yield same(len(places), right, statement="settings with the count of the formula")
    yield same(len(places), heads, statement="settings in which head i has min(i, j) terms")
    twos = [wrong_predictions(*_swapped(n, 2), n).count for n in (2, 3, 4, 8)]
    yield same("3, 5, 7, 15", ", ".join(map(str, twos)), statement="j = 2, n = 2, 3, 4, 8")


def _swapped(n: int, j: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    taken, other = two_branches(n, j)
    return taken, [other]


@claim(
    "multitoken/bayes-floor",
    source="derived",
    evidence="exact",
    verdict="refuted as written",
    standard="Besides, four heads of a Transformer trained on 200,000 tokens of a chain: none below its floor, on "
    "held-out text and in expectation, and each nearest to its own law.",
)
def floors(budget: Budget) -> Iterator[Check]:
    """Printed: on a stationary Markov chain head i's least loss never falls, and tends to H(pi): not if it is periodic.

    Ten drawn chains of order 1 and 2: no floor falls, none exceeds H(pi), and the excess is the mutual information,
    enumerated over all texts; the law of every head has the floor as its loss, a wrong one more. The chain that
    alternates: floors and limit 0, H(pi) = log 2.
    """
    chains = [_chain(seed, order) for seed in range(5) for order in (1, 2)]
    found = [chain.floors(24) for chain in chains]
    falls = max(a - b for each in found for a, b in itertools.pairwise(each.floors))
    above = max(each.floors[-1] - each.entropy for each in found)
    gap = max(abs(each.excess[2] - _information(chain, 3)) for each, chain in zip(found, chains, strict=True))
    for value, words in (
        (falls, "largest fall of a floor"),
        (above, "floor of head 24 less H(pi)"),
        (gap, "excess of head 3 less I(X_3; X_1, X_2 | context)"),
    ):
        yield at_most(0.0, value, slack=ROUNDING, evidence="certified", statement=words)
    laws = [np.stack([chain.head_law(head) for head in (1, 2, 3)]) for chain in chains]
    best = [chain.losses(np.log(law)) for chain, law in zip(chains, laws, strict=True)]
    worst = max(float(np.abs(loss - each.floors[:3]).max()) for loss, each in zip(best, found, strict=True))
    words = "losses of the heads' own laws less the floors"
    yield at_most(0.0, worst, slack=ROUNDING, evidence="certified", statement=words)
    noisy = [chain.losses(np.log(0.9 * law + 0.1 / 3)) for chain, law in zip(chains, laws, strict=True)]
    more = sum(bool((loss > least).all()) for loss, least in zip(noisy, best, strict=True))
    yield same(len(chains), more, evidence="certified", statement="chains on which a tenth of noise costs every head")
    swap = MarkovChain.of([[0.0, 1.0], [1.0, 0.0]]).floors(6)
    yield same("0.0, 0.0", f"{max(swap.floors)}, {swap.limit}", statement="alternating chain: largest floor, limit")
    yield at_most(swap.entropy, math.log(2), slack=ROUNDING, evidence="certified", statement="log 2 against its H(pi)")
    if budget != "quick":
        yield from heads_against_floors()


def _chain(seed: int, order: int) -> MarkovChain:
    return MarkovChain.of(np.random.default_rng(seed).dirichlet(np.full(3, 0.5), (3,) * order))


def _information(chain: MarkovChain, head: int) -> float:
    """``I(X_{t+i}; X_{t+1} .. X_{t+i-1} | context)`` from the law of all texts of i tokens."""
    total = 0.0
    for context, weight in enumerate(chain.stationary):
        texts: Counter[tuple[int, ...]] = Counter()
        for text in itertools.product(range(chain.vocab_size), repeat=head):
            p, at = 1.0, context
            for token in text:
                p *= float(chain.transitions[at, token])
                at = int(chain.successors[at, token])
            texts[text] = p  # type: ignore[assignment]
        between, last = Counter[tuple[int, ...]](), Counter[int]()
        for text, p in texts.items():
            between[text[:-1]] += p
            last[text[-1]] += p
        total += weight * math.fsum(
            p * math.log(p / (between[text[:-1]] * last[text[-1]])) for text, p in texts.items() if p
        )
    return float(total)


@claim("multitoken/linear", source="derived; 2402.18551", evidence="exact", verdict="refuted as written")
def linear() -> Iterator[Check]:
    """Printed: linear heads on frozen contexts are n next-token problems, with supports that grow. They need not grow.

    They are n problems: the loss of both heads, its gradient and its limit are those of the heads alone, and a run of
    each meets the laws of its own prediction. Supports grow if every token can follow itself; of a primitive chain of V
    tokens all are full from head (V - 1)^2 + 1 on, and W_i is finite there (V = 3: all 512 patterns).
    """
    shrinking = MarkovChain.of(np.array([[0, 0.5, 0.5, 0], [0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0]]))
    sizes = [int(shrinking.support(head)[0].sum()) for head in (1, 2)]
    yield same("2, 1", ", ".join(map(str, sizes)), statement="supports of a context whose two successors lead to one")
    yield from _patterns()
    chain = MarkovChain.of((np.eye(4) + np.roll(np.eye(4), 1, axis=1)) / 2)  # stays or goes one on
    embeddings = np.random.default_rng(0).standard_normal((4, 5))
    problems = [chain.dataset(embeddings, head) for head in (1, 2, 3)]
    yield same("[[], []]", str(lost_support(problems)), statement="tokens that supports lose, each follows itself")
    limits = [predict(data) for data in problems]
    cases = ", ".join(limit.case for limit in limits)
    words = "limits of the heads of a chain that stays or goes one on, V = 4"
    yield same("separable-compatible, separable-compatible, finite", cases, evidence="certified", statement=words)
    yield from _together(problems[:2], limits[:2])
    for head, (data, limit) in enumerate(zip(problems, limits, strict=True), 1):
        outcome = compare(descend(data, steps=STEPS), limit)
        held = sum(check.holds for check in outcome.checks)
        words = f"laws of gradient descent that hold, head {head}"
        yield same(len(outcome.checks), held, evidence="measured", statement=words)
        read = any(check.label == "bias/sharp-gd-loss" for check in outcome.checks)
        words = f"that of the loss is among them if the decoder diverges, head {head}"
        yield same(limit.direction is not None, read, evidence="measured", statement=words)


def _patterns() -> Iterator[Check]:
    """All zero patterns of chains of 3 tokens."""
    primitive = full = itself = growing = 0
    for bits in itertools.product((0.0, 1.0), repeat=9):
        rows = np.array(bits).reshape(3, 3)
        if not rows.any(1).all():
            continue
        chain = MarkovChain.of(rows / rows.sum(1, keepdims=True), stationary=_some_law(rows))
        supports = [chain.support(head) for head in range(1, 12)]
        if supports[-1].all():
            primitive += 1
            full += bool(supports[4].all())  # head (3 - 1)^2 + 1 = 5
        if rows.diagonal().all():
            itself += 1
            growing += all(not (a & ~b).any() for a, b in itertools.pairwise(supports))
    yield same(primitive, full, statement=f"{primitive} primitive patterns, full from head 5 on")
    yield same(itself, growing, statement=f"{itself} patterns in which every token follows itself: supports grow")


def _some_law(rows: np.ndarray) -> np.ndarray:
    """A stationary law, however many parts the chain has: the mean over a long time, from a token."""
    step = rows / rows.sum(1, keepdims=True)
    mean = np.linalg.matrix_power((step + np.eye(3)) / 2, 2**40)[0]
    return np.asarray(mean / mean.sum())


def _together(problems: list[NTPDataset], limits: list[Limit]) -> Iterator[Check]:
    """The problem of both heads at once: contexts in coordinates of their own."""
    both = NTPDataset(
        torch.block_diag(*(data.embeddings for data in problems)),
        torch.cat([data.probabilities.to_dense() for data in problems]),
        torch.cat([data.weights for data in problems]) / len(problems),
    )
    decoders = [limit.decoder(1000.0) for limit in limits]
    parts = [evaluate(decoder, data).gap for decoder, data in zip(decoders, problems, strict=True)]
    whole = evaluate(torch.cat(decoders, dim=1), both).gap
    yield at_most(
        0.0,
        abs(whole / (sum(parts) / 2) - 1),
        slack=1e-12,
        evidence="certified",
        statement="loss of both heads over the mean of the two, less 1",
    )
    found, direction = predict(both), torch.cat([limit.svm.direction for limit in limits], dim=1)
    certified = found.svm.distance_bound() + sum(limit.svm.distance_bound() for limit in limits)
    yield at_most(
        certified,
        float((found.svm.direction - direction).norm()),
        slack=ROUNDING,
        evidence="certified",
        statement="W_mm of both less the two W_mm, against certified distances",
    )
