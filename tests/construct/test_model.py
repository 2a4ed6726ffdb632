from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from ntp_theory.construct import from_model
from ntp_theory.errors import DatasetError, UsageError

TOKENS = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.integers(0, 3)).map(
    torch.from_numpy
)


class Recurrent(nn.Module):
    """Hidden states that depend on the whole prefix, with dropout to be switched off."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(4, 8)
        self.cell = nn.GRU(8, 6, batch_first=True)
        self.dropout = nn.Dropout(0.5)

    def forward(self, tokens):
        return self.dropout(self.cell(self.embed(tokens))[0])


@given(TOKENS, st.sampled_from([None, 1, 2]))
def test_contexts_counts_and_states_are_those_of_a_plain_loop(tokens, length):
    if length is not None and length >= tokens.shape[1]:
        length = None
    model = Recurrent()
    pairs = Counter()
    for row in tokens.tolist():
        for t in range(1, len(row)) if length is None else range(length, len(row)):
            context = row[:t] if length is None else row[t - length : t]
            pairs[" ".join(map(str, context)), row[t]] += 1
    data = from_model(model, tokens, context_length=length, vocab_size=4, batch_size=3)
    found = {
        (data.context_names[j], z): n
        for j, z, n in zip(
            data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), data.counts.tolist(), strict=True
        )
    }
    assert found == dict(pairs)
    model.eval()
    for name, h in zip(data.context_names, data.embeddings, strict=True):
        alone = model(torch.tensor([[int(token) for token in name.split()]]))[0, -1]
        # float32 states in [-1, 1], the same sums in batches of another size: some units of 2^-24
        assert torch.allclose(h, alone.detach().double(), rtol=0, atol=1e-6)


def test_the_model_is_left_as_it_was_found():
    model = Recurrent()
    model.cell.eval()
    tokens = torch.tensor([[0, 1, 2, 0]])
    assert np.array_equal(from_model(model, tokens).embeddings, from_model(model, tokens).embeddings)
    assert [part.training for part in (model, model.embed, model.cell, model.dropout)] == [
        True,
        True,
        False,
        True,
    ]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_names_are_joined_and_quoted_where_needed():
    tokens = torch.tensor([[0, 1, 2]])
    table = torch.eye(3)
    assert from_model(lambda t: table[t], tokens, token_names=["the", "cat", "."]).context_names == (
        "the",
        "the cat",
    )
    quoted = from_model(lambda t: table[t], tokens, token_names=["a b", "a", "b"]).context_names
    assert quoted == ("'a b'", "'a b' 'a'")


def test_contexts_that_the_model_confuses_are_named():
    with pytest.raises(DatasetError, match="contexts '0 1' and '2 1' have the same embedding but"):
        from_model(lambda t: torch.eye(3)[t], torch.tensor([[0, 1, 0], [2, 1, 2]]), context_length=2)


@pytest.mark.parametrize(
    ("tokens", "change", "message"),
    [
        ([[0, 1]], {}, "tokens is list; it must be an int64 Tensor"),
        (torch.zeros(2, 3), {}, r"tokens is torch.float32 of shape \(2, 3\); it must be an int64 Tensor"),
        (
            torch.zeros(2, 1, dtype=torch.int64),
            {},
            r"tokens has shape \(2, 1\); it must hold a sequence of at least 2",
        ),
        (torch.tensor([[0, -1]]), {}, "tokens holds -1; every token number must be >= 0"),
        (torch.tensor([[0, 2]]), {"vocab_size": 2}, "vocab_size is 2; it must be a whole number >= 3"),
        (
            torch.tensor([[0, 2]]),
            {"context_length": 2},
            "context_length is 2; it must be a whole number >= 1 and <= 1",
        ),
        (torch.tensor([[0, 2]]), {"batch_size": 0}, "batch_size is 0; it must be"),
    ],
)
def test_bad_arguments_are_named(tokens, change, message):
    with pytest.raises(UsageError, match=message):
        from_model(lambda t: torch.eye(3)[t], tokens, **change)


def test_bad_hidden_states_are_refused():
    tokens = torch.tensor([[0, 1, 0]])
    with pytest.raises(UsageError, match=r"features gives shape \(1,\) for tokens \(1, 1\); it must be"):
        from_model(lambda t: t[:, -1].double(), tokens, context_length=None)
    with pytest.raises(DatasetError, match="nan; every entry must be finite"):
        from_model(lambda t: torch.full((*t.shape, 2), torch.nan), tokens)
    with pytest.raises(DatasetError, match="token_names has 1 entries, expected"):
        from_model(lambda t: torch.eye(3)[t], tokens, token_names=["a"])
