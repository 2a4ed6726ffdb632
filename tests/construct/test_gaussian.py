import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import random
from ntp_theory.errors import UsageError

SIZES = st.integers(1, 6)


@given(SIZES, SIZES, SIZES, st.data(), st.integers(0, 2**32))
def test_follows_its_recipe(vocab_size, dim, num_contexts, draws, seed):
    size = draws.draw(st.integers(1, vocab_size))
    data = random(vocab_size, dim, num_contexts, size, rng=seed)
    r = np.random.default_rng(seed)
    h = r.standard_normal((dim, num_contexts))
    on = np.zeros((vocab_size, num_contexts))
    for j in range(num_contexts):
        on[r.choice(vocab_size, size, replace=False), j] = 1
    p = (r.gamma(1.0, size=(vocab_size, num_contexts)) + 0.05) * on
    assert np.array_equal(data.embeddings.numpy(), h.T)
    assert np.array_equal(data.support.numpy(), on.T > 0)
    # one division by a sum of at most 6 terms, taken in another order: 8 roundings of 2^-53 at most
    assert np.allclose(data.probabilities.to_dense().numpy(), (p / p.sum(0)).T, rtol=8 * 2.0**-53, atol=0)
    assert data.weights.tolist() == [1 / num_contexts] * num_contexts


@given(SIZES, st.data(), st.integers(0, 2**32))
def test_a_range_of_sizes_is_drawn_before_each_support(vocab_size, draws, seed):
    lo = draws.draw(st.integers(1, vocab_size))
    hi = draws.draw(st.integers(lo, vocab_size))
    data = random(vocab_size, 2, 4, (lo, hi), rng=seed)
    r = np.random.default_rng(seed)
    r.standard_normal((2, 4))
    for row in data.support.numpy():
        size = r.choice(np.arange(lo, hi + 1)) if lo < hi else lo
        assert set(np.flatnonzero(row)) == set(r.choice(vocab_size, size, replace=False))


def test_a_seed_and_its_generator_give_the_same_data_and_a_generator_moves_on():
    r = np.random.default_rng(7)
    first, second = random(5, 3, 4, 2, r), random(5, 3, 4, 2, r)
    assert np.array_equal(first.embeddings, random(5, 3, 4, 2, rng=7).embeddings)
    assert not np.array_equal(first.embeddings, second.embeddings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 0}, "vocab_size is 0; it must be a whole number >= 1"),
        ({"dim": 2.5}, "dim is 2.5; it must be a whole number >= 1"),
        ({"num_contexts": True}, "num_contexts is True; it must be a whole number >= 1"),
        ({"support_size": 6}, "support_size is 6; it must be a whole number >= 1 and <= 5"),
        ({"support_size": (3, 2)}, r"support_size\[1\] is 2; it must be a whole number >= 3 and <= 5"),
        ({"support_size": (1, 2, 3)}, r"support_size is \(1, 2, 3\); it must be .* a pair"),
        ({"support_size": "ab"}, r"support_size\[0\] is 'a'; it must be a whole number"),
        ({"rng": -1}, "rng is -1; it must be a whole number >= 0 or a numpy.random.Generator"),
        ({"rng": None}, "rng is None; it must be"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"vocab_size": 5, "dim": 3, "num_contexts": 4, "support_size": 2, "rng": 0}
    with pytest.raises(UsageError, match=message):
        random(**(arguments | change))
