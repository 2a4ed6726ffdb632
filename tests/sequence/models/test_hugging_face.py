"""Models from Hugging Face train and are evaluated as our own do; nothing is downloaded."""

from __future__ import annotations

import sys

import pytest
import torch

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy
from ntp_theory.sequence.measures import evaluate
from ntp_theory.sequence.models import HuggingFace
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import Settings, TeacherForcing, train

transformers = pytest.importorskip("transformers")
TASK = PathStar(2, 2, 4, encoding="paper")


def config(**options):
    """A tiny GPT-2, with its dropout of a tenth."""
    sizes = {"n_positions": TASK.max_length, "n_embd": 16, "n_layer": 2, "n_head": 2}
    return transformers.GPT2Config(vocab_size=TASK.vocab_size, bos_token_id=0, eos_token_id=0, **sizes | options)


def test_it_says_what_the_model_says():
    model = HuggingFace(config())
    tokens = TASK.sample(3).prompts
    with model.asked():
        assert torch.equal(model(tokens), model.model(tokens).logits)
        cache = model.new_cache()
        model.double()
        parts = [model(tokens[:, :4], cache), model(tokens[:, 4:5], cache), model(tokens[:, 5:], cache)]
        assert float((torch.cat(parts, 1) - model(tokens)).abs().max()) < 1e-10
    said = greedy(model, tokens, 2)
    theirs = model.model.eval().generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=2,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=None,
    )
    assert torch.equal(theirs[:, -2:], said)


def test_seeds_and_folders(tmp_path):
    before = torch.get_rng_state()
    first, second, other = (HuggingFace(config(), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    tokens = TASK.sample(2).prompts
    with torch.no_grad():
        logits = [model.eval()(tokens) for model in (first, second, other)]
        assert torch.equal(logits[0], logits[1]) and not torch.equal(logits[0], logits[2])
        first.model.save_pretrained(tmp_path)
        assert torch.equal(HuggingFace(str(tmp_path)).eval()(tokens), logits[0])
    assert HuggingFace(first.model).model is first.model


def test_it_trains_the_same_each_time_and_goes_on_from_a_checkpoint(tmp_path):
    """Dropout and all; every parameter has a gradient."""
    settings = Settings(batch_size=32, warmup=5, learning_rate=3e-3)
    options = {"settings": settings, "evaluate_every": 10, "evaluate_count": 50}
    models = [HuggingFace(config()) for _ in range(3)]
    whole, again = (train(model, TASK, TeacherForcing(), steps=20, **options) for model in models[:2])
    path = tmp_path / "run.npz"
    train(models[2], TASK, TeacherForcing(), steps=10, checkpoint=path, **options)
    resumed = train(HuggingFace(config()), TASK, TeacherForcing(), steps=20, checkpoint=path, **options)
    assert (whole.losses == again.losses).all() and (whole.losses == resumed.losses).all()
    assert whole.evaluations == again.evaluations == resumed.evaluations
    assert whole.losses[-1].mean() < whole.losses[0].mean()
    assert evaluate(models[0], TASK, count=50) == evaluate(models[0], TASK, count=50), "no dropout when it is asked"


@pytest.mark.parametrize(
    "source, message",
    [
        ("gpt2", "it must be a folder"),
        (3, "it must be a folder"),
        (None, "it must be a folder"),
    ],
)
def test_what_is_no_source(source, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        HuggingFace(source)
    with pytest.raises(UsageError, match="it is no causal language model"):
        HuggingFace(tmp_path)
    with pytest.raises(UsageError, match="it is no causal language model"):
        HuggingFace(transformers.CLIPVisionConfig())


def test_models_whose_logits_are_not_linear_are_refused():
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    cohere = transformers.CohereConfig(vocab_size=12, num_key_value_heads=2, logit_scale=0.5, **sizes)
    with pytest.raises(UsageError, match="its logits are not its linear head of its states"):
        HuggingFace(cohere)


def test_doors():
    model = HuggingFace(config())
    with pytest.raises(UsageError, match=r"tokens has shape \(1, 2, 3\)"):
        model(torch.zeros(1, 2, 3, dtype=torch.int64))
    with pytest.raises(UsageError, match="tokens reach position 12; max_length is 11"):
        model(torch.zeros(1, 12, dtype=torch.int64))
    with pytest.raises(UsageError, match="it has 3 tokens at a position, and the model takes 1"):
        train(model, PathStar(2, 2, 3), TeacherForcing(), steps=1)
    with pytest.raises(UsageError, match="its vocab_size is 9, and the model's 8"):
        evaluate(model, PathStar(2, 2, 5, encoding="paper"))


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"pip install 'ntp-theory\[hf\]'"):
        HuggingFace("anything")
