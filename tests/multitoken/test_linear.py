"""Datasets of linear heads: counts against a count by hand, supports against the chains that made the texts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ntp_theory as ntp
from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.multitoken import MarkovChain, lost_support, multi_token_datasets

texts = st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=1, max_size=3)


def pairs(data: ntp.NTPDataset) -> dict[tuple[str, str], int]:
    entries = zip(data.pattern.contexts, data.pattern.tokens, data.counts, strict=True)
    return {(data.context_names[j], data.token_names[v]): int(count) for j, v, count in entries}


@settings(deadline=None)
@given(texts, st.integers(1, 3), st.integers(1, 2))
def test_counts(sequences, n: int, length: int) -> None:
    expected = [Counter() for _ in range(n)]
    for text in sequences:
        for t in range(len(text)):
            if t + 1 >= length and t + n < len(text):
                for i in range(1, n + 1):
                    expected[i - 1][" ".join(text[t + 1 - length : t + 1]), text[t + i]] += 1
    if not expected[0] or len({token for text in sequences for token in text}) < 2:
        with pytest.raises(DatasetError):
            multi_token_datasets(sequences, n, context_length=length, dim=3)
        return
    found = multi_token_datasets(sequences, n, context_length=length, dim=3)
    assert [pairs(data) for data in found] == [dict(each) for each in expected]
    assert all(data.weights.equal(found[0].weights) and data.embeddings.equal(found[0].embeddings) for data in found)


def test_heads_of_a_sampled_text_tend_to_those_of_the_chain() -> None:
    chain = MarkovChain.of([[0.7, 0.3], [0.2, 0.8]])
    found = multi_token_datasets([chain.sample(20_000, rng=1).tolist()], 3, dim=2)
    floors = chain.floors(3).floors
    # entropies of fractions of 10,000 visits or so: five standard errors of a mean of |log p| <= 1.7
    assert [data.entropy for data in found] == pytest.approx(list(floors), abs=5 * 1.7 / 100)


def test_supports_that_shrink_are_named() -> None:
    found = multi_token_datasets([list("abdacdabdacd")], 2, dim=3)
    assert lost_support(found)[0][:2] == [("'a'", "'b'"), ("'a'", "'c'")]
    grow = multi_token_datasets([list("aaabbbaaabbbaa")], 2, dim=3)
    assert lost_support(grow) == [[]]


def test_every_head_meets_its_own_prediction() -> None:
    for data in multi_token_datasets([list("abacabadabacabaabbccdd")], 3, dim=5):
        assert ntp.compare(ntp.descend(data, steps=2_000), ntp.predict(data)).holds


def test_tokens_may_be_numbers() -> None:
    [data] = multi_token_datasets([[3, 1, 3, 1, 2]], 1, dim=2)
    assert data.token_names == ("3", "1", "2") and data.context_names == ("3", "1")


@pytest.mark.parametrize("sequences", ["abab", ["abab"]])
def test_texts_are_split_by_the_caller(sequences) -> None:
    with pytest.raises(UsageError, match="split each text"):
        multi_token_datasets(sequences, 1)
