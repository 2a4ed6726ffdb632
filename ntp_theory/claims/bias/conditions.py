"""Section 3.1 of the paper: compatibility, separability, and what they give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch

from ...checks import Check
from ...conditions import Separability, check_compatibility, check_separability
from ...conditions.forests import forest_decomposition
from ...construct import DESIGNED, designed, one_hot_control, sep_incompat
from ...dataset import NTPDataset
from ...loss import evaluate
from ...subspace import data_subspace
from .. import rational
from ..registry import at_most, claim, close, same
from . import definitions as define
from .shared import integer_data, lemma5, tiny


@claim("bias/definition-1", source="2402.18551 Def. 1, Eq. (4)", evidence="exact")
def compatibility() -> Iterator[Check]:
    """Data is NTP-compatible if one decoder has the log-odds of every context; that is decidable.

    The library's answer against integer arithmetic on 24 integer datasets and the designed cases; and W* against
    the log-odds where there is one.
    """
    instances = [*integer_data(), sep_incompat(), *(designed(case).data for case in DESIGNED)]
    wrong, worst = 0, 0.0
    for data in instances:
        answer = check_compatibility(data)
        wrong += answer.compatible != rational.is_compatible(data)
        if answer.solution is not None:
            logits = data.embeddings @ answer.solution.T
            missed = data.pattern.inside(logits) - data.pattern.inside(define.probabilities(data)).log()
            worst = max(worst, float((data.pattern.max(missed) - data.pattern.min(missed)).max()))
    yield same(0, wrong, statement=f"wrong answers among {len(instances)}")
    yield at_most(0.0, worst, slack=1e-11, evidence="certified", statement="largest error of the log-odds of W*, nats")


@claim("bias/compatibility-exact", source="derived", evidence="exact")
def compatibility_in_integers() -> Iterator[Check]:
    """With integer counts compatibility is an identity of integers: prod (p_z/p_a)^y = 1 for each integer relation y.

    SEP-INCOMPAT: the relation (1, 1, -1) gives 156/49, and the library's certificate its logarithm; a compatible
    case gives 1.
    """
    data = sep_incompat()
    ((relation, product),) = rational.log_odds_relations(data)
    sign = -relation[0]  # the library measures odds against the first token, the identity against the second
    yield same("(1, 1, -1)", str(tuple(-sign * y for y in relation)), statement="the relation, up to sign")
    yield same("156/49", str(product**sign), statement="product of the odds")
    certificate = check_compatibility(data).certificate
    value = math.nan if certificate is None else abs(certificate.value / float(certificate.coefficients[0]))
    yield close(
        math.log(156 / 49),
        value,
        tolerance=1e-13,
        evidence="certified",
        statement="the library's contradiction, nats",
    )
    compatible = NTPDataset.from_counts([[1], [2]], [[1, 4], [1, 16]])
    ((_, product),) = rational.log_odds_relations(compatible)
    yield same("1", str(product), statement="product of the odds of a compatible pair")


@claim("bias/definition-2", source="2402.18551 Def. 2, Eq. (6a), (6b)", evidence="exact")
def separability() -> Iterator[Check]:
    """Data is separable if a decoder has equal in-support logits and others below; a Farkas vector proves the contrary.

    On 24 integer datasets and the designed cases every answer of the library comes with an object whose exact
    rational neighbour proves it; the designed answers are known.
    """
    instances = [*integer_data(), sep_incompat(), *(designed(case).data for case in DESIGNED)]
    unproved, worst = 0, 0.0
    for data in instances:
        answer = check_separability(data)
        unproved += not _is_proved(data, answer)
        if answer.certificate is not None:
            worst = max(worst, *answer.certificate.violations().values())
    yield same(0, unproved, statement=f"answers without a rational proof among {len(instances)}")
    yield at_most(
        0.0, worst, slack=1e-12, evidence="certified", statement="largest violation of a Farkas vector as returned"
    )
    wrong = sum(check_separability(designed(case).data).separable != designed(case).separable for case in DESIGNED)
    yield same(0, wrong, statement=f"wrong answers among {len(DESIGNED)} designed cases")


def _is_proved(data: NTPDataset, answer: Separability) -> bool:
    """Whether what comes with the answer proves it, in rationals."""
    if answer.separable:
        return answer.direction is not None and rational.separates(data, answer.direction)
    return answer.certificate is not None and rational.is_farkas(data, answer.certificate)


@claim("bias/off-support-decay", source="2402.18551 Eq. (7); sharpened by 1/S_j", evidence="certified")
def off_support_decay() -> Iterator[Check]:
    """At gamma W^d an off-support token has probability at most e^-gamma / S_j.

    W_mm of instance LEMMA5 and 20 other separating directions, gamma from 0 to 600, in logarithms.
    """
    data, worst = lemma5().data, -math.inf
    for separating in _separating(20):
        for gamma in (0.0, 0.3, 1.0, 10.0, 100.0, 600.0):
            weights = gamma * separating
            logs = define.log_softmax(weights, data).masked_fill(data.support, -torch.inf)
            excess = logs.amax(1) + gamma + data.pattern.sizes.double().log()
            worst = max(worst, float(excess.max()) - define.rounding(data, weights))
    yield at_most(0.0, worst, evidence="certified", statement="log(probability S_j e^gamma), largest")


def _separating(count: int) -> Iterator[torch.Tensor]:
    """W_mm of LEMMA5, and directions bent from it inside F_perp, each with smallest margin 1."""
    limit = lemma5()
    space = data_subspace(limit.data)
    assert limit.direction is not None
    for i, noise in enumerate(define.random_decoders(limit.data, count + 1, seed=7, scale=0.05)):
        bent = limit.direction + space.project_complement(noise) * (i > 0)
        margin = define.smallest_margin(bent, limit.data)
        if margin > 0:
            yield bent / margin


@claim("bias/proposition-1", source="2402.18551 Prop. 1", evidence="certified")
def proposition_1() -> Iterator[Check]:
    """On compatible and separable data CE > H everywhere, and CE - H falls like e^-gamma along W* + gamma W_mm.

    Instance TINY: CE - H is above a positive bound for 51 decoders with logits up to 1e3; CE - H <= e^-gamma times
    the odds of the tail at W*, for gamma up to 600, from log(1 + x) <= x.
    """
    limit = tiny()
    data = limit.data
    assert limit.direction is not None
    worst = -math.inf
    for scale in (0.1, 1.0, 100.0):
        for weights in define.random_decoders(data, 17, seed=8, scale=scale):
            # in log space, where a positive tail cannot vanish
            floor = define.least_log_tail(float(weights.norm()), data)
            worst = max(worst, floor - evaluate(weights, data).log_tail)
    yield at_most(0.0, worst, evidence="certified", statement="log of the least CE - H for a norm, minus log(CE - H)")
    mass = define.off_support_mass(limit.finite, data)
    constant = math.log(float((data.weights * mass / (1 - mass)).sum()))
    worst = -math.inf
    for gamma in (0.0, 1.0, 10.0, 100.0, 600.0):
        weights = limit.finite + gamma * limit.direction
        excess = evaluate(weights, data).log_tail + gamma - constant
        worst = max(worst, excess - define.rounding(data, weights))
    yield at_most(0.0, worst, slack=1e-12, evidence="certified", statement="log((CE - H) e^gamma / C), largest")


@claim("bias/lemma-1", source="2402.18551 Lemma 1", evidence="exact")
def lemma_1() -> Iterator[Check]:
    """With more dimensions than contexts and independent embeddings, data of any supports is compatible and separable.

    Ten integer instances with d = m + 1: W with W H = 1_S has margins of exactly 1 in rationals, so does its triple
    beyond 1, and the library finds W* and a direction.
    """
    yield from _overparameterised(extra=1)


@claim("bias/erratum-E2", source="2402.18551 Lemma 1", evidence="exact", verdict="holds, repaired")
def erratum_2() -> Iterator[Check]:
    """Lemma 1 does not need d > m: d = m independent embeddings are enough.

    The same ten instances with d = m.
    """
    yield from _overparameterised(extra=0)


def _overparameterised(extra: int) -> Iterator[Check]:
    r = np.random.default_rng(9)
    unequal = unfound = 0
    for _ in range(10):
        m, v = int(r.integers(2, 5)), int(r.integers(2, 5))
        # a triangle with ones on its diagonal is invertible over the integers
        embeddings = np.hstack(
            [np.tril(r.integers(-2, 3, (m, m)), -1) + np.eye(m, dtype=int), r.integers(-2, 3, (m, extra))]
        )
        counts = r.integers(1, 6, (m, v)) * (r.random((m, v)) < 0.6)
        counts[np.arange(m), r.integers(0, v, m)] += 1
        data = NTPDataset.from_counts(embeddings, counts)
        decoder = _interpolate(embeddings[:, :m], counts > 0)
        logits = [[sum(w * int(x) for w, x in zip(row, h, strict=False)) for row in decoder] for h in embeddings]
        unequal += logits != [[int(kept) for kept in row] for row in counts > 0]
        unfound += not (check_compatibility(data).compatible and check_separability(data).separable)
    yield same(0, unequal, statement="instances where W H = 1_S fails, in rationals")
    yield same(0, unfound, statement="instances that the library does not find compatible and separable")


def _interpolate(triangle: np.ndarray, logits: np.ndarray) -> list[list[Fraction]]:
    """Rows of the decoder with given logits, by forward substitution on a unit lower triangle."""
    decoder = []
    for column in logits.T:
        row: list[Fraction] = []
        for j, target in enumerate(column):
            known = sum((int(x) * w for x, w in zip(triangle[j], row, strict=False)), Fraction(0))
            row.append(int(target) - known)
        decoder.append(row)
    return decoder


@claim("bias/remark-1", source="2402.18551 Remark 1", evidence="exact")
def remark_1() -> Iterator[Check]:
    """With one next token a context, H = 0, F = {0}, and separability is that of multiclass classification.

    Ten one-hot integer datasets: H and dim F; a rational proof of each answer on the constraints (e_y - e_v)^T W h
    >= 1 alone. The thresholds that the remark leaves open stay open.
    """
    r = np.random.default_rng(10)
    wrong = unproved = 0
    for _ in range(10):
        m, v, d = int(r.integers(2, 5)), int(r.integers(2, 4)), int(r.integers(1, 3))
        embeddings = np.unique(r.integers(-2, 3, (m, d)), axis=0)
        counts = np.eye(v, dtype=int)[r.integers(0, v, len(embeddings))]
        data = NTPDataset.from_counts(embeddings, counts)
        wrong += data.entropy != 0.0 or data_subspace(data).dim != 0 or rational.rank(rational.generators(data)) != 0
        answer = check_separability(data)
        unproved += not _is_proved(data, answer)
    yield same(0, wrong, statement="datasets with H != 0 or dim F != 0")
    yield same(0, unproved, statement="answers without a rational proof")


@claim("bias/erratum-E15", source="2402.18551 Remark 1", evidence="exact", verdict="refuted as written")
def erratum_15() -> Iterator[Check]:
    """For one-hot data F is not "the empty set" but the subspace {0}.

    The one-hot control: no generator, dimension 0, and the zero matrix is in F.
    """
    space = data_subspace(one_hot_control())
    zero = torch.zeros(10, 60, dtype=torch.float64)
    yield same(0, space.dim, statement="dim F")
    yield same(0, int(space.project(zero).count_nonzero()), statement="non-zero entries of P_F 0, an element of F")


@claim("bias/compatibility-count", source="derived (D11)", evidence="exact")
def compatibility_count() -> Iterator[Check]:
    """For supports of two tokens and generic embeddings, dim F = min over edge sets T of d rank(T) + |E - T|.

    Forty random multigraphs on 6 tokens with 9 edges and d = 1, 2, 3: the formula, by a packing into d forests and a
    set T that prove it; the rank over the rationals; and the library's dim F. Data is compatible for every p exactly
    if dim F is the number of generators.
    """
    r = np.random.default_rng(11)
    unproved = mismatches = wrong_answers = 0
    for _ in range(40):
        d = int(r.integers(1, 4))
        edges = [tuple(r.choice(6, 2, replace=False).tolist()) for _ in range(9)]
        counts = np.zeros((9, 6), dtype=int)
        for j, edge in enumerate(edges):
            counts[j, list(edge)] = r.integers(1, 100, 2)
        data = NTPDataset.from_counts(r.integers(-10_000, 10_000, (9, d)), counts)
        packed = forest_decomposition(data.pattern, d)
        unproved += not packed.verify()
        mismatches += not packed.rank == rational.rank(rational.generators(data)) == data_subspace(data).dim
        wrong_answers += check_compatibility(data).compatible != packed.independent  # random counts: generic p
    yield same(0, unproved, statement="multigraphs where forests or T do not prove the formula")
    yield same(0, mismatches, statement="multigraphs where the three dimensions differ")
    yield same(0, wrong_answers, statement="multigraphs where compatibility of random counts is not full rank")
