"""The margin certificate counts what rounding can decide."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy, margin_certificate
from ntp_theory.sequence.models import LanguageModel
from ntp_theory.testing import Table, TableModel
from tests.sequence.decoding.references import NETWORKS

PROMPT = torch.tensor([[0, 1, 2]])


class Noisy(LanguageModel):
    """Fixed logits by position, plus an error in calls with more than one token behind the prompt."""

    def __init__(self, logits_tv, error):
        super().__init__()
        self.logits, self.error = logits_tv, error
        self.head = torch.nn.Linear(2, 2, bias=False)
        torch.nn.init.eye_(self.head.weight)

    def features(self, tokens, cache=None):
        start = cache.length
        cache.tokens = tokens if cache.tokens is None else torch.cat([cache.tokens, tokens], dim=1)
        found = self.logits[start : cache.length].expand(len(tokens), -1, -1).clone()
        if start and tokens.shape[1] > 1:
            found[..., 0] += self.error
        return found

    def new_cache(self):
        return TableModel(Table.random(2, 0)).new_cache()


@given(
    margins=st.lists(st.integers(0, 8), min_size=2, max_size=10),
    error=st.integers(-4, 4),
    block=st.integers(2, 5),
)
def test_by_hand(margins, error, block):
    """Token 1 is ahead of token 0 by a margin at every position, and blocks lift token 0 by an error."""
    logits = torch.tensor([[0.0, float(margin)] for margin in [9, *margins]])
    said = torch.zeros(1, len(margins) + 1, dtype=torch.int64)
    found = margin_certificate(Noisy(logits, float(error)), PROMPT[:, :1], said, block=block)
    # the first is read behind the prompt alone, and so is the last one if it is left over
    blocks = [margins[k : k + block] for k in range(0, len(margins), block)]
    changed = [margin for one in blocks if len(one) > 1 for margin in one]
    largest = abs(error) if changed else 0
    assert found.error == largest and found.positions == len(margins) + 1
    assert found.uncertified == sum(margin <= 2 * largest for margin in [9, *margins])
    # ties go to token 0, the first
    differing = sum((margin <= error) != (margin == 0) for margin in changed)
    assert found.differing == differing and found.certified_differing == 0
    assert found.margin == min(9, *margins)


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=5)
@given(seed=st.integers(0, 100), block=st.integers(1, 6))
def test_double_precision_certifies_networks(name, seed, block):
    model = NETWORKS[name](7, seed)
    found = margin_certificate(model, PROMPT, greedy(model, PROMPT, 20), block=block)
    assert found.uncertified == found.differing == 0 and found.error < 1e-13 < found.margin
    assert found.summary().startswith("20 of 20 tokens certified, 0 differ")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"block": 0}, "block is 0"),
        ({"tokens": torch.zeros(2, 3, dtype=torch.int64)}, r"tokens has shape \(2, 3\); it must be \(1, n\)"),
        ({"tokens": torch.zeros(1, 0, dtype=torch.int64)}, r"tokens is \(1, 0\)"),
        # the last of them is not read by the model
        ({"tokens": torch.tensor([[0, 4]])}, "tokens has tokens from 0 to 4; the model's are 0 to 3"),
    ],
)
def test_doors(options, message):
    call = {"model": NETWORKS["learned"](4, 0), "prompt": PROMPT, "tokens": PROMPT, "block": 2} | options
    with pytest.raises(UsageError, match=message):
        margin_certificate(**call)


def test_where_there_is_one_token_it_is_certain():
    model = NETWORKS["learned"](1, 0)
    prompt = torch.zeros(1, 2, dtype=torch.int64)
    found = margin_certificate(model, prompt, greedy(model, prompt, 4), block=2)
    assert found.positions == 4 and found.uncertified == 0
