"""Section 2 of the paper: the loss, its floor, the subspace F, and the exact split of the loss."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import mpmath
import numpy as np
import sympy
import torch

from ...checks import Check
from ...construct import designed
from ...dataset import NTPDataset
from ...finite_part import InSupportLoss
from ...loss import evaluate, gradient, gradient_parts
from ...subspace import data_subspace, project, project_complement
from .. import rational
from ..registry import at_most, claim, close, same
from . import definitions as define
from .shared import a2, integer_data, lemma5, tiny


@claim("bias/loss", source="2402.18551 Eq. (2)", evidence="exact")
def training_loss() -> Iterator[Check]:
    """The average loss over the n training sequences is the loss over the m distinct contexts with their frequencies.

    A random sample of 300 sequences: counted weights against the sample in integers; loss and gradient of the
    library against the plain average and its automatic derivative, to rounding.
    """
    r = np.random.default_rng(0)
    contexts = r.integers(0, 6, 300)
    tokens = (contexts + r.integers(0, 3, 300)) % 5  # three of five tokens after each context
    sample = list(zip(contexts.tolist(), tokens.tolist(), strict=True))
    counts = np.zeros((6, 5), dtype=np.int64)
    np.add.at(counts, tuple(np.transpose(sample)), 1)
    data = NTPDataset.from_counts(r.standard_normal((6, 4)), counts)
    entries = zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True)
    assert data.counts is not None
    kept = Counter(dict(zip(entries, data.counts.tolist(), strict=True)))
    yield same(
        0, len((kept - Counter(sample)) + (Counter(sample) - kept)), statement="(context, token) counts that differ"
    )

    (weights,) = define.random_decoders(data, 1, seed=1)
    logs = define.log_softmax(weights, data)
    average = -sum(float(logs[j, z]) for j, z in sample) / len(sample)
    yield close(
        average,
        evaluate(weights, data).value,
        relative=False,
        tolerance=10 * define.rounding(data, weights),
        evidence="certified",
        statement="CE against the average over the sample, nats",
    )
    expected = define.gradient(weights, data)
    yield at_most(
        0.0,
        float((gradient(weights, data) - expected).norm()),
        slack=10 * define.rounding(data, weights),
        evidence="certified",
        statement="||grad CE - automatic derivative of the definition||",
    )


@claim("bias/entropy-floor", source="2402.18551 Sec. 2", evidence="exact")
def entropy_floor() -> Iterator[Check]:
    """CE(W) is the entropy H of the data plus a Kullback-Leibler divergence, so it is never below H.

    The identity for symbols p and logits; H, CE and KL of the library against their definitions on random decoders.
    """
    p, a, b = sympy.symbols("p a b", positive=True)
    chances, masses = (p, 1 - p), (a / (a + b), b / (a + b))
    cross = -sum(c * sympy.log(q) for c, q in zip(chances, masses, strict=True))
    floor = -sum(c * sympy.log(c) for c in chances)
    divergence = sum(c * (sympy.log(c) - sympy.log(q)) for c, q in zip(chances, masses, strict=True))
    yield same("0", str(sympy.expand(cross - floor - divergence)), statement="CE - H - KL, symbolic")

    data = lemma5().data
    entropy = define.entropy(data)
    tolerance = 1e-14 * data.num_contexts * data.vocab_size
    yield close(entropy, data.entropy, relative=False, tolerance=tolerance, evidence="certified", statement="H, nats")
    lowest, furthest = math.inf, 0.0
    for weights in define.random_decoders(data, 50, seed=0, scale=0.5):
        kl = float(define.cross_entropy(weights, data)) - entropy
        found = evaluate(weights, data)
        lowest = min(lowest, found.value - entropy)
        furthest = max(furthest, abs(found.gap - kl) - define.rounding(data, weights))
    yield at_most(lowest, 0.0, slack=tolerance, evidence="certified", statement="0 <= min CE - H over 50 decoders")
    yield at_most(0.0, furthest, slack=tolerance, evidence="certified", statement="largest |gap - KL| beyond rounding")


@claim("bias/entropy-conditions", source="2402.18551 Eq. (3a), (3b)", evidence="certified")
def entropy_conditions() -> Iterator[Check]:
    """The loss equals H only where the softmax is p_j on each support and 0 off it.

    Pinsker: CE - H >= 1/2 sum pi_j ||softmax - p_j||_1^2 on random decoders of growing size; and equality at W* of
    data with full supports.
    """
    data = tiny().data
    worst = -math.inf
    for scale in (0.01, 0.1, 1.0, 5.0):
        for weights in define.random_decoders(data, 20, seed=2, scale=scale):
            distance = (define.log_softmax(weights, data).exp() - define.probabilities(data)).abs().sum(1)
            bound = 0.5 * float((data.weights * distance.square()).sum())
            worst = max(worst, bound - evaluate(weights, data).gap - define.rounding(data, weights))
    yield at_most(0.0, worst, evidence="certified", statement="Pinsker's bound minus CE - H, largest of 80 decoders")
    full = designed("full-support")
    yield at_most(
        0.0,
        evaluate(full.finite, full.data).gap,
        slack=define.rounding(full.data, full.finite),
        evidence="certified",
        statement="CE - H at W* of full supports",
    )


@claim("bias/data-subspace", source="2402.18551 Eq. (5)", evidence="exact")
def subspace_f() -> Iterator[Check]:
    """F is spanned by the (e_z - e_z') h_j^T; if (4) is solvable, W* is its one solution in F and W* + F_perp are all.

    dim F against the rank over the rationals on 24 integer datasets, projections against exact ones; on instance
    TINY the log-odds of W* and of W* plus an element of F_perp.
    """
    dimensions = [(rational.rank(rational.generators(data)), data_subspace(data).dim) for data in integer_data()]
    yield same(0, sum(exact != found for exact, found in dimensions), statement="wrong dim F among 24 datasets")

    worst = 0.0
    r = np.random.default_rng(3)
    for data in integer_data():
        weights = torch.from_numpy(r.integers(-3, 4, (data.vocab_size, data.dim))).double()
        flat = [Fraction(x) for x in weights.flatten().tolist()]
        exact = torch.tensor([float(x) for x in rational.project(rational.generators(data), flat)], dtype=torch.float64)
        inside, outside = project(weights, data), project_complement(weights, data)
        shape = inside.shape
        worst = max(worst, float((inside - exact.reshape(shape)).norm()))
        worst = max(worst, float((outside + exact.reshape(shape) - weights).norm()))
    yield at_most(0.0, worst, slack=1e-12, evidence="certified", statement="||P_F W - exact projection||, largest")

    limit = tiny()
    space = data_subspace(limit.data)
    p, pattern = define.probabilities(limit.data), limit.data.pattern
    (shift,) = define.random_decoders(limit.data, 1, seed=4)
    shift = space.project_complement(shift)
    for name, weights in (("W*", limit.finite), ("W* + A, A in F_perp", limit.finite + shift)):
        logits = limit.data.embeddings @ weights.T
        missed = (logits - p.log())[pattern.contexts, pattern.tokens]
        spread = float((pattern.max(missed) - pattern.min(missed)).max())
        yield at_most(
            0.0, spread, slack=1e-11, evidence="certified", statement=f"error of the log-odds of {name}, nats"
        )
    off = float(space.project_complement(limit.finite).norm())
    yield at_most(0.0, off, slack=1e-11, evidence="certified", statement="||P_perp W*||")


@claim("bias/auxiliary-loss", source="2402.18551 Eq. (12), (13)", evidence="certified")
def auxiliary_loss() -> Iterator[Check]:
    """The loss CE_F with softmaxes on the supports only is CE less the off-support tail; its least value is H.

    Instance LEMMA5 on random decoders, Eq. (12) evaluated term by term; (13) at W*.
    """
    limit = lemma5()
    data, inside = limit.data, InSupportLoss(limit.data)
    wrong, above, tail = 0.0, -math.inf, 0.0
    for weights in define.random_decoders(data, 20, seed=5, scale=0.5):
        slack, expected = define.rounding(data, weights), define.in_support_loss(weights, data)
        parts = evaluate(weights, data)
        wrong = max(wrong, abs(inside.value(weights) - expected) - slack)
        wrong = max(wrong, abs(parts.in_support + define.entropy(data) - expected) - slack)
        above = max(above, expected - float(define.cross_entropy(weights, data)) - slack)
        mass = -float((data.weights * (-define.off_support_mass(weights, data)).log1p()).sum())
        tail = max(tail, abs(parts.tail - mass) - slack, abs(parts.value - expected - mass) - slack)
    yield at_most(0.0, wrong, statement="|CE_F - Eq. (12)| beyond rounding", evidence="certified")
    yield at_most(0.0, above, statement="CE_F - CE, largest", evidence="certified")
    yield at_most(0.0, tail, statement="|CE - CE_F - sum pi_j (-log(1 - eps_j))| beyond rounding", evidence="certified")
    yield close(
        define.entropy(data),
        define.in_support_loss(limit.finite, data),
        relative=False,
        tolerance=define.rounding(data, limit.finite),
        evidence="certified",
        statement="CE_F(W*) against H, nats",
    )


@claim("bias/split", source="derived (D1)", evidence="exact")
def split() -> Iterator[Check]:
    """CE - H is a divergence on the supports, which depends on P_F W alone, plus sum pi_j (-log(1 - eps_j)).

    The identity for symbols; against 60-digit arithmetic with tails from 1e-2 to 1e-300; and under shifts in
    F_perp.
    """
    p, a, b, c = sympy.symbols("p a b c", positive=True)
    total = a + b + c
    whole = p * sympy.log(p * total / a) + (1 - p) * sympy.log((1 - p) * total / b)
    kept = p * sympy.log(p * (a + b) / a) + (1 - p) * sympy.log((1 - p) * (a + b) / b)
    tail = sympy.log(total / (a + b))
    difference = sympy.simplify(sympy.expand_log(whole - kept - tail, force=True))
    yield same("0", str(difference), statement="CE - H - KL - tail, symbolic")

    limit = tiny()
    assert limit.direction is not None
    worst = {"in_support": 0.0, "tail": 0.0}
    for gap in (5.0, 40.0, 300.0, 690.0):
        weights = 0.9 * limit.finite + gap * limit.direction
        found = evaluate(weights, limit.data)
        for name, value in _split_in_60_digits(weights, limit.data).items():
            worst[name] = max(worst[name], float(abs(getattr(found, name) / value - 1)))
    # the logits carry a relative rounding of a few units in the last place; at a gap of 690 that is 1e-12 in the tail
    for name, error in worst.items():
        yield at_most(
            0.0, error, slack=1e-10, evidence="certified", statement=f"relative error of {name}, tails to 1e-300"
        )

    (start, shift) = define.random_decoders(limit.data, 2, seed=6)
    moved = start + project_complement(shift, limit.data)
    yield close(
        evaluate(start, limit.data).in_support,
        evaluate(moved, limit.data).in_support,
        tolerance=1e-12,
        evidence="certified",
        statement="the part on the supports after a shift in F_perp",
    )


def _split_in_60_digits(weights: torch.Tensor, data: NTPDataset) -> dict[str, mpmath.mpf]:
    in_support, tail = mpmath.mpf(0), mpmath.mpf(0)
    rows = zip(data.embeddings.tolist(), data.support.tolist(), define.probabilities(data).tolist(), strict=True)
    with mpmath.workdps(60):
        for pi, (h, support, p) in zip(data.weights.tolist(), rows, strict=True):
            logits = [mpmath.fdot(zip(row, h, strict=True)) for row in weights.tolist()]
            inside = mpmath.fsum(mpmath.exp(x) for x in itertools.compress(logits, support))
            off = mpmath.fsum(mpmath.exp(x) for x, kept in zip(logits, support, strict=True) if not kept)
            tail += pi * mpmath.log1p(off / inside)
            chances = zip(itertools.compress(p, support), itertools.compress(logits, support), strict=True)
            in_support += pi * mpmath.fsum(q * (mpmath.log(q) - x + mpmath.log(inside)) for q, x in chances)
        return {"in_support": +in_support, "tail": +tail}


@claim("bias/tail-exact", source="derived", evidence="certified")
def tail_exact() -> Iterator[Check]:
    """The form softmax - p loses P_perp of the gradient below rounding; with the tail kept apart it survives.

    Instance A2 at W* + R W_mm: the two parts add up to the gradient at R = 3; at R = 60, where the mass is 1e-27,
    the plain form is wrong by more than its size while the direction of the tail agrees with a run of the same
    formula at R = 60 in logits with the common factor e^-60 removed.
    """
    limit = a2()
    data = limit.data
    assert limit.direction is not None

    near = limit.finite + 3.0 * limit.direction
    parts = gradient_parts(near, data)
    whole = parts.in_support + math.exp(parts.log_scale) * parts.tail
    yield at_most(
        0.0,
        float((whole - define.gradient(near, data)).norm()),
        slack=define.rounding(data, near),
        evidence="certified",
        statement="||in-support part + tail - gradient|| at R = 3",
    )
    off_f = project_complement(parts.in_support, data)
    yield at_most(
        0.0, float(off_f.norm()), slack=1e-13, evidence="certified", statement="||P_perp of the in-support part||"
    )

    far = limit.finite + 60.0 * limit.direction
    logits = data.embeddings @ far.T
    level = torch.where(data.support, logits, -torch.inf).logsumexp(1, keepdim=True)
    off = torch.where(data.support, 0.0, (logits - level + 60.0).exp())
    inside = torch.where(data.support, (logits - level).exp(), 0.0)
    rows = data.weights[:, None] * (off - off.sum(1, keepdim=True) * inside)  # 1 - eps_j = 1 to all digits
    expected = project_complement(rows.T @ data.embeddings, data)
    parts = gradient_parts(far, data)
    found = math.exp(parts.log_scale + 60.0) * project_complement(parts.tail, data)
    size = float(expected.norm())
    yield at_most(
        0.0,
        float((found - expected).norm()) / size,
        slack=1e-10,
        evidence="certified",
        statement="relative error of P_perp grad from its parts at R = 60",
    )
    plain = (define.log_softmax(far, data).exp() - define.probabilities(data)) * data.weights[:, None]
    lost = project_complement(plain.T @ data.embeddings, data) * math.exp(60.0)
    yield at_most(
        float((lost - expected).norm()) / size,
        1.0,
        evidence="certified",
        statement="1 <= relative error of P_perp (softmax - p) there",
    )
