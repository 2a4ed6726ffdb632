"""What decoders read off a model."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import Tree, greedy, medusa, self_speculative, speculative_sample
from ntp_theory.sequence.decoding.reading import likeliest
from tests.sequence.decoding.references import NETWORKS
from tests.sequence.decoding.test_blockwise import drawn_heads

PROMPT = torch.tensor([[0, 1, 2]])
DECODERS = {
    "greedy": lambda model: greedy(model, PROMPT, 4),
    "blockwise": lambda model: self_speculative(model, PROMPT, 4, heads=drawn_heads(model, 2, 0)),
    "medusa": lambda model: medusa(
        model, PROMPT, 4, heads=drawn_heads(model, 2, 0), tree=Tree.from_widths(2, 2), acceptance="greedy"
    ),
    "speculative": lambda model: speculative_sample(model, NETWORKS["learned"](4, 1), PROMPT, 4),
    "speculative at 0": lambda model: speculative_sample(model, NETWORKS["learned"](4, 1), PROMPT, 4, temperature=0.0),
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_model_that_gives_nan_says_nothing(name):
    """NaN passes for the largest number: such a model would say token 0."""
    model = NETWORKS["learned"](4, 0)
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    with pytest.raises(UsageError, match="NaN|not finite"):
        DECODERS[name](model)


@given(st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=6))
def test_likeliest(row):
    logits = torch.tensor([row])
    if any(map(math.isnan, row)):
        with pytest.raises(UsageError, match="NaN"):
            likeliest(logits)
    else:
        assert likeliest(logits).item() == row.index(max(row))
