"""Extended supports against the linear program as it stands, and their two certificates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.claims.bias.definitions import strict_pairs
from ntp_theory.conditions import check_separability, extended_support
from ntp_theory.construct import DESIGNED, designed
from ntp_theory.dataset import NTPDataset
from ntp_theory.testing import datasets


def confirm(data, extended):
    """The direction separates exactly the pairs outside, the certificate blocks exactly the pairs added."""
    added = extended.support & ~data.support
    assert bool((extended.support | ~data.support).all())
    if extended.certificate is not None:
        assert max(extended.certificate.violations().values()) <= 1e-12
        assert torch.equal(extended.certificate.dense() * ~data.support < 0, added)
    else:
        assert not bool(added.any())
    if extended.direction is not None:
        logits = data.embeddings @ extended.direction.T
        assert float(extended.pattern.margins(logits).min()) >= 1 - 1e-12
        spread = extended.pattern.spread(logits).max()
        assert float(spread) <= 1e-8  # the size that a standing direction is held to
    else:
        assert extended.pattern.num_off_support == 0


@given(datasets(max_contexts=5, max_vocab_size=4, max_dim=3))
def test_against_the_program_as_it_stands(data):
    """t = 1 exactly where a token can be driven away (`bias/any-data-lp`)."""
    extended = extended_support(data)
    confirm(data, extended)
    strict = strict_pairs(data)
    assert float(torch.minimum(strict, 1 - strict).max()) <= 1e-6
    assert torch.equal(strict > 0.5, ~extended.support)
    assert (extended.certificate is None) == check_separability(data).separable


@given(datasets(max_contexts=5, max_vocab_size=4, max_dim=3), st.integers(0, 1000))
def test_the_answer_moves_with_the_data(data, seed):
    """Relabelled tokens, permuted contexts, embeddings mapped by an invertible matrix, contexts scaled."""
    random = np.random.default_rng(seed)
    h, p, pi = data.embeddings.numpy(), data.probabilities.to_dense().numpy(), data.weights.numpy()
    rows, columns = random.permutation(len(h)), random.permutation(p.shape[1])
    mix = np.linalg.qr(random.normal(size=(data.dim, data.dim)))[0] * random.uniform(0.5, 2.0, data.dim)
    moved = NTPDataset(2.0 * h[rows] @ mix, p[rows][:, columns], pi[rows])
    expected = extended_support(data).support[rows][:, columns]
    assert torch.equal(extended_support(moved).support, expected)


@pytest.mark.parametrize("name", DESIGNED)
def test_designed_cases(name):
    case = designed(name)
    extended = extended_support(case.data)
    confirm(case.data, extended)
    assert (extended.certificate is None) == case.separable
    assert (extended.direction is None) == (case.direction is None)


def test_a_wrong_extended_support_is_caught():
    """One token too many or too few: one of the two certificates no longer fits."""
    data = designed("partially-separable").data
    extended = extended_support(data)
    logits = data.embeddings @ extended.direction.T
    too_many = extended.support.clone()
    too_many[0, 2] = True
    spread = logits[0][too_many[0]].max() - logits[0][too_many[0]].min()
    assert float(spread) >= 1 - 1e-12  # the direction is level on the true support only
    too_few = extended.support.clone()
    too_few[0, 1] = False
    margins = logits[0][too_few[0]].min() - logits[0][~too_few[0]].max()
    assert float(margins) <= 1e-12  # token 1 cannot be pushed below token 0
