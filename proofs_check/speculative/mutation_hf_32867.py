"""A greedy assistant tested with softmax probabilities emits (.75, .25) where the target says (.6, .4).

The draft law is q = (.8, .2); the greedy assistant always drafts token 0, but the test uses q(0) = .8. So token 0 is
kept with probability .6 / .8 = .75, and a refusal emits token 1, the only one with p > q.
"""

from __future__ import annotations

from fractions import Fraction

from ..kit.decoding import distance, law, residual, verify
from ..statement import Statement

statement = Statement(
    "speculative/mutation-hf-32867",
    source="transformers #32867; checked",
    verdict="proved",
    needs=["speculative/mutation-argmax-draft"],
)

P, Q = [Fraction(6, 10), Fraction(4, 10)], [Fraction(8, 10), Fraction(2, 10)]


@statement.proves("the output law over all branches is (3/4, 1/4), at distance 3/20 from the target")
def wrong() -> bool:
    found = law(lambda choose: verify(choose, P, Q, Q.index(max(Q)))[1])
    gap = distance(found, dict(enumerate(P)))
    return found == {0: Fraction(3, 4), 1: Fraction(1, 4)} and gap == Fraction(3, 20)


@statement.proves("the residual law is token 1 for certain")
def after_refusal() -> bool:
    return residual(P, Q) == [0, 1]


@statement.proves("exact again if the assistant samples from q, or if the test takes its draft law to be token 0")
def repaired() -> bool:
    sampled = law(lambda choose: verify(choose, P, Q, choose(Q))[1])
    certain = law(lambda choose: verify(choose, P, [Fraction(1), Fraction(0)], 0)[1])
    return sampled == certain == dict(enumerate(P))
