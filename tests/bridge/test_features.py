"""Features as a dataset: its loss is the loss that training has, whatever the objective, the encoding and the head."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import ntp_theory as ntp
from ntp_theory.bridge import accuracy, exact_features, features_dataset, head_weights, last_layer, text_features
from ntp_theory.bridge import features as module
from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import Transformer, TransformerConfig, model_for
from ntp_theory.sequence.objectives import position_losses
from ntp_theory.sequence.tasks import Batch, PathStar, SparseContexts
from ntp_theory.sequence.training import (
    FirstTokenOnly,
    MaskedTeacherForcing,
    Regression,
    TeacherForcing,
    Teacherless,
    WholeSequenceReversed,
)
from tests.sequence.strategies import tasks

OBJECTIVES = [TeacherForcing(), Teacherless(), FirstTokenOnly(), MaskedTeacherForcing(0.0), WholeSequenceReversed()]
ROUNDING = 1e-12  # of logits of size 1, sums of 16 products, in double precision


def model_of(task, bias=False, seed=0):
    config = TransformerConfig(
        task.vocab_size, task.max_length, width=16, layers=1, slots=task.slots, null=task.null, seed=seed
    )
    model = Transformer(config).double()
    if bias:
        model.head = nn.Linear(16, task.vocab_size).double()
        with torch.no_grad():
            for values in model.head.parameters():
                values.copy_(torch.randn(values.shape, generator=torch.Generator().manual_seed(seed)))
    return model


def twice(batch):
    return Batch(torch.cat([batch.prompts] * 2), torch.cat([batch.answers] * 2), batch.null)


@settings(max_examples=15)
@given(tasks(), st.sampled_from(OBJECTIVES), st.booleans(), st.integers(0, 99))
def test_loss_of_the_head_is_the_loss_of_training(task, objective, bias, seed):
    """Equal contexts are one: the loss is the same, and a question that comes twice adds none."""
    if isinstance(objective, WholeSequenceReversed) and task.slots > 1:
        objective = TeacherForcing()
    model, batch = model_of(task, bias, seed), task.sample(20, rng=seed)
    data = features_dataset(model, task, objective, batch)
    loss = position_losses(model, objective.example(batch, task, torch.Generator())).mean().detach()
    assert ntp.loss.evaluate(head_weights(model), data).value == pytest.approx(float(loss), abs=ROUNDING * 10)
    again = features_dataset(model, task, objective, twice(batch))
    assert again.num_contexts == data.num_contexts and torch.equal(again.counts, 2 * data.counts)
    if not isinstance(objective, WholeSequenceReversed):  # its second half begins after all questions
        assert again.context_names == data.context_names


@given(tasks(), st.sampled_from(OBJECTIVES[:2]), st.data())
@settings(max_examples=15)
def test_places(task, objective, data):
    """One place: embeddings are its hidden states, bit for bit, and the next tokens those of the answers."""
    place = data.draw(st.integers(0, task.path_length - 1))
    model, batch = model_of(task).float(), task.sample(10, rng=3)
    made = features_dataset(model, task, objective, batch, places=[place])
    with model.asked():
        tokens = objective.example(batch, task, torch.Generator()).tokens
        states = model.features(tokens)[:, batch.prompt_length - 1 + place]
    questions, places = zip(*(map(int, name.split(":")) for name in made.context_names), strict=True)
    assert set(places) == {place} and made.embeddings.dtype == torch.float64
    assert torch.equal(made.embeddings, states[list(questions)].double())
    assert torch.equal(made.pattern.tokens, batch.answers[list(questions), place]) and made.entropy == 0


def test_what_follows_equal_contexts_is_counted():
    """Read forward and backward a sequence begins with a node alone, whatever it is that follows."""
    task = PathStar(2, 2, 3, encoding="paper")
    batch = task.sample(200, rng=0)
    data = features_dataset(model_of(task), task, WholeSequenceReversed(), batch, places=[0])
    ahead = batch.with_tokens(batch.answers)
    counts = torch.zeros(3, task.vocab_size, dtype=torch.int64)
    for sequence in (*ahead, *ahead.flip(1)):
        counts[sequence[0], sequence[1]] += 1
    assert data.num_contexts == 3 and torch.equal(data.counts, counts[counts > 0])


def test_all_places_are_those_one_by_one(monkeypatch):
    """And however many questions are put at once."""
    task = PathStar(2, 4, 8)
    model, batch = model_of(task), task.sample(11, rng=0)
    data = features_dataset(model, task, Teacherless(), batch)
    monkeypatch.setattr(module, "CHUNK", 3)
    parts = [features_dataset(model, task, Teacherless(), batch, places=[k]) for k in range(4)]
    assert data.context_names == sum((part.context_names for part in parts), ())
    assert torch.allclose(data.embeddings, torch.cat([part.embeddings for part in parts]), atol=ROUNDING)


def test_random_choices_come_from_the_seed():
    task, objective = PathStar(2, 4, 8), MaskedTeacherForcing()
    model, batch = model_of(task), task.sample(50, rng=0)
    first, same, other = (features_dataset(model, task, objective, batch, rng=k).embeddings for k in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_the_model_stays_as_it_was():
    task = PathStar(2, 3, 5)
    model = model_of(task).train()
    assert not features_dataset(model, task, TeacherForcing(), task.sample(5)).embeddings.requires_grad
    assert model.training and model.head.weight.requires_grad


@pytest.mark.parametrize("places", [[], [3], [-1], [1, 1], [0.5]])
def test_what_is_no_place(places):
    task = PathStar(2, 3, 5)
    with pytest.raises(UsageError, match="places is"):
        features_dataset(model_of(task), task, TeacherForcing(), task.sample(5), places=places)


def test_a_model_that_is_too_small():
    task, large = PathStar(2, 3, 5), PathStar(2, 3, 20)
    with pytest.raises(UsageError, match="its vocab_size is 25, and the model's 10"):
        features_dataset(model_of(task), large, TeacherForcing(), large.sample(5))


def test_what_is_of_another_task():
    task, large = PathStar(2, 3, 5), PathStar(2, 4, 7)
    with pytest.raises(UsageError, match="batch has prompts of shape"):
        features_dataset(model_of(task), task, TeacherForcing(), large.sample(5))
    with pytest.raises(UsageError, match="objective is regression; it predicts numbers"):
        features_dataset(model_of(task), task, Regression(), task.sample(5))


@pytest.mark.parametrize("wrong", [None, 1, nn.Linear(2, 2)])
def test_things_that_are_no_model_task_or_data_are_refused(wrong):
    task = SparseContexts(4, 3, 2, 2)
    path, tokens = PathStar(2, 3, 5), torch.tensor([0, 1, 0])
    model, objective, batch = model_for(path), TeacherForcing(), path.sample(3)
    for ask, words in (
        (lambda: features_dataset(wrong, path, objective, batch), "model is"),
        (lambda: features_dataset(model, wrong, objective, batch), "task is"),
        (lambda: features_dataset(model, path, wrong, batch), "objective is"),
        (lambda: exact_features(wrong, task), "model is"),
        (lambda: head_weights(wrong), "model is"),
        (lambda: last_layer(wrong, exact_features(model_for(task), task)), "model is"),
        (lambda: text_features(wrong, tokens, context_length=1), "model is"),
        (lambda: accuracy([[1.0]], wrong), "data is"),
        (lambda: features_dataset(model, path, objective, batch, places=1), "places is 1"),
    ):
        with pytest.raises(UsageError, match=words):
            ask()
