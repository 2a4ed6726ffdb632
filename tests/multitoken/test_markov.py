"""Markov chains: laws of heads against enumeration of all texts, floors against all other heads."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.multitoken import HeadFloors, MarkovChain
from ntp_theory.testing import stochastic_matrices

ROUNDING = 1e-12  # sums of a few hundred terms
orders = st.integers(1, 2)


@st.composite
def chains(draw) -> MarkovChain:
    return MarkovChain.of(draw(stochastic_matrices(max_size=3, order=draw(orders))))


def enumerated(chain: MarkovChain, head: int) -> np.ndarray:
    """The law of the last of ``head`` tokens, over all texts."""
    found = np.zeros((len(chain.contexts), chain.vocab_size))
    for a, context in enumerate(chain.contexts):
        for text in itertools.product(range(chain.vocab_size), repeat=head):
            p, now = 1.0, context
            for token in text:
                p *= chain.transitions[chain.contexts.index(now), token]
                now = (*now[1:], token)
            found[a, text[-1]] += p
    return found


@settings(deadline=None, max_examples=40)
@given(chains(), st.integers(1, 4))
def test_law_and_support_of_a_head(chain: MarkovChain, head: int) -> None:
    expected = enumerated(chain, head)
    np.testing.assert_allclose(chain.head_law(head), expected, atol=ROUNDING)
    assert ((expected > 0) == chain.support(head)).all()


@settings(deadline=None)
@given(chains())
def test_stationary_law_stays(chain: MarkovChain) -> None:
    after = np.zeros(len(chain.contexts))
    np.add.at(after, chain.successors, chain.stationary[:, None] * chain.transitions)
    np.testing.assert_allclose(after, chain.stationary, atol=ROUNDING)
    assert chain.stationary.sum() == pytest.approx(1.0) and (chain.stationary >= 0).all()


@settings(deadline=None)
@given(chains())
def test_floors_do_not_fall_and_have_their_limit(chain: MarkovChain) -> None:
    found = chain.floors(200)  # token 0 may always come: the rows are as good as equal by then
    assert all(a <= b + ROUNDING for a, b in itertools.pairwise(found.floors))
    assert found.floors[-1] == pytest.approx(found.limit, abs=1e-9) and found.limit <= found.entropy + ROUNDING
    assert found.excess[0] == 0.0


@settings(deadline=None)
@given(chains(), st.integers(0, 10**6))
def test_no_head_is_below_its_floor(chain: MarkovChain, seed: int) -> None:
    floors = chain.floors(3)
    laws = np.stack([chain.head_law(head) for head in (1, 2, 3)])
    with np.errstate(divide="ignore"):
        own = chain.losses(np.log(laws))
    np.testing.assert_allclose(own, floors.floors, atol=ROUNDING)
    other = chain.losses(np.log(np.random.default_rng(seed).dirichlet(np.ones(chain.vocab_size), laws.shape[:2])))
    assert all(check.holds and check.evidence == "certified" for check in floors.checks(other.tolist()))
    assert not any(check.holds for check in floors.checks((own - 1e-6).tolist()))


def test_limit_of_a_periodic_chain_and_of_parts() -> None:
    half, zero = 0.5, 0.0
    # classes {0}, {1, 2} in turn: after an even number of steps a token of one's own class
    periodic = MarkovChain.of([[zero, half, half], [1, 0, 0], [1, 0, 0]]).floors(31)
    assert periodic.limit == pytest.approx(math.log(2) / 2) == pytest.approx(periodic.floors[-1])
    assert periodic.entropy == pytest.approx(1.5 * math.log(2))
    parts = MarkovChain.of(np.kron(np.eye(2), np.full((2, 2), half)), stationary=[0.1, 0.1, 0.4, 0.4]).floors(3)
    assert parts.limit == pytest.approx(math.log(2)) == pytest.approx(parts.floors[-1]) and parts.entropy > parts.limit


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=40), orders)
def test_a_text_read_as_a_circle_is_stationary_with_its_own_frequencies(text: list[int], order: int) -> None:
    chain = MarkovChain.from_tokens(text, order)
    again = text + text[: order + 1]
    for a, context in enumerate(chain.contexts):
        places = [t for t in range(len(text)) if tuple(again[t : t + order]) == context]
        assert chain.stationary[a] == pytest.approx(len(places) / len(text))
        for token in range(chain.vocab_size):
            follows = sum(again[t + order] == token for t in places)
            assert chain.transitions[a, token] == pytest.approx(follows / len(places))
    after = np.zeros(len(chain.contexts))
    np.add.at(after, chain.successors, chain.stationary[:, None] * chain.transitions)
    np.testing.assert_allclose(after, chain.stationary, atol=ROUNDING)


def test_samples_have_the_frequencies_of_the_chain() -> None:
    chain = MarkovChain.of([[0.9, 0.1], [0.4, 0.6]])
    counted = MarkovChain.from_tokens(chain.sample(20_000, rng=0))
    # five standard errors of a fraction of some 4,000 independent visits
    np.testing.assert_allclose(counted.transitions, chain.transitions, atol=5 * 0.5 / math.sqrt(4_000))
    assert len(chain.sample(1)) == 1 and chain.sample(50, rng=3).tolist() == chain.sample(50, rng=3).tolist()


def test_dataset_of_a_head_drops_contexts_that_never_come() -> None:
    chain = MarkovChain.of([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    data = chain.dataset(np.eye(3), 2)
    assert data.num_contexts == 2 and data.embeddings.tolist() == np.eye(3)[:2].tolist()
    assert data.entropy == pytest.approx(chain.floors(2).floors[1])


def test_unlikely_tokens_keep_their_place_in_the_support() -> None:
    tiny = 1e-200
    chain = MarkovChain.of([[1 - tiny, tiny, 0], [1 - tiny, 0, tiny], [1, 0, 0]])
    assert chain.head_law(2)[0, 2] == 0.0 and chain.support(2)[0, 2]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: MarkovChain.of([[0.5, 0.6], [0.5, 0.5]]), DatasetError, "row 0 sums to 1.1"),
        (lambda: MarkovChain.of([[1.5, -0.5], [0.5, 0.5]]), DatasetError, "row 0 has the entry -0.5"),
        (lambda: MarkovChain.of([[0.5, 0.5]]), DatasetError, r"shape \(1, 2\)"),
        (lambda: MarkovChain.of(np.eye(2)), UsageError, "2 parts of the chain"),
        (lambda: MarkovChain.of([[0, 1], [1, 0]], stationary=[0.4, 0.6]), DatasetError, "must not change in a step"),
        (lambda: MarkovChain.of(np.eye(2), stationary=[1.0]), DatasetError, "1 entries but there are 2"),
        (lambda: MarkovChain.from_tokens([0]), DatasetError, "at least order"),
        (lambda: MarkovChain.from_tokens([0, -1, 2]), DatasetError, "whole numbers"),
        (lambda: MarkovChain.of([[0.5, 0.5], [1, 0]]).head_law(0), UsageError, "head is 0"),
        (lambda: MarkovChain.of([[0.5, 0.5], [1, 0]]).losses(np.zeros((1, 2, 2))), DatasetError, "normalise"),
        (lambda: MarkovChain.of([[0.5, 0.5], [1, 0]]).losses(np.zeros((1, 2, 3))), DatasetError, "expected"),
        (lambda: MarkovChain.of([[0.5, 0.5], [1, 0]]).losses(np.full((1, 2, 2), np.nan)), DatasetError, "normalise"),
        (lambda: MarkovChain.of([[0.5, 0.5], [1, 0]]).dataset(np.eye(3)), DatasetError, "3 rows"),
        (lambda: HeadFloors((0.1,), 0.1, 0.1).checks([0.1, 0.2]), UsageError, "2 entries"),
        (lambda: HeadFloors((0.1,), 0.1, 0.1).checks([0.1], [0.1, 0.2]), UsageError, "one each"),
    ],
)
def test_refused(call, error, words: str) -> None:
    with pytest.raises(error, match=words):
        call()
