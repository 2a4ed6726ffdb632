"""Real text as a task: windows that are in the text, splits that share no character, tokens of every kind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.sequence.measures import evaluate
from ntp_theory.sequence.models import HuggingFace, model_for
from ntp_theory.sequence.tasks import Text, without_repeats
from ntp_theory.sequence.training import Myopic, Settings, TeacherForcing, train

VERSE = "To be, or not to be: that is the question. " * 40
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=60, max_size=300)
# A private sign for every place, so that a window says where it comes from.
PLACES = "".join(chr(0x4E00 + i) for i in range(1000))


def whole_windows(task, batch):
    return [task.decode(window) for window in batch.with_tokens(batch.answers)]


@given(TEXTS, st.integers(2, 6), st.integers(10, 13), st.integers(0, 2**32))
def test_windows_are_those_of_the_text(text, length, stretches, seed):
    """Where no character is unknown; otherwise the sign for it is at its place."""
    if len(text) // stretches < length:
        return
    task = Text(text, length, stretches=stretches)
    batch = task.sample(7, rng=seed)
    assert batch.prompts.shape == (7, 1) and batch.answers.shape == (7, length - 1) and task.max_length == length
    assert torch.equal(batch.prompts, task.sample(7, rng=np.random.default_rng(seed)).prompts)
    for window in whole_windows(task, batch):
        at = range(len(text) - length + 1)
        assert any(all(a in (b, "\ufffd") for a, b in zip(window, text[i:], strict=False)) for i in at)
    for window in whole_windows(task, task.sample(7, rng=seed, split="train")):
        assert window in text, "of the training part every character is known"


@pytest.mark.parametrize("length, stretches", [(2, 10), (7, 10), (7, 100), (10, 100)])
def test_splits_share_no_character_and_cover_the_text(length, stretches):
    """By windows of a text without repetition whose every window is drawn or enumerated."""
    filler = Text(PLACES, length, stretches=stretches)
    size = len(PLACES) // stretches
    # the sign of an unknown character stands for all that is held out
    assert {c for window in whole_windows(filler, filler.windows("test")) for c in window} == {"\ufffd"}
    train = whole_windows(filler, filler.sample(20_000, split="train"))
    starts = {PLACES.index(window) for window in train}
    assert all(i // size == (i + length - 1) // size for i in starts), "no window crosses a cut"
    used = {i // size for i in starts}
    assert len(used) == stretches * 9 // 10 and {k % 10 for k in range(stretches) if k not in used} == {5}
    assert len(starts) == len(used) * (size - length + 1), "every place is drawn"
    assert len(filler.windows("test")) == stretches // 10 * (size // length)
    cut = [PLACES.index(window) for window in whole_windows(filler, filler.windows("train"))]
    assert cut == [k * size + i for k in sorted(used) for i in range(0, size - length + 1, length)]


def test_windows_that_are_held_out_come_again_only_when_all_have_come():
    task = Text(VERSE, 5, stretches=10)
    every = sorted(map(tuple, (b := task.windows()).with_tokens(b.answers).tolist()))
    for n, again in ((len(every), 1), (2 * len(every), 2)):
        batch = task.sample(n, rng=3, split="test")
        assert sorted(map(tuple, batch.with_tokens(batch.answers).tolist())) == sorted(every * again)
    some = task.sample(7, rng=4, split="test")
    assert not torch.equal(some.answers, task.sample(7, rng=5, split="test").answers)


def test_repeats_are_counted_and_taken_out():
    assert Text(VERSE, 16, stretches=10).repeated == 1.0
    assert Text(PLACES, 5, stretches=10).repeated == 0.0
    paragraphs = [f"Paragraph {i} says {i * i}." for i in range(60)]
    text = "\n\n".join(paragraphs + [f" {p} " for p in paragraphs])
    assert without_repeats(text) == "\n\n".join(paragraphs)
    half = "".join(PLACES[:100]) + "".join(PLACES[:50]) + "".join(PLACES[200:250])
    # of ten stretches of 20 the sixth is held out: the beginning once more
    assert Text(half, 5, stretches=10).repeated == 1.0
    assert Text(half[:100] + PLACES[300:310] + half[:10] + half[120:], 5, stretches=10).repeated == 0.5


@pytest.mark.parametrize("vocab_size", [256, 270])
def test_byte_pairs_are_learned_from_the_training_part_and_encode_everything(vocab_size):
    pytest.importorskip("tokenizers")
    held = "zebra é😀 " * 12  # nothing of it is in the rest
    size = len(held)
    text = (VERSE * 3)[: 5 * size] + held + (VERSE * 3)[: 4 * size]
    task = Text(text, 8, tokens="bpe", vocab_size=vocab_size, stretches=10)
    assert task.vocab_size == vocab_size
    batch = task.windows("test")
    ids = batch.with_tokens(batch.answers).flatten()
    assert held.startswith(task.decode(ids)[:-1]) and len(ids) > 0.8 * size, "no pair of it is known"
    assert int(ids.max()) < vocab_size
    train = task.windows("train")
    assert len(train) * 8 < 0.6 * 9 * size or vocab_size == 256, "pairs of the rest are"
    assert Text(VERSE, 8, tokens="bpe", stretches=10).vocab_size <= 1000


def tokenizer_folder(path):
    """A tiny GPT-2 with its tokenizer, as they are saved."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    encoder = tokenizers.Tokenizer(tokenizers.models.BPE())
    encoder.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    encoder.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
    encoder.train_from_iterator([VERSE], trainer)
    encoder.add_special_tokens(["<|end|>"])
    mark = ("<|end|>", encoder.token_to_id("<|end|>"))
    encoder.post_processor = tokenizers.processors.TemplateProcessing(single="<|end|> $A", special_tokens=[mark])
    transformers.PreTrainedTokenizerFast(tokenizer_object=encoder, eos_token="<|end|>").save_pretrained(path)
    sizes = {"n_positions": 16, "n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    HuggingFace(transformers.GPT2Config(vocab_size=288, attn_pdrop=0.0, **sizes)).model.save_pretrained(path)
    return encoder


def test_a_folder_gives_the_model_and_its_tokens(tmp_path):
    encoder = tokenizer_folder(tmp_path)
    task = Text(VERSE, 12, tokens=tmp_path, stretches=10)
    assert task.vocab_size == encoder.get_vocab_size()
    first = VERSE[: len(VERSE) // 10]
    wanted = encoder.encode(first, add_special_tokens=False).ids[:12]
    batch = task.windows("train")
    assert batch.with_tokens(batch.answers)[0].tolist() == wanted
    assert first.startswith(task.decode(np.array(wanted)))
    model = HuggingFace(tmp_path)
    for objective in (TeacherForcing(), Myopic(), Myopic(cut="keys_values")):
        result = train(model, task, objective, steps=3, settings=Settings(batch_size=4), evaluate_count=5)
        assert len(result.evaluations[-1].losses) == 11
    assert str(tmp_path) in repr(task) and repr(Text(VERSE, 12, tokens=str(tmp_path), stretches=10)) == repr(task)


def test_folders_without_tokens_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    with pytest.raises(UsageError, match="it holds no tokenizer"):
        Text(VERSE, 12, tokens=tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(UsageError, match="it holds no tokenizer"):
        Text(VERSE, 12, tokens=tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"pip install 'ntp-theory\[hf\]'"):
        Text(VERSE, 12, tokens=tmp_path)


def test_it_trains_with_a_loss_at_every_position():
    task = Text(VERSE, 9, stretches=10)
    model = model_for(task, layers=1)
    settings = Settings(batch_size=16, warmup=5, learning_rate=3e-3)
    before = evaluate(model, task, count=20)
    result = train(model, task, TeacherForcing(), steps=20, settings=settings, evaluate_count=20)
    assert result.losses.shape == (20, 8) and len(before.losses) == 8 and before.forced == ()
    assert evaluate(model, task, count=20).loss < before.loss


def test_texts_are_told_apart_by_their_names():
    assert repr(Text(VERSE, 8, stretches=10)) == repr(Text(list(VERSE), 8, stretches=10))
    names = {repr(Text(text, 8, stretches=10)) for text in (VERSE, VERSE[::-1], VERSE.replace("be", "do"))}
    assert len(names) == 3


@pytest.mark.parametrize("content", [b"", b"too short", b"a\xff\xfe" * 100, b"a\0b" * 100], ids=["", "short", "8", "0"])
def test_what_is_no_text(content, tmp_path):
    messages = {
        b"": r"text \(the file .*\) holds 0 characters; 100 stretches need one each",
        b"too short": "holds 9 characters",
        b"a\xff\xfe" * 100: "is not UTF-8",
        b"a\0b" * 100: "it must be text, not binary data",
    }
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=messages[content]):
        Text(path, 4)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: Text(Path("nowhere.txt"), 4), DatasetError, "does not exist"),
        (lambda: Text(3, 4), UsageError, r"text \(a int\) is no text"),
        (lambda: Text(VERSE, 18), DatasetError, "100 stretches has 17 tokens, and a window needs 18: take fewer"),
        (lambda: Text(VERSE, 1), UsageError, "length is 1"),
        (lambda: Text(VERSE, 4, stretches=9), UsageError, "stretches is 9; it must be a whole number >= 10"),
        (
            lambda: Text(VERSE, 4, tokens="words"),
            UsageError,
            "tokens is 'words'; it must be 'characters', 'bpe' or a f",
        ),
        (lambda: Text(VERSE, 4, tokens=None), UsageError, "tokens is None"),
        (lambda: Text(VERSE, 4, vocab_size=300), UsageError, "vocab_size is 300; it can be chosen for tokens='bpe'"),
        (lambda: Text(VERSE, 4, tokens="bpe", vocab_size=255), UsageError, "vocab_size is 255"),
        (lambda: Text(VERSE, 4).sample(0), UsageError, "n is 0"),
        (lambda: Text(VERSE, 4).sample(3, split="valid"), UsageError, "split is 'valid'"),
        (lambda: Text(VERSE, 4).windows("valid"), UsageError, "split is 'valid'"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_byte_pairs_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"pip install 'ntp-theory\[text\]'"):
        Text(VERSE, 4, tokens="bpe")
