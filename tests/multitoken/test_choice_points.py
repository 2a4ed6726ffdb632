"""Choice points: counts on drawn trajectories against a model that is written out, and the formula."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.multitoken import choice_terms, two_branches, wrong_predictions

heads = st.integers(1, 7)
texts = st.lists(st.sampled_from("abc"), min_size=1, max_size=7).map(tuple)


@given(heads, st.integers(1, 9))
def test_formula_counts_the_branches(n: int, rejoin: int) -> None:
    taken, other = two_branches(n, rejoin)
    found = wrong_predictions(taken, [other], n)
    assert found.count == sum(found.by_head) == choice_terms(n, rejoin)
    assert choice_terms(n, rejoin) <= choice_terms(n) == n * (n + 1) // 2
    assert wrong_predictions(taken, [taken], n).count == 0


@given(texts, texts, heads)
def test_one_expected_trajectory_is_missed_where_it_differs_until_the_choice_is_seen(taken, other, n: int) -> None:
    expected = {
        (t, i)
        for t in range(len(taken))
        for i in range(1, n + 1)
        if t + i < min(len(taken), len(other)) and taken[: t + 1] == other[: t + 1] and taken[t + i] != other[t + i]
    }
    assert set(wrong_predictions(taken, [other], n).pairs) == expected


@given(st.lists(texts, min_size=1, max_size=6), heads)
def test_heads_say_the_likeliest_token_of_the_trajectories_with_this_prefix(branches, n: int) -> None:
    for taken in branches:
        wrong = set(wrong_predictions(taken, branches, n).pairs)
        for t in range(len(taken) - 1):
            for i in range(1, min(n, len(taken) - 1 - t) + 1):
                said = Counter(b[t + i] for b in branches if b[: t + 1] == taken[: t + 1] and len(b) > t + i)
                assert ((t, i) in wrong) == (said[taken[t + i]] < max(said.values()))


@given(st.lists(texts, min_size=1, max_size=6), heads)
def test_repeated_trajectories_are_weights(branches, n: int) -> None:
    for taken in branches:
        assert wrong_predictions(taken, branches, n) == wrong_predictions(taken, dict(Counter(branches)), n)


@pytest.mark.parametrize(
    ("trajectories", "words"),
    [
        ("12AB", "trajectories is '12AB'"),
        ([], "no trajectory of positive weight"),
        ({("1", "2"): 0}, "no trajectory of positive weight"),
        ({("1", "2"): -1.0}, "weight -1.0"),
        ({("1", "2"): float("nan")}, "weight nan"),
    ],
)
def test_refused(trajectories, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wrong_predictions("12", trajectories, 2)


@pytest.mark.parametrize("call", [lambda: choice_terms(0), lambda: two_branches(2, 0), lambda: choice_terms(2, 1.5)])
def test_numbers_are_whole(call) -> None:
    with pytest.raises(UsageError, match="whole number"):
        call()
