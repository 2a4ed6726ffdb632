"""In-support distributions of decoders against the corpus, and against the loss and the conditions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_compatibility, construct, loss, predict
from ntp_theory.errors import UsageError
from ntp_theory.readings import log_odds
from ntp_theory.testing import datasets, datasets_of_case, decoders


@given(st.data())
def test_errors_are_those_of_the_softmax_on_each_support(draw):
    data = draw.draw(datasets())
    w = draw.draw(decoders(data))
    found, p = log_odds(w, data), data.probabilities.to_dense()
    for j, row in enumerate(data.support):
        tokens = row.nonzero()[:, 0]
        expected = (w[tokens] @ data.embeddings[j]).log_softmax(0) - p[j, tokens].log()
        mine = found.errors[data.pattern.contexts == j]
        # rounding of logits
        size = 1 + float(w.abs().max()) * float(data.embeddings[j].abs().sum())
        assert torch.allclose(mine, expected, rtol=0, atol=1e-13 * size)
        assert float(found.misfit[j]) == pytest.approx(float(expected.max() - expected.min()), abs=1e-12 * size)


@given(st.data())
def test_divergence_is_the_in_support_part_of_the_loss(draw):
    data = draw.draw(datasets())
    w = draw.draw(decoders(data))
    found = log_odds(w, data)
    assert bool((found.divergence >= 0).all())
    expected = loss.evaluate(w, data).in_support
    assert float(data.weights @ found.divergence) == pytest.approx(expected, rel=1e-6, abs=1e-13)


@given(datasets("independent"))
def test_finite_part_of_compatible_data_has_the_log_odds(data):
    solution = check_compatibility(data).solution
    largest = 1 + float(solution.abs().max()) * float(data.embeddings.abs().sum(1).max())
    assert float(log_odds(solution, data).misfit.max()) <= 1e-9 * largest  # what `check_compatibility` lets pass


@given(datasets_of_case("separable-incompatible"))
def test_some_context_is_missed_where_no_decoder_has_all(data):
    found = log_odds(predict(data).finite, data)
    assert float(found.misfit.max()) > 1e-3
    context, token, corpus, decoder = found.worst(1)[0]
    assert corpus != decoder and token in found.summary() and context in found.summary()


def test_refuses_what_does_not_fit():
    data = construct.toy()
    with pytest.raises(UsageError, match="weights has shape"):
        log_odds([[1.0]], data)
    with pytest.raises(UsageError, match="data"):
        log_odds([[1.0]], "text")


def test_refuses_a_negative_limit():
    with pytest.raises(UsageError, match="limit"):
        log_odds([[1.0], [0.0]], NTPDataset([[1.0]], [[0.5, 0.5]])).worst(-1)
