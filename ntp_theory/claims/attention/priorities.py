"""Attention to tokens with a fixed head: a convex loss, graphs of priorities, and the engine for any data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components

from ...attention import LogPartition, TokenSequences, compare, descend, flow, pair_dataset, predict, priority_graphs
from ...attention.limit import PartitionLimit
from ...checks import Check
from ...conditions import extended_support
from ...construct import random as random_data
from ...predict import predict as decoders
from ..registry import at_most, claim, close, same, shared

# What is drawn: tokens, inputs, length, last tokens, ranked labels.
DRAWN = ((5, 6, 4, 1, False), (6, 7, 4, 2, False), (6, 10, 4, 2, False), (7, 9, 4, 3, True))


def drawn(seed: int) -> TokenSequences:
    """Data of one of the four shapes."""
    v, n, length, queries, ranked = DRAWN[seed % len(DRAWN)]
    return TokenSequences.random(v, n, length, num_queries=queries, ranked=ranked, rng=100 + seed)


@shared
def limits() -> list[tuple[TokenSequences, PartitionLimit]]:
    """Drawn data with its prediction."""
    return [(data, predict(data)) for data in map(drawn, range(8))]


@claim("attention/convex-loss", source="2403.08081", evidence="exact")
def convex_loss() -> Iterator[Check]:
    """With the head fixed, the loss of one attention layer is convex in W; not so if scores depend on positions.

    300 rational softmax vectors: curvature along integer directions, as a sum of squares; 20 drawn losses: least
    eigenvalue of the Hessian, and the chord between random points. Three equal scores, label at two positions.
    """
    r, broken = np.random.default_rng(5), 0
    for _ in range(300):
        size = int(r.integers(2, 7))
        masses = [int(a) for a in r.integers(1, 50, size)]
        s = [Fraction(a, sum(masses)) for a in masses]
        d = [int(a) for a in r.integers(-9, 10, size)]
        mean = sum((a * b for a, b in zip(s, d, strict=True)), Fraction(0))
        curvature = sum((a * b * b for a, b in zip(s, d, strict=True)), Fraction(0)) - mean**2
        squares = sum((a * (b - mean) ** 2 for a, b in zip(s, d, strict=True)), Fraction(0))
        broken += curvature != squares or curvature < 0
    yield same(0, broken, statement="curvatures along integer directions that are no sums of squares")
    least, above = 0.0, 0.0
    for seed in range(20):
        loss = LogPartition.of_sequences(drawn(seed))
        ends = 3 * torch.from_numpy(r.standard_normal((2, loss.dim)))
        least = min(least, float(torch.linalg.eigvalsh(loss.hessian(ends[0]))[0]))
        middle = loss.value(ends.mean(0)) - (loss.value(ends[0]) + loss.value(ends[1])) / 2
        above = max(above, middle)
    yield at_most(0.0, -least, slack=1e-14, evidence="certified", statement="minus the least eigenvalue of 20 Hessians")
    yield at_most(0.0, above, slack=1e-13, evidence="certified", statement="loss at the middle above that of the chord")
    # scores by position, label at the first two of three: -log(s_1 + s_2) along (1, -1, 0) at equal scores
    third = Fraction(1, 3)
    whole = (third + third) - (third - third) ** 2
    inside = (Fraction(1, 2) + Fraction(1, 2)) - (Fraction(1, 2) - Fraction(1, 2)) ** 2
    yield same("-1/3", str(whole - inside), statement="curvature with positions: variance over all, less that inside")


@claim(
    "attention/graph-svm",
    source="2403.08081",
    evidence="exact",
    standard="The same, flows to log t = 10^4 and 100,000 steps of descent, on 8 drawn data.",
)
def graph_svm(budget: str) -> Iterator[Check]:
    """W grows along the max-margin direction of the graph's components as log t, and stays finite inside components.

    400 random graphs: components against scipy's. Drawn data: KKT conditions of the direction; flows to log t = 1000
    and 10,000 steps of descent against slope, constants and finite part, with attention off the components.
    """
    r, wrong = np.random.default_rng(3), 0
    for _ in range(400):
        v = int(r.integers(2, 12))
        graph = TokenSequences.random(v, int(r.integers(1, 25)), int(r.integers(2, 5)), num_queries=1, rng=r)
        [found] = priority_graphs(graph)
        count, names = connected_components(found.adjacency.numpy(), connection="strong")
        together = names[:, None] == names[None, :]
        wrong += count != len(found.components) or not np.array_equal(together, found.together.numpy())
    yield same(0, wrong, statement="random graphs whose components differ from scipy's")
    tried = limits()[:2] if budget == "quick" else limits()
    log_time, steps = (1e3, 10_000) if budget == "quick" else (1e4, 100_000)
    for seed, (data, limit) in enumerate(tried):
        yield from _kkt(seed, limit)
        run = flow(data, log_time=log_time, limit=limit)
        yield from named(compare(run, limit), f"data {seed}, flow")
        off = run.log_tails(limit.support)
        words = f"data {seed}: log of the loss by attention off the components, at log t = {log_time:g}"
        # every term is at most 1 / t up to the constants of the tail, whose law is held above
        yield at_most(-log_time / 2, float(off[-1]), evidence="measured", statement=words)
        yield from named(compare(descend(data, steps=steps), limit), f"data {seed}, descent")


def named(checks: list[Check], name: str) -> list[Check]:
    """The checks, with a name before what they say."""
    return [replace(check, statement=f"{name}: {check.statement}") for check in checks]


def _kkt(seed: int, limit: PartitionLimit) -> Iterator[Check]:
    bound = limit.svm.distance_bound
    yield at_most(
        1e-7 * limit.norm, bound, evidence="certified", statement=f"data {seed}: distance of the direction from W_svm"
    )
    pull = -torch.einsum("ic,icd->d", limit.multipliers.values, limit.loss.features)
    owed = limit.multipliers.values.sum(1)
    inside = limit.loss.restricted(limit.support).scores(limit.finite).softmax(1)
    pull = pull + torch.einsum("i,ic,icd->d", owed, inside, limit.loss.features)
    error = float((pull - limit.inside(pull) - limit.direction).norm())
    words = f"data {seed}: W_svm less its multipliers' normals, which give it off F"
    yield at_most(1e-8 * limit.norm, error, evidence="certified", statement=words)


@claim("attention/unification", source="derived", evidence="exact")
def unification() -> Iterator[Check]:
    """Decoders, one-hot classification and attention share one loss and one engine: components are extended supports.

    120 drawn data: supports that the engine extends, against the components of the graphs; integers that prove what is
    not blocked; 10 proofs in rational arithmetic. Decoders on 4 datasets of all kinds: limit and constants against
    those of `ntp_theory.predict`.
    """
    r, wrong, unproved, proved = np.random.default_rng(8), 0, 0, 0
    for number in range(120):
        data = TokenSequences.random(int(r.integers(3, 8)), int(r.integers(1, 14)), 4, num_queries=2, rng=r)
        loss = LogPartition.of_sequences(data)
        normals, terms, choices = loss.normals(loss.support)
        if not len(normals):
            continue
        pairs, rows = pair_dataset(normals, [False] * len(normals))
        answer = extended_support(pairs, exact=number < 10)
        proved += answer.proof is not None and answer.proof.status == "proved"
        graphs = {graph.query: graph for graph in priority_graphs(data)}
        for i, c, row in zip(terms.tolist(), choices.tolist(), rows, strict=True):
            graph, label, token = graphs[data.queries[i]], data.labels[i], data.distinct[i][c][0]
            blocked = bool(answer.support[row, 1])
            wrong += blocked != bool(graph.together[label, token])
            drop = int(graph.reach_counts[label] - graph.reach_counts[token])
            unproved += drop < 0 or (drop == 0) != blocked
    yield same(0, wrong, statement="tokens of inputs whose extended support is not their component")
    yield same(0, unproved, statement="edges whose drop in tokens reached does not prove it")
    yield same(10, proved, statement="extended supports of attention data proved in rational arithmetic")
    for seed, size in ((1, (4, 3, 5, 2)), (2, (4, 6, 5, 2)), (3, (3, 2, 6, 2)), (4, (4, 6, 5, 1))):
        decoder = random_data(*size, rng=seed)
        one, other = decoders(decoder), predict(decoder)
        words = f"decoder, {one.case}"
        apart = int((one.support != other.support).sum())
        yield same(
            0, apart, statement=f"{words}: entries of the supports that differ from those of the decoder's engine"
        )
        error = float((one.finite - other.matrix(other.finite)).norm())
        yield at_most(
            1e-7 * (1 + float(one.finite.norm())), error, evidence="measured", statement=f"{words}: finite parts apart"
        )
        if one.direction is not None:
            yield close(
                one.loss_constant,
                other.loss_constant,
                tolerance=1e-8,
                evidence="measured",
                statement=f"{words}: ||W_mm||^2",
            )
            wanted = float(one.finite_constant.norm())
            if wanted > 0 and math.isfinite(wanted):
                error = float((one.finite_constant - other.matrix(other.finite_constant())).norm()) / wanted
                yield at_most(
                    1e-5, error, evidence="measured", statement=f"{words}: limit of t (P_F W - W*), relative error"
                )
