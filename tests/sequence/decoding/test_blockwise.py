"""Greedy decoding in blocks says what greedy decoding says, token for token, whatever is proposed."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy, self_speculative
from ntp_theory.testing import Table, TableModel, tables
from tests.sequence.decoding.references import NETWORKS, greedy_texts, sharpened

PROMPT = torch.tensor([[0, 1]])


def drawn_heads(model, count, seed):
    """Heads that propose the next token again, or any other, by features: some proposals are right."""
    generator = torch.Generator().manual_seed(seed)
    weights = model.head.weight.detach().float()
    shuffled = weights[:, torch.randperm(weights.shape[1], generator=generator)]
    noise = torch.randn(count, *weights.shape, generator=generator)
    maps = torch.where(torch.rand(count, 1, 1, generator=generator) < 0.5, shuffled.clamp(-9), 9 * noise)
    return lambda features: torch.einsum("btd,nvd->btnv", features.float(), maps)


def prompts_for(table, rows, seed):
    return torch.randint(table.vocab_size, (rows, 2), generator=torch.Generator().manual_seed(seed))


def test_ten_thousand_cases():
    """200 tables of 2 to 16 tokens, 50 texts each; token 0 is ordinary, texts end at different times."""
    cases = kept = 0
    for seed in range(200):
        table = Table.random(2 + seed % 15, 1 + seed % 2, zeros=seed % 3 == 0, rng=seed)
        model = TableModel(table)
        prompts, eos = prompts_for(table, 50, seed), (None, 0, 1)[seed % 3]
        found = self_speculative(model, prompts, 8, heads=drawn_heads(model, 1 + seed % 4, seed), eos=eos)
        assert found.texts() == greedy_texts(model, prompts, 8, eos)
        cases, kept = cases + len(prompts), kept + sum(found.kept)
    assert cases == 10_000 and kept > 1000, "and some proposals were right"


@settings(max_examples=40)
@given(
    table=tables(max_vocab_size=6, max_memory=2),
    heads=st.integers(1, 4),
    rows=st.integers(1, 4),
    count=st.integers(1, 12),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_tables(table, heads, rows, count, seed, data):
    """Ties in the table are broken the same way."""
    eos = data.draw(st.none() | st.integers(0, table.vocab_size - 1))
    model, prompts = TableModel(table), prompts_for(table, rows, seed)
    found = self_speculative(model, prompts, count, heads=drawn_heads(model, heads, seed), eos=eos)
    assert found.texts() == greedy_texts(model, prompts, count, eos)
    assert all(0 <= k <= d for k, d in zip(found.kept, found.drafted, strict=True)) and len(found.kept) == heads
    assert found.draft_passes == 0 and found.target_passes <= count


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=15)
@given(seed=st.integers(0, 100), heads=st.integers(1, 4), rows=st.integers(1, 4), count=st.integers(1, 20))
def test_networks(name, seed, heads, rows, count):
    model = sharpened(NETWORKS[name](5, seed))
    prompts = torch.randint(5, (rows, 3), generator=torch.Generator().manual_seed(seed))
    found = self_speculative(model, prompts, count, heads=drawn_heads(model, heads, seed), eos=seed % 5)
    assert found.texts() == greedy_texts(model, prompts, count, seed % 5)


class Future(TableModel):
    """A model with heads of its own, which see what it will say; with ``wrong`` they never propose that."""

    def __init__(self, table, heads, wrong=0):
        super().__init__(table)
        self.heads, self.wrong = heads, wrong

    def future(self, tokens, cache):
        before, v = cache.length, self.table.vocab_size
        self(tokens, cache)
        rows = []
        for text in cache.tokens.tolist():
            rows.append([self._said(text[:end]) for end in range(before + 1, len(text) + 1)])
        said = torch.tensor(rows)
        said[:, :, 1:] = (said[:, :, 1:] + self.wrong) % v
        return torch.nn.functional.one_hot(said, v).double()

    def _said(self, text):
        text = list(text)
        for _ in range(self.heads + 1):
            text.append(int(self.table.law(text).argmax()))
        return text[-self.heads - 1 :]


@given(table=tables(max_memory=1), heads=st.integers(1, 4), count=st.integers(1, 15))
def test_all_accepted(table, heads, count):
    found = self_speculative(Future(table, heads), PROMPT, count)
    assert found.texts() == greedy_texts(TableModel(table), PROMPT, count)
    assert found.kept == found.drafted and found.target_passes == 1 + math.ceil((count - 1) / (heads + 1))


@given(table=tables(max_memory=1, largest=9), heads=st.integers(1, 4), count=st.integers(1, 15))
def test_all_rejected(table, heads, count):
    found = self_speculative(Future(table, heads, wrong=1), PROMPT, count)
    assert found.texts() == greedy_texts(TableModel(table), PROMPT, count)
    assert not any(found.kept) and found.target_passes == count


def test_an_end_inside_a_block():
    """It says 1, 2, 3 .. in turn; with 2 as the end the block stops there, though 3 was proposed and right."""
    cycle = {(): (1, 0, 0, 0), (0,): (0, 1, 0, 0), (1,): (0, 0, 1, 0), (2,): (0, 0, 0, 1), (3,): (1, 0, 0, 0)}
    table = Table(4, 1, {text: tuple(map(Fraction, row)) for text, row in cycle.items()})
    found = self_speculative(Future(table, 3), torch.tensor([[3], [1]]), 9, eos=2)
    assert found.texts() == [(0, 1, 2), (2,)] and found.tokens.tolist() == [[0, 1, 2], [2, 2, 2]]
    assert found.drafted == (1, 1, 0), "nothing is drafted behind the end"
    assert found.summary().startswith("4 tokens in 2 texts: 2 passes of the model (1.33 tokens of a text a pass)")


def test_no_more_positions_than_greedy_needs():
    model = NETWORKS["learned"](4, 1, 11)
    found = self_speculative(model, PROMPT, 10, heads=drawn_heads(model, 4, 0))
    assert torch.equal(found.tokens, greedy(model, PROMPT, 10))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"heads": None}, "heads is None; TableModel has no heads of its own"),
        ({"eos": 3}, "eos is 3"),
        ({"prompt": torch.zeros(3)}, r"prompt is \(3,\)"),
        ({"prompt": PROMPT.double()}, r"prompt is \(1, \d\), torch.float64; .* torch.int64"),
        ({"prompt": torch.tensor([[0, -1]])}, "prompt has tokens from -1 to 0; the model's are 0 to 2"),
        ({"heads": 2}, "heads is 2; it must be a function"),
        ({"heads": lambda x: x}, r"heads gives \(1, 1, \d+\); it must be logits \(b, t, n, v\), \(1, 1, n, 3\)"),
        ({"heads": lambda x: x[:, :, None, :1]}, r"heads gives \(1, 1, 1, 1\)"),
    ],
)
def test_doors(options, message):
    model = TableModel(Table.random(3, 0))
    call = {"model": model, "prompt": PROMPT, "max_new_tokens": 3, "heads": drawn_heads(model, 1, 0)} | options
    with pytest.raises(UsageError, match=message):
        self_speculative(**call)
