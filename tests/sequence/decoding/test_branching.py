"""Tree attention says at every node what its path says when it is read alone; so do chains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import Tree
from ntp_theory.sequence.decoding.branching import Chains, TreeAttention, branch_reader
from ntp_theory.sequence.models import Cut, LayerHeads
from ntp_theory.testing import Table, TableModel
from tests.sequence.decoding.references import NETWORKS
from tests.sequence.strategies import trees

MODELS = NETWORKS | {
    "table": lambda v, seed: TableModel(Table.random(v, 2, rng=seed)),
    # the next token passes through the layers of both heads
    "rotary heads": lambda v, seed: LayerHeads(NETWORKS["rotary"](v, seed), 2, arrangement="anticausal"),
    "mamba heads": lambda v, seed: LayerHeads(NETWORKS["mamba"](v, seed), 2, arrangement="anticausal"),
}
READERS = [
    ("learned", TreeAttention),
    ("rotary", TreeAttention),
    ("learned", Chains),
    ("rotary", Chains),
    ("mamba", Chains),
    ("table", Chains),
    ("rotary heads", TreeAttention),
    ("rotary heads", Chains),
    ("mamba heads", Chains),
]
# the roundings of two to four layers of sums of at most 64 terms, with logits of order 1
ROUNDING = 1e-12


def logits_of(model):
    return lambda features: model.head(features).numpy()


@pytest.mark.parametrize("name, kind", READERS, ids=lambda x: getattr(x, "__name__", x))
@settings(max_examples=12)
@given(tree=trees(), seed=st.integers(0, 100), rows=st.integers(1, 3), rounds=st.integers(1, 4), data=st.data())
def test_nodes_are_paths_read_alone(name, kind, tree, seed, rows, rounds, data):
    """Several passes, with the texts going on at different paces and some ending before others."""
    model, generator = MODELS[name](4, seed), np.random.default_rng(seed)
    prompts = torch.from_numpy(generator.integers(4, size=(rows, 2)))
    reader = kind(model, prompts, tree, model.features, logits_of(model))
    texts, ended = prompts.tolist(), [False] * rows

    def alone(text):
        with torch.no_grad():
            return model(torch.tensor([text]))[0, -1].numpy()

    for said, text in zip(reader.first(), texts, strict=True):
        np.testing.assert_allclose(said, alone(text), atol=ROUNDING)
    for _ in range(rounds):
        ended = [over or (r > 0 and data.draw(st.booleans())) for r, over in enumerate(ended)]
        sizes = [None if over else data.draw(st.integers(0, tree.depth)) for over in ended]
        asked = [
            None if depth is None else generator.integers(4, size=1 + tree.size_to(depth)).tolist() for depth in sizes
        ]
        said = reader.after(asked)
        chains = []
        for text, tokens, answers in zip(texts, asked, said, strict=True):
            assert len(answers) == len(tokens or ())
            chains.append([])
            if tokens is None:
                continue
            for number, answer in enumerate(answers):
                path = [tokens[n] for n in (0, *tree.chain(number))]
                np.testing.assert_allclose(answer, alone([*text, *path]), atol=ROUNDING)
            chains[-1] = tree.chain(int(generator.integers(len(tokens))))
            text += [tokens[n] for n in (0, *chains[-1])]
        reader.keep(chains)
    assert reader.passes == 1 + rounds


@pytest.mark.parametrize("name", ["learned", "rotary"])
def test_a_pass_reads_each_node_once(name):
    """As many tokens as the text's last one and the nodes, where chains read one for every leaf and depth."""
    tree, read = Tree.from_widths(2, 3), []
    model = MODELS[name](4, 0)

    def trunk(tokens, cache):
        read.append(tokens.numel())
        return model.features(tokens, cache)

    for kind, count in ((TreeAttention, 1 + 8), (Chains, 6 * 3)):
        reader = kind(model, torch.tensor([[1, 2]]), tree, trunk, logits_of(model))
        reader.first()
        for _ in range(3):
            reader.after([[number % 4 for number in range(9)]])
            assert read[-1] == count, "what was kept is not read again"
            reader.keep([tree.chain(8)])


def test_who_reads_trees_in_one_row():
    tree = Tree([(0,)])
    for name, kind in (("learned", TreeAttention), ("rotary", TreeAttention), ("mamba", Chains), ("table", Chains)):
        model = MODELS[name](4, 0)
        assert type(branch_reader(model, torch.tensor([[1]]), tree, model.features, logits_of(model))) is kind
    model = MODELS["learned"](4, 0)
    with model.cut(Cut()):
        assert not model.reads_branches, "something stands in for its attention"
    assert model.reads_branches


def test_a_tree_that_outgrows_the_model():
    model = NETWORKS["learned"](4, 0, 4)
    reader = TreeAttention(model, torch.tensor([[1, 2]]), Tree.from_widths(1, 1), model.features, logits_of(model))
    reader.first()
    assert len(reader.after([[0, 1]])[0]) == 2, "positions 2 and 3"
    with pytest.raises(UsageError, match="tokens reach position 5; max_length is 4"):
        reader.after([[0, 1, 1]])
