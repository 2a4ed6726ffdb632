"""Typical acceptance: what it keeps, and that it keeps no law."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ...checks import Check
from ...sequence.decoding import total_variation, typical_threshold, typical_tokens
from ..registry import at_most, claim, same
from .settings import kept, matched, numbered, pairs

EPSILON, DELTA = Fraction(9, 100), Fraction(3, 10)


@claim("medusa/typical-acceptance", source="2401.10774 Sec. 2.3", evidence="exact")
def rule() -> Iterator[Check]:
    """Keep x if p(x) > min(eps, delta exp(-H)); the output is then certain, at the distance 1 - p(output) from p.

    Decided in integers: uniform laws keep all, (97, 2, 1)/100 its first token; at 200 drawn laws floats agree. A draft
    that is kept is the output: (1/2, 1/2) keeps both, at a distance of 1/2 either way.
    """
    yield same("9/100", str(DELTA**2), statement="delta^2 = eps")
    uniform = [bool(typical_tokens([Fraction(1, v)] * v).all()) for v in (2, 8, 16, 32)]
    yield same(True, all(uniform), statement="uniform laws on 2, 8, 16, 32 keep all tokens")
    sharp = typical_tokens([Fraction(97, 100), Fraction(2, 100), Fraction(1, 100)])
    yield same("[True, False, False]", str(sharp.tolist()), statement="kept of (97, 2, 1)/100")
    agree = 0
    for target, _ in pairs(200, 6, 0):
        p = target.law(())
        agree += bool((typical_tokens(p) == typical_tokens(p.astype(float))).all())
    yield same(200, agree, statement="laws of which the rule in floats keeps the same tokens")
    half = [Fraction(1, 2)] * 2
    drafts = np.flatnonzero(typical_tokens(half)).tolist()
    apart = [str(total_variation({draft: 1}, numbered(half))) for draft in drafts]
    yield same("1/2, 1/2", ", ".join(apart), statement="distance for each draft of (1/2, 1/2)")


def _laws(count: int, size: int) -> NDArray[np.float64]:
    """Laws from nearly certain to nearly uniform."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(size), count) ** rng.uniform(0.1, 5, (count, 1))
    laws: NDArray[np.float64] = p / p.sum(1, keepdims=True)
    return laws


@claim("medusa/argmax-accepted", source="derived", evidence="certified")
def argmax_accepted() -> Iterator[Check]:
    """max p >= exp(-H), so with delta < 1 the likeliest token is always kept.

    20,000 laws on 10 tokens: the least max p exp(H), which is 1 at uniform laws; exactly on 200 drawn tables.
    """
    p = _laws(20_000, 10)
    entropy = -(p * np.log(p)).sum(1)
    # rounding of 10 terms of at most 1 each, and of the normalisation
    least = float((p.max(1) * np.exp(entropy)).min())
    yield at_most(0.0, 1 - least, slack=1e-14, evidence="certified", statement="1 - min of max p exp(H)")
    tables = [target.law(()) for target, _ in pairs(200, 6, 0)]
    among = sum(bool(typical_tokens(law_x)[int(law_x.argmax())]) for law_x in tables)
    yield same(200, among, evidence="certified", statement="drawn laws of which the likeliest token is kept")


@claim("medusa/typical-set-size", source="derived", evidence="certified")
def set_size() -> Iterator[Check]:
    """Fewer than 1 / min(eps, delta exp(-H)) tokens are kept.

    200 drawn laws on 12 tokens: the largest share of the bound.
    """
    tables = [target.law(()) for target, _ in pairs(200, 12, 0)]
    share = max(int(typical_tokens(law_x).sum()) * typical_threshold(law_x) for law_x in tables)
    yield at_most(1.0, share, evidence="certified", statement="tokens kept over the bound, largest")


@claim("medusa/entropy-smoothing", source="derived (repository rule)", evidence="exact")
def smoothing() -> Iterator[Check]:
    """With log(p + 1e-5) in the entropy the likeliest token is kept up to 233,333 tokens, and can fail from there on.

    Uniform laws, of which the smoothed exp(-H) is 1/V + 1e-5, in fractions; at V = 10^6 it is 1e-6 against 3.3e-6.
    """

    def threshold(size: int) -> Fraction:
        return min(EPSILON, DELTA * (Fraction(1, size) + Fraction(1, 10**5)))

    sizes = (10**5, 233_333, 233_334, 10**6)
    found = [Fraction(1, size) > threshold(size) for size in sizes]
    yield same("[True, True, False, False]", str(found), statement=f"kept of uniform laws on {sizes} tokens")
    yield same("33/10000000", str(threshold(10**6)), statement="threshold at 10^6 tokens")


@claim("medusa/erratum-perfect-draft", source="2401.10774 Sec. 2.3.1", evidence="exact", verdict="refuted as written")
def perfect_draft() -> Iterator[Check]:
    """Printed: with perfectly aligned distributions a draft may still be rejected. Speculative sampling never does.

    10 drawn laws, V = 4: kept for certain at q = p; of sample-and-match it is true, which keeps sum p^2.
    """
    never_refused = as_stated = 0
    for target, _ in pairs(10, 4, 0):
        p = target.law(())
        never_refused += kept(target.law, target.law, 1) == {1: 1}
        as_stated += matched(p, p) == sum(p * p) < 1
    yield same(10, never_refused, statement="laws of which every draft is kept")
    yield same(10, as_stated, statement="laws of which sample-and-match keeps sum p^2 < 1")
