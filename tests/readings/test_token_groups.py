"""Groups of tokens against the columns of the support matrix, and against rows of W_mm."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, construct, predict
from ntp_theory.errors import UsageError
from ntp_theory.readings import token_groups
from ntp_theory.testing import datasets, datasets_of_case


@given(datasets(max_vocab_size=6))
def test_two_tokens_are_together_exactly_if_their_columns_are_equal(data):
    found, columns = token_groups(data), data.support.T
    together = {pair for group in found.groups for pair in combinations(group, 2)}
    expected = {(a, b) for a, b in combinations(range(data.vocab_size), 2) if torch.equal(columns[a], columns[b])}
    assert together == expected
    for group, contexts in zip(found.groups, found.contexts, strict=True):
        assert list(contexts) == columns[group[0]].nonzero()[:, 0].tolist()
    sizes = [len(group) for group in found.groups]
    assert sizes == sorted(sizes, reverse=True)


@given(st.data(), st.sampled_from(["separable-compatible", "separable-incompatible", "partially-separable"]))
def test_rows_of_the_direction_are_equal_in_groups(draw, case):
    data = draw.draw(datasets_of_case(case))
    copies = torch.cat([torch.arange(data.vocab_size), torch.tensor([0])])  # token 0 gets a twin
    p = data.probabilities.to_dense()[:, copies]
    twin = NTPDataset(data.embeddings, p / p.sum(1, keepdim=True), data.weights)
    limit = predict(twin)
    found = token_groups(limit.reference)
    assert any({0, data.vocab_size} <= set(group) for group in found.groups)
    assert float(found.spreads(limit.direction).max()) <= math.sqrt(2) * limit.svm.distance_bound() + 1e-14


def test_spread_and_separation_by_hand():
    data = NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    found = token_groups(data)
    assert found.groups == ((0, 1),) and found.contexts == ((0,),)
    rows = [[0.0, 0.0], [0.0, 3.0], [0.0, 4.0], [9.0, 0.0]]
    assert found.spreads(rows).tolist() == [3.0]
    assert found.separation(rows) == 4.0  # tokens 0 and 2; 1 stands behind 0


def test_finite_part_tells_members_apart():
    data = construct.toy()
    limit = predict(data)
    found = token_groups(data)
    assert float(found.spreads(limit.finite).max()) > 0.01


def test_refusals():
    with pytest.raises(UsageError, match="data"):
        token_groups("text")
    with pytest.raises(UsageError, match="weights has shape"):
        token_groups(construct.toy()).spreads([[1.0]])


def test_spreads_keep_double_precision():
    data = NTPDataset([[1.0]], [[0.5, 0.5, 0.0]])
    found = token_groups(data)
    assert float(found.spreads([[1.0], [1.0 + 1e-12], [0.0]])[0]) == pytest.approx(1e-12, rel=1e-3)
    assert found.spreads([[0.1], [0.0], [0.0]]).tolist() == [0.1]
