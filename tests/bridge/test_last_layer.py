"""The head beside its limit: what must hold for any head on any data, and data whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import ntp_theory as ntp
from ntp_theory.bridge import accuracy, last_layer
from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import LanguageModel
from ntp_theory.testing import datasets


class HeadOnly(LanguageModel):
    """A model of which nothing but the head is asked."""

    def __init__(self, weights):
        super().__init__()
        self.head = nn.Linear(weights.shape[1], weights.shape[0], bias=False).double()
        with torch.no_grad():
            self.head.weight.copy_(weights)

    def features(self, tokens, cache=None):
        raise NotImplementedError

    def new_cache(self):
        raise NotImplementedError


def head(data, seed, scale=1.0):
    shape = (data.vocab_size, data.dim)
    return scale * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25)
@given(datasets(), st.integers(0, 99))
def test_no_head_is_better_than_the_limit(data, seed):
    found = last_layer(HeadOnly(head(data, seed)), data)
    assert found.loss.value >= found.limit.infimum_bounds[0] and found.separable is found.limit.separability.separable
    if found.limit.direction is None:
        assert math.isnan(found.share) and found.margin == 0.0
    else:
        assert found.margin > 0 and found.share <= 1 + 1e-9 and abs(found.cosine) <= 1 + 1e-9
    assert f"{data.num_contexts} contexts" in found.summary()


@settings(max_examples=25)
@given(datasets(), st.integers(0, 99), st.sampled_from([1e-3, 1.0, 1e3]))
def test_the_best_head_is_known_as_such(data, seed, scale):
    """Along W_mm, share and cosine are 1, whatever all tokens have in common, the part in F, and the length."""
    limit = ntp.predict(data)
    assume(limit.direction is not None)
    inside = ntp.subspace.project(head(data, seed), limit.reference)
    found = last_layer(HeadOnly(scale * limit.direction + head(data, seed)[:1] + scale * inside), data)
    # W_mm is known to this; and rounding of logits grows with what is not in W_mm
    slack = 1e-6 + 2 * limit.svm.distance_bound() / limit.svm.norm
    assert found.share == pytest.approx(1.0, abs=slack) and found.cosine == pytest.approx(1.0, abs=slack)


@settings(max_examples=15)
@given(datasets("one-hot"), st.integers(0, 99), st.sampled_from([0.25, 8.0]))
def test_the_scale_of_the_features_does_not_matter(data, seed, scale):
    """Embeddings times c and a head over c: the same model."""
    weights = head(data, seed)
    larger = ntp.NTPDataset(scale * data.embeddings, data.probabilities, data.weights)
    one, other = (last_layer(HeadOnly(w), d) for w, d in ((weights, data), (weights / scale, larger)))
    for name in ("margin", "share", "cosine", "excess", "accuracy"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-9, nan_ok=True)


def test_two_contexts_at_right_angles():
    """W_mm = [[1, -1], [-1, 1]] / 2 has margin 1 at norm 1; the identity has all of it, its half as a head too."""
    data = ntp.NTPDataset([[2.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]])
    found = last_layer(HeadOnly(torch.eye(2, dtype=torch.float64)), data)
    assert (found.margin, found.share, found.cosine) == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)
    assert found.accuracy == 1.0 and found.excess == pytest.approx(math.log1p(math.exp(-2)))
    backwards = last_layer(HeadOnly(-torch.eye(2, dtype=torch.float64)), data)
    assert (backwards.share, backwards.accuracy) == (pytest.approx(-1.0, abs=1e-12), 0.0)
    assert "own head has 100.0% of it" in found.summary()
    assert "own head does not separate" in backwards.summary() and "-100" not in backwards.summary()


def test_part_of_the_contexts():
    """Two contexts on one ray cannot be told apart: the margin is that of the third, and W_mm has all of it."""
    data = ntp.NTPDataset([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    limit = ntp.predict(data)
    found = last_layer(HeadOnly(limit.direction + torch.tensor([3.0, -1.0])), data)
    assert limit.case == "partially-separable" and not found.separable
    assert (found.share, found.cosine) == pytest.approx((1.0, 1.0), abs=1e-9)
    assert found.margin == pytest.approx(limit.margin / 2**0.5) and "partly separable" in found.summary()


@given(datasets(), st.integers(0, 99))
def test_accuracy_is_the_mass_of_the_likeliest_token(data, seed):
    weights = head(data, seed)
    rows, right = data.probabilities.to_dense(), 0.0
    for j, logits in enumerate((data.embeddings @ weights.T).tolist()):
        right += float(data.weights[j] * rows[j, max(range(data.vocab_size), key=logits.__getitem__)])
    assert accuracy(weights, data) == pytest.approx(right, abs=1e-12)


def test_another_shape():
    data = ntp.NTPDataset([[1.0, 0.0]], [[1.0, 0.0]])
    with pytest.raises(UsageError, match="weights"):
        last_layer(HeadOnly(torch.zeros(2, 3, dtype=torch.float64)), data)
