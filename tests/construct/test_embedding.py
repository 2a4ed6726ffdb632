from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import embedding_map
from ntp_theory.errors import DatasetError, UsageError

CONTEXTS = st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), min_size=2, max_size=6, unique=True)
NAMED = pytest.mark.parametrize("name", ["random", "additive"])


@NAMED
@given(CONTEXTS, st.integers(0, 2**32))
def test_a_vector_depends_on_its_context_alone(name, contexts, seed):
    embed = embedding_map(name, dim=8, rng=seed)
    together = embed(contexts)
    assert np.array_equal(embed(contexts[::-1]), together[::-1])
    assert np.array_equal(embedding_map(name, dim=8, rng=seed)(contexts[1:]), together[1:])


@NAMED
def test_seeds_and_generators_choose_the_map(name):
    contexts = [("a", "b"), ("b", "a")]
    first = embedding_map(name, rng=1)(contexts)
    assert first.shape == (2, 64)
    assert not np.array_equal(first, embedding_map(name, rng=2)(contexts))
    assert np.array_equal(first, embedding_map(name, rng=np.random.default_rng(1))(contexts))


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_additive_sums_are_exact(length, seed):
    embed = embedding_map("additive", dim=5, rng=seed)
    same, other = ("a",) * length, ("b",) * length
    mixed = [same[:i] + other[i:] for i in range(length + 1)]
    vectors = [[Fraction(x) for x in row] for row in embed(mixed).tolist()]
    assert all((x * 1024).denominator == 1 for row in vectors for x in row)
    # changing one position changes the vector by the same amount whatever stands elsewhere
    crossed = embed([("a", "a") + other, ("b", "a") + other, ("a", "b") + same, ("b", "b") + same])
    steps = [[Fraction(x) for x in row] for row in crossed.tolist()]
    assert [a - b for a, b in zip(*steps[:2], strict=True)] == [a - b for a, b in zip(*steps[2:], strict=True)]


def test_additive_embeddings_know_the_order():
    embed = embedding_map("additive", dim=4)
    assert len(np.unique(embed([("a", "b"), ("b", "a")]), axis=0)) == 2


@NAMED
def test_entries_are_standard_normal(name):
    contexts = [(str(i),) for i in range(100)]
    entries = embedding_map(name, dim=100)(contexts)
    # 10^4 entries: the mean has deviation 0.01, the mean square sqrt(2)/100; five of either
    assert abs(entries.mean()) < 0.05 and abs((entries**2).mean() - 1) < 0.071


@pytest.mark.parametrize("wrap", [np.asarray, torch.tensor, list])
def test_a_callable_sees_tuples_of_tokens(wrap):
    embed = embedding_map(lambda contexts: wrap([[float(len(a)), float(len(b))] for a, b in contexts]))
    assert embed([("x", "yy"), ("zzz", "")]).tolist() == [[1.0, 2.0], [3.0, 0.0]]


def test_distinct_contexts_with_the_same_vector_are_named():
    with pytest.raises(DatasetError, match="contexts 'a b' and 'b a' the same vector; distinct contexts must"):
        embedding_map(lambda contexts: [[-0.0 * ord(a), ord(a) + ord(b)] for a, b in contexts])(
            [("a", "b"), ("b", "a")]
        )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[1.0]], r"embedding\(contexts\) has 1 rows, expected 2, one a context"),
        ([1.0, 2.0], r"embedding\(contexts\) must be a matrix"),
        ([[1.0], [float("nan")]], r"embedding\(contexts\)\[1, 0\] is nan; every entry must be finite"),
        (["a", "b"], r"embedding\(contexts\) must be a rectangular array of real numbers"),
    ],
)
def test_bad_answers_of_a_callable_are_refused(answer, message):
    with pytest.raises(DatasetError, match=message):
        embedding_map(lambda _: answer)([("a",), ("b",)])


def test_bad_arguments_are_refused_before_any_work():
    with pytest.raises(UsageError, match="embedding is 'onehot'; it must be one of 'random', 'additive'"):
        embedding_map("onehot")
    with pytest.raises(UsageError, match="dim is 0; it must be a whole number >= 1"):
        embedding_map("random", dim=0)
