"""Ranks of the right tokens are those in the order in which candidates are taken."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import head_ranks, rank_accuracies
from ntp_theory.sequence.decoding.foresight import best_tokens
from ntp_theory.testing import Table, TableModel
from tests.sequence.decoding.test_blockwise import Future


def table_heads(model, count, seed, levels=3):
    """Heads with a few levels of logits, so that there are ties."""
    shape = (model.head.in_features, count, model.head.out_features)
    logits = torch.randint(levels, shape, generator=torch.Generator().manual_seed(seed)).double()
    return lambda features: logits[features.argmax(-1)]


@given(seed=st.integers(0, 1000), count=st.integers(1, 3), start=st.integers(1, 4))
def test_ranks(seed, count, start):
    model = TableModel(Table.random(4, 1, rng=seed))
    tokens = torch.randint(4, (2, 9), generator=torch.Generator().manual_seed(seed))
    heads = table_heads(model, count, seed)
    order = best_tokens(heads(model.features(tokens)), 4)
    found = iter(head_ranks(model, tokens, heads=heads, start=start).tolist())
    for row, text in enumerate(tokens.tolist()):
        for place in range(start - 1, 9 - 1 - count):
            right = [order[row, place, k].tolist().index(text[place + 2 + k]) for k in range(count)]
            assert next(found) == right
    assert next(found, None) is None


def test_a_model_with_heads_of_its_own():
    """What it foresees is what it says."""
    table = Table.random(5, 1, rng=2)
    text = [0]
    for _ in range(9):
        text.append(int(table.law(text).argmax()))
    ranks = head_ranks(Future(table, 3), torch.tensor([text]))
    assert ranks.shape == (6, 3) and not ranks.any()
    assert rank_accuracies(ranks, 2).tolist() == [[1.0, 0.0]] * 3
    assert bool((head_ranks(Future(table, 3, wrong=1), torch.tensor([text])) > 0).all())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"tokens": torch.tensor([1, 2])}, r"tokens is \(2,\), torch.int64; it must be a Tensor \(b, p\)"),
        ({"tokens": torch.tensor([[1, 2, 0]])}, r"tokens has shape \(1, 3\); with start = 1 and 2 heads"),
        ({"start": 0}, "start is 0"),
        ({"start": 6}, "start is 6"),
        ({"heads": None}, "heads is None"),
        ({"tokens": torch.full((1, 6), 3)}, "tokens has tokens from 3 to 3; the model's are 0 to 2"),
        ({"tokens": [[0, 1, 2]]}, "tokens is list"),
    ],
)
def test_doors(options, message):
    model = TableModel(Table.random(3, 1))
    call = {"tokens": torch.zeros(1, 6, dtype=torch.int64), "heads": table_heads(model, 2, 0)} | options
    with pytest.raises(UsageError, match=message):
        head_ranks(model, **call)
