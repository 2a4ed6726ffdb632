"""Windows of a text through a model: counts, the most frequent ones, and a model in a folder."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ntp_theory.bridge import head_weights, last_layer, text_features
from ntp_theory.cli import main
from ntp_theory.construct import from_model
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.readings import noise_tolerance
from ntp_theory.sequence.models import HuggingFace, Mamba, MambaConfig, Transformer, TransformerConfig

SENTENCE = "so be it, or not to be; "


def ours(kind):
    if kind == "mamba":
        return Mamba(MambaConfig(5, width=8, layers=1))
    return Transformer(TransformerConfig(5, 8, width=8, layers=1, heads=2))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=40), st.integers(1, 3), st.integers(1, 9))
def test_counts_of_windows(ids, length, most):
    model = ours("transformer")
    data = text_features(model, torch.tensor(ids), context_length=length)
    pairs = Counter((tuple(ids[i : i + length]), ids[i + length]) for i in range(len(ids) - length))
    found = {}
    dense = data.counts.new_zeros(data.num_contexts, 5)
    dense[data.pattern.contexts, data.pattern.tokens] = data.counts
    for name, row in zip(data.context_names, dense.tolist(), strict=True):
        found |= {(tuple(map(int, name.split())), z): n for z, n in enumerate(row) if n}
    assert found == pairs
    context = torch.tensor([list(map(int, data.context_names[-1].split()))])
    with model.asked():
        assert torch.allclose(data.embeddings[-1], model.features(context)[0, -1].double(), atol=1e-6)
    kept = text_features(model, torch.tensor(ids), context_length=length, max_contexts=most)
    totals = Counter(context for context, _ in pairs.elements())
    assert kept.num_contexts == min(most, len(totals))
    assert int(kept.counts.sum()) == sum(sorted(totals.values())[-most:])


@pytest.mark.parametrize("kind", ["transformer", "mamba"])
def test_from_model_takes_a_method_of_a_module(kind):
    model, tokens = ours(kind), torch.tensor([[0, 1, 2, 0, 3]])
    model.train()
    data = from_model(model.features, tokens, context_length=1, vocab_size=5)
    same = text_features(model, tokens[0], context_length=1)
    assert torch.equal(data.embeddings, same.embeddings) and model.training


def test_a_method_is_asked_without_dropout():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.dropout = nn.Embedding(3, 4), nn.Dropout(0.9)

        def states(self, tokens):
            return self.dropout(self.embed(tokens))

    model = Noisy()
    data = from_model(model.states, torch.tensor([[0, 1, 2, 0]]), context_length=1)
    assert torch.equal(data.embeddings, model.embed.weight.double()) and model.training and model.dropout.training


@pytest.mark.parametrize(
    ("tokens", "options", "message"),
    [
        (torch.zeros(2, 2, dtype=torch.int64), {"context_length": 1}, "must be an int64 Tensor"),
        (torch.tensor([0, 1]), {"context_length": 2}, "need more"),
        (torch.tensor([0, 7, 0]), {"context_length": 1}, "the model has 0 to 4"),
        (torch.tensor([0, 1, 0]), {"context_length": 1, "max_contexts": 0}, "max_contexts"),
    ],
)
def test_refused(tokens, options, message):
    with pytest.raises(UsageError, match=message):
        text_features(ours("transformer"), tokens, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny GPT-2 with a tokenizer of characters, as they are saved, and a text."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("model")
    letters = {letter: i for i, letter in enumerate(sorted(set(SENTENCE)))}
    encoder = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=letters, merges=[]))
    transformers.PreTrainedTokenizerFast(tokenizer_object=encoder).save_pretrained(path)
    sizes = {"n_positions": 8, "n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    HuggingFace(transformers.GPT2Config(vocab_size=len(letters), **sizes)).model.save_pretrained(path)
    (path / "text.txt").write_text(SENTENCE * 3, encoding="utf-8")
    return path, letters


def test_analyze_a_model(folder, tmp_path, capsys):
    path, letters = folder
    arguments = ["analyze", str(path / "text.txt"), "--model", str(path), "--context-length", "3"]
    assert main([*arguments, "--json", "--out", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    model = HuggingFace(path)
    ids = torch.tensor([letters[letter] for letter in SENTENCE * 3])
    found = last_layer(model, text_features(model, ids, context_length=3))
    assert document["data"]["occurrences"] == len(ids) - 3 and document["data"]["dimension"] == 16
    assert document["entropy_gap_nats"] == pytest.approx(found.loss.gap) and document["margin"] > 0
    assert document["alignment"] == pytest.approx(found.cosine) and document["separable"] is found.separable
    own = noise_tolerance(head_weights(model), found.limit.reference)
    assert document["readings"]["noise_tolerance_of_own_head"]["radius"] == pytest.approx(own.radius)
    assert document["readings"]["exclusions"]["ruled_out"] == int((~found.limit.support).sum())
    assert document["holds"] and {"bias/any-data", "svm/dual"} <= {check["label"] for check in document["checks"]}
    saved = NTPDataset.load(tmp_path / "data.npz")
    assert torch.equal(saved.embeddings, found.limit.data.embeddings)
    assert head_weights(model).shape == (len(letters), 16)
    assert json.loads((tmp_path / "analysis.json").read_text()) == document and (tmp_path / "report.html").exists()
    assert main([*arguments, "--max-contexts", "4"]) == 0
    printed = capsys.readouterr().out
    assert "4 contexts" in printed and "pairs (context, next token)" in printed and "the own head tolerates" in printed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "nowhere"], "nowhere"),
        (["--embedding", "additive"], "--embedding cannot be chosen"),
        (["--exact"], "--exact cannot be chosen"),
        (["--context-length", "9"], "max_length is 8"),
    ],
)
def test_analyze_refuses(folder, capsys, more, message):
    path, _ = folder
    assert main(["analyze", str(path / "text.txt"), "--model", str(path), *more]) == 2
    found = capsys.readouterr().err
    assert message in found and found.count("\n") == 1


def _copy(folder, to, *, without=(), cut=None):
    to.mkdir()
    for file in folder.iterdir():
        if file.is_file() and not file.name.startswith(tuple(without)):
            content = file.read_bytes()
            (to / file.name).write_bytes(content[: len(content) // 2] if file.name == cut else content)
    return to


@pytest.mark.parametrize(
    ("without", "cut", "message"),
    [
        (["tokenizer", "special"], None, "holds no tokenizer"),
        ([], "model.safetensors", "damaged"),
        (["model.safetensors"], None, "no causal language model"),
    ],
)
def test_analyze_refuses_damaged_folders(folder, tmp_path, capsys, without, cut, message):
    path = _copy(folder[0], tmp_path / "copy", without=without, cut=cut)
    assert main(["analyze", str(folder[0] / "text.txt"), "--model", str(path)]) == 2
    found = capsys.readouterr().err
    assert message in found and found.count("\n") == 1


def test_a_model_without_finite_weights_is_told_as_one():
    transformers = pytest.importorskip("transformers")
    sizes = {"n_positions": 8, "n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    model = HuggingFace(transformers.GPT2Config(vocab_size=5, **sizes)).model
    nn.init.constant_(model.transformer.wte.weight, torch.nan)
    with pytest.raises(UsageError, match="not finite"):
        HuggingFace(model)


@pytest.mark.parametrize("names", [["a"], [1] * 5, "abcde", 1])
def test_names_that_do_not_fit_are_refused(names):
    with pytest.raises(DatasetError, match="token_names"):
        text_features(ours("transformer"), torch.tensor([0, 1, 0]), context_length=1, token_names=names)
