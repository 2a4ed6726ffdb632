"""Medusa: with greedy acceptance what greedy decoding says, with typical acceptance the law that is stated."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import (
    Tree,
    Typical,
    greedy,
    law,
    margin_certificate,
    medusa,
    total_variation,
    typical_tokens,
)
from ntp_theory.sequence.decoding.acceptance import Greedy, accepted_chain
from ntp_theory.sequence.decoding.foresight import best_tokens
from ntp_theory.sequence.models import Cut
from ntp_theory.sequence.models.table import contexts
from ntp_theory.testing import Table, TableModel, tables
from tests.sequence.decoding.references import NETWORKS, greedy_texts, sampled_law, sharpened
from tests.sequence.decoding.test_blockwise import Future, drawn_heads, prompts_for
from tests.sequence.decoding.test_foresight import table_heads
from tests.sequence.strategies import trees

PROMPT = torch.tensor([[0, 1]])
CHAIN = Tree.from_widths(1, 1, 1)


def fitting(tree, vocab_size):
    """The part of a tree that a small vocabulary has."""
    return Tree([path for path in tree.paths if max(path) < vocab_size])


@settings(max_examples=40)
@given(
    table=tables(max_vocab_size=6, max_memory=2),
    tree=trees(width=6),
    rows=st.integers(1, 4),
    count=st.integers(1, 12),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_tables(table, tree, rows, count, seed, data):
    """Ties are broken the same way; token 0 is a token; trees are ragged; texts end at different times."""
    tree = fitting(Tree([*tree.paths, (0,)]), table.vocab_size)
    eos = data.draw(st.none() | st.integers(0, table.vocab_size - 1))
    model, prompts = TableModel(table), prompts_for(table, rows, seed)
    found = medusa(model, prompts, count, heads=table_heads(model, 4, seed), tree=tree, eos=eos)
    assert found.texts() == greedy_texts(model, prompts, count, eos)
    assert all(0 <= k <= d for k, d in zip(found.kept, found.drafted, strict=True)) and len(found.kept) == tree.depth
    assert found.draft_passes == 0 and found.target_passes <= count


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=10)
@given(tree=trees(), seed=st.integers(0, 100), rows=st.integers(1, 4), count=st.integers(1, 20))
def test_networks(name, tree, seed, rows, count):
    model = sharpened(NETWORKS[name](5, seed))
    prompts = torch.randint(5, (rows, 3), generator=torch.Generator().manual_seed(seed))
    found = medusa(model, prompts, count, heads=drawn_heads(model, 4, seed), tree=tree, eos=seed % 5)
    assert found.texts() == greedy_texts(model, prompts, count, seed % 5)


@given(table=tables(max_memory=1), tree=trees(width=2), count=st.integers(1, 15))
def test_all_accepted(table, tree, count):
    """Heads that see what the model will say: the leftmost path is kept, as deep as it goes."""
    found = medusa(Future(table, 4), PROMPT, count, tree=tree)
    assert found.texts() == greedy_texts(TableModel(table), PROMPT, count)
    leftmost = max((len(path) for path in tree.paths if not any(path)), default=0)
    assert found.target_passes == 1 + math.ceil((count - 1) / (leftmost + 1))


@given(table=tables(max_memory=1), count=st.integers(1, 15))
def test_all_rejected(table, count):
    found = medusa(Future(table, 3, wrong=1), PROMPT, count, tree=CHAIN)
    assert found.texts() == greedy_texts(TableModel(table), PROMPT, count)
    assert not any(found.kept) and found.target_passes == count


def test_an_end_inside_a_block():
    """It says 0, 1, 2, 3 in turn; with 2 as the end the block stops there, though 3 was proposed and right."""
    cycle = Table(
        4, 1, {text: tuple(np.eye(4, dtype=int)[(text[-1] + 1) % 4 if text else 0]) for text in contexts(4, 1)}
    )
    for acceptance in ("greedy", "typical"):
        found = medusa(Future(cycle, 3), torch.tensor([[3], [1]]), 9, tree=CHAIN, acceptance=acceptance, eos=2)
        assert found.texts() == [(0, 1, 2), (2,)] and found.tokens.tolist() == [[0, 1, 2], [2, 2, 2]]
        assert found.target_passes == 2


@pytest.mark.parametrize("name", ["learned", "mamba"])
def test_no_more_positions_than_greedy_needs(name):
    model = NETWORKS[name](4, 1, 11)
    found = medusa(model, PROMPT, 10, heads=drawn_heads(model, 3, 0), tree=Tree.from_widths(2, 2, 2))
    assert torch.equal(found.tokens, greedy(model, PROMPT, 10))
    if name == "learned":
        with pytest.raises(UsageError, match="max_length is 11"):
            medusa(model, PROMPT, 11, heads=drawn_heads(model, 3, 0), tree=CHAIN)


@pytest.mark.parametrize("at", ["hidden_states", "zero"])
def test_with_a_cut(at):
    """Where attention to others is taken away, trees are read as chains."""
    model = sharpened(NETWORKS["learned"](5, 3))
    with model.cut(Cut(at=at)):
        found = medusa(model, PROMPT, 12, heads=drawn_heads(model, 3, 0), tree=Tree([(0, 1), (1, 0, 0)]))
        assert torch.equal(found.tokens, greedy(model, PROMPT, 12)) and sum(found.kept)


def test_hugging_face():
    transformers = pytest.importorskip("transformers")
    from ntp_theory.sequence.models import HuggingFace

    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": 6}
    model = sharpened(HuggingFace(transformers.GPT2Config(**sizes)).double())
    prompts = torch.tensor([[0, 1], [4, 2]])
    found = medusa(model, prompts, 20, heads=drawn_heads(model, 3, 1), tree=Tree([(0, 1), (1, 0, 0)]))
    assert torch.equal(found.tokens, greedy(model, prompts, 20)) and sum(found.kept)


def typical_text(table, heads, prompt, count, tree, eos):
    """Typical acceptance in the plainest words and in fractions; also whether a comparison was too close for floats."""
    text, close = (), False
    while len(text) < count and not (text and text[-1] == eos):
        said = (*prompt, *text)
        text = (*text, int(table.law(said).argmax()))
        proposed = heads(said)
        best, weight = (), 1.0
        for path in tree.paths:
            draft = tuple(proposed[k][rank] for k, rank in enumerate(path))
            if len(text) + len(draft) >= count or text[-1] == eos or eos in draft[:-1]:
                continue
            laws = [table.law((*prompt, *text, *draft[:k])) for k in range(len(draft))]
            if not all(typical_tokens(p)[token] for p, token in zip(laws, draft, strict=True)):
                continue
            product = math.prod(p[token] for p, token in zip(laws, draft, strict=True))
            close |= len(draft) == len(best) and abs(float(product - weight)) < 1e-12
            if len(draft) > len(best) or len(draft) == len(best) and product > weight:
                best, weight = draft, product
        text += best
    return text, close


@settings(max_examples=60)
@given(table=tables(max_memory=2), tree=trees(), count=st.integers(1, 6), seed=st.integers(0, 1000), data=st.data())
def test_typical_law(table, tree, count, seed, data):
    """A point mass on the text that fractions give, as far from sampling as that text is unlikely."""
    tree = fitting(Tree([*tree.paths, (0,)]), table.vocab_size)
    eos, model = data.draw(st.none() | st.integers(0, table.vocab_size - 1)), TableModel(table)
    heads = table_heads(model, 4, seed)

    def proposed(said):
        return best_tokens(heads(model.features(torch.tensor([said])))[0, -1], tree.width).tolist()

    wanted, close = typical_text(table, proposed, (0, 1), count, tree, eos)
    assume(not close)
    found = law(
        lambda _: medusa(model, PROMPT, count, heads=heads, tree=tree, acceptance="typical", eos=eos).texts()[0]
    )
    assert found == {wanted: 1}
    sampled = sampled_law(table.law, (0, 1), count, eos)
    assert total_variation(found, sampled) == 1 - sampled.get(wanted, 0)


@given(tree=trees(), seed=st.integers(0, 1000), delta=st.floats(0.01, 0.99), epsilon=st.floats(0.01, 0.99))
def test_typical_keeps_no_fewer_than_greedy(tree, seed, delta, epsilon):
    """Behind the same text, with delta < 1: the likeliest token is typical."""
    generator = np.random.default_rng(seed)
    said = np.empty(len(tree) + 1, dtype=[("next", int), ("law", float, 4)])
    said["law"] = generator.dirichlet([0.4] * 4, len(said))
    said["next"] = said["law"].argmax(1)
    tokens = [0] * len(said)
    for family in tree.children:
        for number, token in zip(family, generator.permutation(4), strict=False):
            tokens[number] = int(token)
    typical = accepted_chain(tree, tokens, said, Typical(epsilon, delta), None)
    assert len(typical) >= len(accepted_chain(tree, tokens, said, Greedy(), None))


def test_temperature_decides_what_is_typical():
    """(8, 1, 1)/10: at temperature 1 token 1 is above 0.09, at 1/2 it has 1/66."""
    table = Table(3, 0, {(): tuple(np.array([8, 1, 1]) * Fraction(1, 10))})
    model = TableModel(table)
    heads = lambda features: torch.tensor([0.0, 1.0, 0.0]).expand(*features.shape[:2], 1, 3)  # noqa: E731
    for temperature, text in ((1.0, (0, 1, 0)), (0.5, (0, 0, 0))):
        options = {"tree": Tree([(0,)]), "heads": heads, "acceptance": Typical(temperature=temperature)}
        assert medusa(model, PROMPT, 3, **options).texts() == [text]


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=5)
@given(tree=trees(), seed=st.integers(0, 100))
def test_double_precision_certifies_trees(name, tree, seed):
    model = NETWORKS[name](7, seed)
    found = margin_certificate(model, PROMPT, greedy(model, PROMPT, 20), block=tree)
    assert found.positions == 20 and found.uncertified == found.differing == 0 and found.error < 1e-13 < found.margin


@pytest.mark.parametrize(
    "options, message",
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"heads": None}, "heads is None; TableModel has no heads of its own"),
        ({"eos": 3}, "eos is 3"),
        ({"prompt": torch.zeros(3)}, r"prompt is \(3,\)"),
        ({"tree": Tree([(0, 0, 0, 0)])}, "tree is 4 tokens deep; there are 3 heads"),
        ({"tree": Tree([(3,)])}, "tree is 4 tokens of a head wide; the model has 3 tokens"),
        ({"tree": [(0,)]}, r"tree is \[\(0,\)\]; it must be a Tree"),
        ({"acceptance": "nucleus"}, "acceptance is 'nucleus'"),
        ({"acceptance": 0.09}, "acceptance is 0.09; it must be one of"),
        ({"prompt": torch.tensor([[0, 3]])}, "prompt has tokens from 0 to 3; the model's are 0 to 2"),
    ],
)
def test_doors(options, message):
    model = TableModel(Table.random(3, 0))
    call = {"model": model, "prompt": PROMPT, "max_new_tokens": 3, "heads": table_heads(model, 3, 0), "tree": CHAIN}
    with pytest.raises(UsageError, match=message):
        medusa(**(call | options))


@pytest.mark.parametrize("name", ["epsilon", "delta", "temperature"])
def test_typical_doors(name):
    with pytest.raises(UsageError, match=f"{name} is 0"):
        Typical(**{name: 0})
