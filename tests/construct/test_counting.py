import tracemalloc
from collections import Counter
from itertools import cycle, islice

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory.construct import count_contexts
from ntp_theory.errors import DatasetError, UsageError

STREAMS = st.lists(st.sampled_from("abcd"), min_size=5, max_size=40).filter(lambda tokens: len(set(tokens)) > 1)


def by_hand(tokens, length, kept):
    pairs = Counter()
    for i in range(len(tokens) - length):
        window = tuple(tokens[i : i + length + 1])
        if set(window) <= set(kept):
            pairs[window[:-1], window[-1]] += 1
    return pairs


def as_pairs(counted):
    entries = counted.counts.tocoo()
    return {
        (counted.contexts[j], counted.tokens[z]): int(n) for j, z, n in zip(*entries.coords, entries.data, strict=True)
    }


@given(STREAMS, st.integers(1, 4))
def test_counts_are_those_of_a_plain_loop(tokens, length):
    counted = count_contexts(iter(tokens), length)
    assert as_pairs(counted) == by_hand(tokens, length, "abcd")
    assert counted.counts.sum() == len(tokens) - length


@given(STREAMS, st.integers(1, 3), st.integers(2, 4), st.integers(1, 5))
def test_cuts_keep_the_most_frequent(tokens, length, vocab_size, max_contexts):
    kept = [token for token, _ in Counter(tokens).most_common(vocab_size)]
    pairs = by_hand(tokens, length, kept)
    assume(pairs)
    totals = Counter()
    for (context, _), n in pairs.items():
        totals[context] += n
    counted = count_contexts(tokens, length, vocab_size=vocab_size, max_contexts=max_contexts)
    assert counted.tokens == kept
    assert counted.contexts == [context for context, _ in totals.most_common(max_contexts)]
    assert as_pairs(counted) == {pair: n for pair, n in pairs.items() if pair[0] in counted.contexts}
    assert counted.counts.shape == (len(counted.contexts), len(kept))


def test_ties_go_to_what_came_first():
    counted = count_contexts("b a d c b a d c".split(), 1, vocab_size=3, max_contexts=2)
    assert counted.tokens == ["b", "a", "d"]
    assert counted.contexts == [("b",), ("a",)]


def test_memory_does_not_grow_with_the_stream():
    def peak(length):
        tracemalloc.start()
        count_contexts(islice(cycle(["the", "cat", "sat"]), length), 2)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)  # what is imported or cached at first use does not count
    assert peak(200_000) < peak(2_000) + 10_000  # the numbers of 200,000 tokens alone would take 1.6 MB


@pytest.mark.parametrize(
    ("tokens", "sizes", "message"),
    [
        ([], {}, "text holds 0 tokens; it must hold at least context_length . 1 = 3"),
        (["a", "b"], {}, "text holds 2 tokens; it must hold at least context_length . 1 = 3"),
        (["a"] * 9, {}, "text holds one distinct token, 'a'; it must hold at least 2"),
        (["a", "b", "c", "a", "b"], {"vocab_size": 2}, "vocab_size=2 is too small: no 3 neighbouring tokens"),
    ],
)
def test_too_little_text_is_refused(tokens, sizes, message):
    with pytest.raises(DatasetError, match=message):
        count_contexts(tokens, 2, **sizes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context_length": 0}, "context_length is 0; it must be a whole number >= 1"),
        ({"vocab_size": 1}, "vocab_size is 1; it must be a whole number >= 2"),
        ({"max_contexts": 0}, "max_contexts is 0; it must be a whole number >= 1"),
    ],
)
def test_bad_sizes_are_named(change, message):
    with pytest.raises(UsageError, match=message):
        count_contexts("abab", **({"context_length": 1} | change))
