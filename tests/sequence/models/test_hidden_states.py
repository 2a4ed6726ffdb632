"""Hidden states by layer: those that the model goes on with, of every architecture."""

from __future__ import annotations

import pytest
import torch

from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import HuggingFace
from ntp_theory.sequence.tasks import PathStar
from tests.sequence.measures.by_hand import Oracle
from tests.sequence.training.tiny import mamba, transformer

TASK = PathStar(2, 2, 4, encoding="paper")
LAYERS = 3


def hugging_face(kind):
    transformers = pytest.importorskip("transformers")
    ids = {"bos_token_id": 0, "eos_token_id": 0}
    if kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=TASK.vocab_size, n_positions=TASK.max_length, n_embd=16, n_layer=LAYERS, n_head=2, **ids
        )
    else:
        sizes = {"hidden_size": 16, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 16}
        config = transformers.GPTNeoXConfig(
            vocab_size=TASK.vocab_size, max_position_embeddings=TASK.max_length, **sizes, **ids
        )
    return HuggingFace(config)


MODELS = {
    "transformer": lambda: transformer(TASK, layers=LAYERS),
    "mamba": lambda: mamba(TASK, layers=LAYERS),
    "gpt2": lambda: hugging_face("gpt2"),
    "gpt-neox": lambda: hugging_face("gpt-neox"),
}
every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_the_last_ones_are_what_the_head_reads(name):
    """Layer 0 sees its own position alone; the last states, normalised, give the logits; nothing is left behind."""
    model, tokens = MODELS[name]().eval(), TASK.sample(3).prompts
    with torch.no_grad():
        logits = model(tokens)
        states = model.hidden_states(tokens)
        assert states.shape == (LAYERS + 1, 3, tokens.shape[1], 16)
        norm = {"gpt2": "transformer.ln_f", "gpt-neox": "gpt_neox.final_layer_norm"}.get(name)
        norm = model.norm if norm is None else model.model.get_submodule(norm)
        assert torch.equal(model.head(norm(states[-1])), logits) and torch.equal(model(tokens), logits)
        other = tokens.clone()
        other[:, 0] = (other[:, 0] + 1) % TASK.num_nodes
        moved = (model.hidden_states(other) != states).any(-1)
        assert bool(moved[:, :, 0].all()) and not bool(moved[0, :, 1:].any()) and bool(moved[1:, :, 1:].any())
    if name.startswith("gpt"):
        theirs = model.model(tokens, output_hidden_states=True).hidden_states
        assert all(torch.equal(a, b) for a, b in zip(theirs[:-1], states[:-1], strict=True))


@every_model
@pytest.mark.parametrize("layer", range(LAYERS + 1))
def test_what_a_tap_returns_is_gone_on_with(name, layer):
    """All states of one layer replaced by those of other tokens: logits are those of the other tokens, bit for bit."""
    model = MODELS[name]().eval()
    tokens, other = TASK.sample(2, rng=1).prompts, TASK.sample(2, rng=2).prompts
    with torch.no_grad():
        logits, states = model(other), model.hidden_states(other)
        with model.tapped(lambda found, x: states[layer] if found == layer else x):
            assert torch.equal(model(tokens), logits)
        assert not torch.equal(model(tokens), logits)


def test_the_tap_is_closed_after_an_error():
    def fail(layer, x):
        raise RuntimeError("no")

    model, tokens = transformer(TASK), TASK.sample(1).prompts
    with pytest.raises(RuntimeError, match="no"), model.tapped(fail):
        model(tokens)
    assert model.tap is None and model(tokens).shape[:2] == tokens.shape


def test_models_without_layers():
    with pytest.raises(UsageError, match="Oracle; it has no layers"):
        Oracle(TASK).hidden_states(TASK.sample(2).prompts)
