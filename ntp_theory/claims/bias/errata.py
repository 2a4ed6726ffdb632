"""Statements of the paper that fail as written on small cases, and the autoregressive setting."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import sympy
import torch

from ...checks import Check
from ...construct import designed
from ...dataset import NTPDataset
from ...descent import descend, smoothness_bound
from ...finite_part import InSupportLoss
from ...loss import evaluate
from ...subspace import project_complement
from .. import rational
from ..registry import at_most, claim, close, same
from . import definitions as define
from .shared import integer_data, tiny


@claim("bias/erratum-E1", source="2402.18551 Sec. 4, Eq. (8)", evidence="exact", verdict="refuted as written")
def erratum_1() -> Iterator[Check]:
    """CE is not strictly convex: adding the same row to all rows of W changes nothing.

    The softmax for symbols; the library's loss on instance TINY. Uniqueness on the ball holds by another argument.
    """
    a, b, c, shift = sympy.symbols("a b c t", real=True)
    plain = sympy.exp(a) / (sympy.exp(a) + sympy.exp(b) + sympy.exp(c))
    moved = plain.subs({a: a + shift, b: b + shift, c: c + shift}, simultaneous=True)
    yield same("0", str(sympy.simplify(plain - moved)), statement="change of the softmax, symbolic")
    data = tiny().data
    weights, other = define.random_decoders(data, 2, seed=20)
    yield close(
        evaluate(weights, data).value,
        evaluate(weights + other[:1], data).value,
        relative=False,
        tolerance=2 * define.rounding(data, weights + other[:1]),
        evidence="certified",
        statement="CE(W + 1 c^T) against CE(W), nats",
    )


@claim("bias/erratum-E3", source="2402.18551 Lemma 3", evidence="exact", verdict="refuted as written")
def erratum_3() -> Iterator[Check]:
    """Gradient descent does not always diverge: with full supports the minimum is attained at a finite W*.

    Two contexts, two tokens: the gradient at W* vanishes for symbols; 500 steps stay within ||W* - W_0|| of W*, as
    descent with a step of at most 1/L must, and end at W*.
    """
    half = sympy.log(3) / 2
    q = sympy.simplify(sympy.exp(half) / (sympy.exp(half) + sympy.exp(-half)))
    yield same("3/4", str(q), statement="softmax at W*, the conditional of the first context")
    case = designed("full-support")
    run = descend(case.data, steps=500)
    distances = torch.linalg.vector_norm(run.weights - case.finite, dim=(1, 2))
    yield at_most(float(distances[0]), float(distances.max()), evidence="certified", statement="max ||W_k - W*||")
    # only the log-odds of the first context move, from 0 to log 3; there the Hessian is at least 2 pi q (1 - q) = 1/4
    # and the step 1/L = 3: each step leaves at most a quarter of the distance
    yield at_most(0.0, float(distances[-1]), slack=1e-12, evidence="certified", statement="||W_500 - W*||")


@claim("bias/erratum-E4", source="2402.18551 App. D, after (12)", evidence="exact", verdict="refuted as written")
def erratum_4() -> Iterator[Check]:
    """CE_F(W) is the limit of CE(W + R W^d) only if W^d satisfies (6b) too: W^d = 0 satisfies (6a).

    Equal logits on three tokens with p = (1/2, 1/2, 0): the constant sequence CE(0) = log 3 against CE_F(0) = log
    2.
    """
    chance, logits = sympy.Rational(1, 2), [sympy.Integer(0)] * 3
    losses = []
    for kept in (3, 2):  # the softmax over all tokens, and over the support
        total = sum(sympy.exp(x) for x in logits[:kept])
        losses.append(-sum(chance * sympy.log(sympy.exp(x) / total) for x in logits[:2]))
    yield same("log(3), log(2)", ", ".join(str(x) for x in losses), statement="CE(0) and CE_F(0), symbolic")
    data, zero = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]]), torch.zeros(3, 1, dtype=torch.float64)
    for name, expected, found in (
        ("CE(0)", math.log(3), evaluate(zero, data).value),
        ("CE_F(0)", math.log(2), InSupportLoss(data).value(zero)),
    ):
        yield close(expected, found, tolerance=1e-15, evidence="certified", statement=f"{name}, nats")


@claim("bias/autoregressive", source="2402.18551 App. C", evidence="exact", verdict="holds, repaired")
def autoregressive() -> Iterator[Check]:
    """With all prefixes as contexts, the number m_t of distinct prefixes of length t never falls with t.

    (The paper has it the other way round, `bias/erratum-E9`.) 50 random sets of strings; and the loss over all
    prefixes counts every next token of every string once.
    """
    r = np.random.default_rng(21)
    falls = lost = 0
    for _ in range(50):
        strings = ["".join(r.choice(list("abc"), 6)) for _ in range(12)]
        numbers = [len(_next_tokens(strings, t)) for t in range(1, 6)]
        falls += any(b < a for a, b in itertools.pairwise(numbers))
        total = sum(sum(row.values()) for t in range(1, 6) for row in _next_tokens(strings, t).values())
        lost += total != 12 * 5
    yield same(0, falls, statement="sets of strings where m_t falls")
    yield same(0, lost, statement="sets of strings where a next token is lost or counted twice")


@claim("bias/erratum-E9", source="2402.18551 App. C", evidence="exact", verdict="refuted as written")
def erratum_9() -> Iterator[Check]:
    """The printed order m_1 >= m_2 >= ... of the numbers of distinct prefixes is reversed.

    The strings abc, abd, aec, aed: one prefix of length 1, two of length 2.
    """
    strings = ["abc", "abd", "aec", "aed"]
    yield same(1, len(_next_tokens(strings, 1)), statement="m_1")
    yield same(2, len(_next_tokens(strings, 2)), statement="m_2")


@claim("bias/erratum-E10", source="2402.18551 Remark 2", evidence="exact", verdict="refuted as written")
def erratum_10() -> Iterator[Check]:
    """The entropy H_t of the next token after prefixes of length t need not fall with t.

    The strings abc and abd: H_1 = 0 and H_2 = log 2, decided through the integers e^{n H_t}.
    """
    powers = []
    for t in (1, 2):
        rows = _next_tokens(["abc", "abd"], t).values()
        # e^{n H} = prod_j n_j^{n_j} / prod_z c_{jz}^{c_{jz}}
        terms = (
            Fraction(sum(row.values()) ** sum(row.values()), math.prod(c**c for c in row.values())) for row in rows
        )
        powers.append(math.prod(terms, start=Fraction(1)))
    yield same("1", str(powers[0]), statement="e^{2 H_1}, so H_1 = 0")
    yield same("4", str(powers[1]), statement="e^{2 H_2}, so H_2 = log 2")


def _next_tokens(strings: Sequence[str], length: int) -> dict[str, Counter[str]]:
    """What follows each prefix of a length."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for string in strings:
        rows[string[:length]][string[length]] += 1
    return rows


@claim("bias/erratum-E11", source="2402.18551 Lemma 4 (4)", evidence="exact", verdict="refuted as written")
def erratum_11() -> Iterator[Check]:
    """The norm of W is not the sum of the norms of its two parts: their squares add up.

    Integer decoders on the integer datasets where both parts are not zero, in rationals.
    """
    r = np.random.default_rng(22)
    pythagoras = printed = cases = 0
    for data in integer_data():
        flat = [Fraction(int(x)) for x in r.integers(-3, 4, data.vocab_size * data.dim)]
        inside = rational.project(rational.generators(data), flat)
        outside = [w - x for w, x in zip(flat, inside, strict=True)]
        whole, a, b = (sum((x * x for x in part), Fraction(0)) for part in (flat, inside, outside))
        if a and b:
            cases += 1
            pythagoras += whole != a + b
            printed += (whole - a - b) ** 2 == 4 * a * b  # the square of sqrt(whole) = sqrt(a) + sqrt(b)
    yield same(0, pythagoras, statement=f"decoders among {cases} that break Pythagoras")
    yield same(0, printed, statement=f"decoders among {cases} that satisfy the printed identity")


@claim("bias/erratum-E12", source="2402.18551 proof of Thm 2", evidence="certified", verdict="refuted as written")
def erratum_12() -> Iterator[Check]:
    """The step off F is bounded by the fall of CE(W_k), not by that of CE at the part of W_k off F.

    ``||P_perp (W_{k+1} - W_k)||^2 <= 2 eta / (2 - eta L) (CE_k - CE_{k+1})`` at each of 20 steps from five random
    starts on instance TINY, for eta = 0.5/L and 1.9/L; at some step the printed difference is too small.
    """
    data = tiny().data
    smoothness, repaired, printed = smoothness_bound(data), -math.inf, -math.inf
    for share in (0.5, 1.9):
        step_size = share / smoothness
        factor = 2 * step_size / (2 - share)
        for start in define.random_decoders(data, 5, seed=30):
            run = descend(data, steps=20, step_size=step_size, init=start, record="all")
            off = [project_complement(weights, data) for weights in run.weights]
            squares = torch.stack([(b - a).square().sum() for a, b in itertools.pairwise(off)])
            slack = factor * define.rounding(data, start)
            repaired = max(repaired, float((squares - factor * (run.gap[:-1] - run.gap[1:])).max()) - slack)
            gaps = torch.tensor([evaluate(weights, data).gap for weights in off], dtype=torch.float64)
            printed = max(printed, float((squares - factor * (gaps[:-1] - gaps[1:])).max()) - slack)
    yield at_most(0.0, repaired, evidence="certified", statement="squared step minus the bound, largest")
    yield at_most(
        printed, 1e-4, evidence="certified", statement="1e-4 <= squared step minus the printed bound, somewhere"
    )


@claim("bias/erratum-E13", source="2402.18551 captions of Figs. 1, 2", evidence="exact", verdict="refuted as written")
def erratum_13() -> Iterator[Check]:
    """No assignment of contexts A, B, C to the supports makes both captions of the toy figures true.

    All six: word 3 after A only, and words 1 and 5 after A and B.
    """
    supports = ({1, 2, 5}, {1, 4, 5}, {2, 3, 4})
    satisfied = 0
    for a, b, c in itertools.permutations(supports):
        only_a = 3 in a and 3 not in b and 3 not in c
        satisfied += only_a and {1, 5} <= a and {1, 5} <= b
    yield same(0, satisfied, statement="assignments that satisfy both captions")
