"""Extended supports against the linear program as it stands, and their two certificates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory.claims.bias.definitions import strict_pairs
from ntp_theory.conditions import check_separability, extended_support
from ntp_theory.conditions.partition import partitions
from ntp_theory.conditions.standing import whiten
from ntp_theory.construct import DESIGNED, designed, random
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import SolverError
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
    generator = np.random.default_rng(seed)
    h, p, pi = data.embeddings.numpy(), data.probabilities.to_dense().numpy(), data.weights.numpy()
    rows, columns = generator.permutation(len(h)), generator.permutation(p.shape[1])
    mix = np.linalg.qr(generator.normal(size=(data.dim, data.dim)))[0] * generator.uniform(0.5, 2.0, data.dim)
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


@pytest.mark.parametrize("power", range(16, 44))
def test_nearly_opposite_embeddings_are_decided_rightly_or_not_at_all(power):
    """h_0 + h_1 + 2^-k h_2 = 0: all three are blocked; without the 2^-k the third would not be."""
    data = NTPDataset([[1.0, 1.0], [-1.0, -1.0 + 2.0**-power], [0.0, -1.0]], [[1.0, 0.0]] * 3)
    try:
        extended = extended_support(data)
    except SolverError as error:
        assert error.status == "undecided"
        assert power > 24  # systems of linear equations see its square, which is rounding from there on
        return
    assert bool(extended.support.all()) or power > 40  # 1e-12 is rounding by the rules of both certificates
    confirm(data, extended)


@pytest.mark.parametrize("shape", [(5, 35, 40, 4), (6, 10, 20, 2), (4, 8, 12, 1)])
def test_near_the_threshold_of_separability(shape):
    """V, d, m and S for which about half of the draws are separable."""
    for seed in range(8):
        data = random(*shape, rng=seed)
        extended = extended_support(data)
        confirm(data, extended)
        assert extended.verify()


@given(datasets(max_contexts=5, max_vocab_size=4, max_dim=3))
def test_the_path_stays_bounded(data):
    """On it ``mean(x + y) = 1 + s`` (module docstring); the first answer comes at s below 1e-9."""
    assume(data.pattern.num_off_support)
    h, _, _ = whiten(data.embeddings)
    found = next(partitions(h, data.pattern))
    logits = h @ found.weights.T
    x = data.pattern.min(data.pattern.inside(logits))[found.off.contexts] - found.off.inside(logits)
    # steps leave the path by as much as rounding of the systems, conditioned like 1 / s
    assert float((x + found.multipliers).mean()) == pytest.approx(1.0, abs=1e-6)


def test_single_precision_is_decided_in_double():
    data = designed("partially-separable").data
    extended, expected = extended_support(data.to(dtype=torch.float32)), extended_support(data)
    assert torch.equal(extended.support, expected.support)
    assert extended.direction.dtype == torch.float32
    assert extended.certificate.verify()


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


@given(datasets(max_contexts=4, max_vocab_size=4, max_dim=3))
def test_single_precision_answers_verify(data):
    """To the rounding of a direction that is kept in single precision; half of it is no answer."""
    single = data.to(dtype=torch.float32)
    extended = extended_support(single)
    assert extended.verify()
    if extended.direction is not None:
        assert not replace(extended, direction=0.25 * extended.direction).verify()
    separability = check_separability(single)
    assert separability.verify()
