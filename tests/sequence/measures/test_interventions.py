"""Changed states: what follows from them exactly, and the effect that a model which pre-caches must show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import cached_effect, intervene
from ntp_theory.sequence.tasks import PreCaching
from tests.sequence.measures.pre_cacher import PreCacher
from tests.sequence.models.test_hidden_states import LAYERS, MODELS, TASK

NUMBERS = PreCaching(5.0, 3, 0.5, length=10)
every_model = pytest.mark.parametrize("name", MODELS)


def states(model, tokens):
    with model.asked():
        return model.hidden_states(tokens)


@every_model
@pytest.mark.parametrize("position", [0, 2])
def test_another_embedding_is_another_token(name, position):
    """In layer 0 the run with the other state is the run with the other token, to the last bit."""
    model, tokens = MODELS[name](), TASK.sample(3, rng=1).prompts
    other = tokens.clone()
    other[:, position] = (other[:, position] + 1) % TASK.vocab_size
    found = intervene(model, tokens, layer=0, position=position, replace=states(model, other)[0][:, position])
    with model.asked():
        assert torch.equal(found.before, model(tokens)) and torch.equal(found.after, model(other))


@every_model
@pytest.mark.parametrize("layer", range(LAYERS + 1))
def test_what_a_state_reaches(name, layer):
    """Its own value changes nothing; another one changes later positions, in the last layer its own alone."""
    model, tokens = MODELS[name](), TASK.sample(3, rng=1).prompts
    own = states(model, tokens)[layer][:, 2]
    assert not bool(intervene(model, tokens, layer=layer, position=2, replace=own).change.any())
    change = intervene(model, tokens, layer=layer, position=2, add=torch.ones(16)).change
    reached = (change != 0).any(-1).any(0).tolist()
    last = layer == LAYERS
    assert not any(reached[:2]) and (not any(reached[3:]) if last else any(reached[3:]))
    # ones are what a layer norm takes away
    tilted = torch.linspace(-1, 1, 16)
    moved = intervene(model, tokens, layer=layer, position=2, add=tilted)
    placed = intervene(model, tokens, layer=layer, position=2, replace=own + tilted)
    assert torch.equal(moved.after, placed.after) and bool((moved.change[:, 2] != 0).any())


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("probability", [0.5, 1.0])
def test_a_model_that_pre_caches(shift, layer, probability):
    """All of the effect on the window goes through the state; none of it in a model that does not answer."""
    task = PreCaching(5.0, 3, probability, shift=shift, length=10)
    found = cached_effect(PreCacher(task), task, layer=layer, position=4, count=100)
    assert found.distances == tuple(range(6)) and found.count == 100
    assert found.predicted == tuple(int(n in range(shift, shift + 3)) for n in range(6))
    np.testing.assert_allclose(found.slopes, found.predicted, atol=1e-5)
    assert found.errors.max() < 1e-5
    idle = cached_effect(PreCacher(task, diligent=False), task, layer=layer, position=4, count=100)
    assert not idle.slopes.any()
    np.testing.assert_allclose(idle.errors, idle.predicted, rtol=1e-12)


def test_after_the_last_layer():
    """Nothing reads that state but the output of its own position, whose sum has it with shift 0 alone."""
    for shift in (0, 1):
        task = PreCaching(5.0, 3, 1.0, shift=shift, length=7)
        found = cached_effect(PreCacher(task), task, layer=2, count=50)
        assert found.distances == (0, 1, 2, 3) and found.slopes == pytest.approx([1.0 - shift, 0, 0, 0], abs=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "both missing"),
        ({"add": torch.ones(4), "replace": torch.ones(4)}, "both given"),
        ({"add": torch.ones(5)}, r"add has shape \(5,\); it must be \(2, 4\) or \(4,\)"),
        ({"replace": torch.ones(3, 4)}, r"replace has shape \(3, 4\)"),
        ({"add": torch.ones(4), "position": 10}, "position is 10"),
        ({"add": torch.ones(4), "layer": 3}, "layer is 3; the model has no such layer"),
        ({"add": torch.ones(4), "layer": -1}, "layer is -1"),
    ],
)
def test_wrong_calls(arguments, message):
    tokens = NUMBERS.sample(2).prompts
    with pytest.raises(UsageError, match=message):
        intervene(PreCacher(NUMBERS), tokens, **{"layer": 1, "position": 2} | arguments)


@pytest.mark.parametrize(
    "task, arguments, message",
    [
        (NUMBERS, {"layer": 3}, "layer is 3"),
        (NUMBERS, {"position": 10}, "position is 10"),
        (NUMBERS, {"count": 1}, "count is 1"),
        (PreCaching(5.0, 3, 0.0, length=5), {}, "none has z = 1"),
    ],
)
def test_wrong_effects(task, arguments, message):
    with pytest.raises(UsageError, match=message):
        cached_effect(PreCacher(task), task, **arguments)
