import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.loss import evaluate
from ntp_theory.testing import KINDS, datasets, decoders, probability_rows
from tests.construct.oracles import is_separable


def rank(data):
    return int(np.linalg.matrix_rank(data.embeddings.numpy()))


@given(st.data(), st.sampled_from(KINDS))
def test_every_kind_keeps_to_its_sizes(draws, kind):
    data = draws.draw(datasets(kind, max_contexts=3, max_vocab_size=4, max_dim=2))
    assert 1 <= data.num_contexts <= 3 and 2 <= data.vocab_size <= 4 and 1 <= data.dim <= 2
    distinct = len(np.unique(data.embeddings, axis=0))
    assert distinct == data.num_contexts - (1 if kind == "repeated" else 0)


@given(datasets("independent"))
def test_independent_embeddings_are_separable(data):
    assert rank(data) == data.num_contexts
    assert is_separable(data.embeddings.numpy(), data.support.numpy())


@given(datasets("dependent"))
def test_dependent_embeddings_lack_rank(data):
    assert rank(data) < data.num_contexts


@given(datasets("repeated"))
def test_repeated_contexts_have_the_same_row(data):
    rows = data.probabilities.to_dense()
    assert torch.equal(data.embeddings[0], data.embeddings[-1]) and torch.equal(rows[0], rows[-1])


@given(datasets("one-hot"), datasets("full-support"))
def test_supports_are_as_small_or_as_large_as_promised(smallest, largest):
    assert smallest.pattern.sizes.tolist() == [1] * smallest.num_contexts and smallest.entropy == 0
    assert largest.support.all()


@given(st.data())
def test_rows_are_probabilities_on_their_supports(draws):
    mask = draws.draw(datasets()).support.numpy()
    rows = draws.draw(probability_rows(mask))
    assert np.array_equal(rows > 0, mask)
    assert np.allclose(rows.sum(1), 1, rtol=0, atol=1e-15)
    assert rows[mask].min() > 1e-11  # 1e-9 to 9, at most 5 of them in a row


@given(st.data())
def test_decoders_fit_their_data(draws):
    data = draws.draw(datasets())
    weights = draws.draw(decoders(data))
    assert weights.shape == (data.vocab_size, data.dim) and torch.isfinite(weights).all()
    evaluate(weights, data)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda data, _: not is_separable(data.embeddings.numpy(), data.support.numpy()),
        lambda data, _: data.counts is not None,
        lambda data, _: data.counts is None and data.conditionals.min() < 1e-6,
        lambda data, _: not data.embeddings[0].any(),
        lambda data, weights: 0 < evaluate(weights, data).tail < 1e-290,
        lambda data, weights: evaluate(weights, data).gap > 20,
        lambda data, weights: not weights.any(),
    ],
    ids=["inseparable", "counts", "unlikely", "zero embedding", "tiny tail", "large loss", "zero decoder"],
)
def test_extremes_are_drawn(wanted):
    pairs = datasets().flatmap(lambda data: st.tuples(st.just(data), decoders(data)))
    # derandomised, so found or not found once and for all; not shrunk, as only the existence counts
    search = settings(
        max_examples=2000,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    find(pairs, lambda pair: wanted(*pair), settings=search)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="kind is 'random'; it must be one of 'any', 'independent'"):
        find(datasets("random"), lambda _: True)
