"""`Myopic` around other objectives: what it hands on, how it trains, and what stays untrained on path-star."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from ntp_theory.errors import CheckpointError, UsageError
from ntp_theory.sequence.measures import evaluate
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.training import Myopic, Regression, TeacherForcing, Teacherless, train
from tests.sequence.training.tiny import SETTINGS, TASK, mamba, same, transformer

OBJECTIVES = [TeacherForcing(), Teacherless()]
both_cuts = pytest.mark.parametrize("cut", ["hidden_states", "keys_values"])


def gradients(model, objective, task=TASK):
    model.zero_grad()
    example = objective.example(task.sample(16), task, torch.Generator().manual_seed(0))
    objective.losses(model, example).mean().backward()
    return {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("make", [transformer, mamba])
@pytest.mark.parametrize("objective", OBJECTIVES)
@both_cuts
def test_all_but_the_gradient_is_that_of_the_objective(make, objective, cut):
    model, myopic = make(), Myopic(objective, cut)
    assert evaluate(model, TASK, myopic, count=50) == evaluate(model, TASK, objective, count=50)
    before, after = gradients(model, objective), gradients(model, myopic)
    assert not all(torch.equal(before[name], after[name]) for name in before)
    assert myopic.name == f"myopic {objective.name}" and Myopic(objective, "zero").name == f"bigram {objective.name}"


@pytest.mark.parametrize("make", [transformer, mamba])
@pytest.mark.parametrize("objective", OBJECTIVES)
@both_cuts
def test_the_prefix_is_never_trained(make, objective, cut):
    """`planning/crossing-frozen-prefix`: with the loss on the answer alone, what only questions hold stays as it is.

    Edges have tables of their own, slots 1 and 2; positions before the last of the question come before any loss.
    """
    model = make()
    plain, found = gradients(model, objective), gradients(model, Myopic(objective, cut))
    asked = TASK.sample(1).prompt_length - 1
    for table in (1, 2):
        name = f"embedding.tables.{table}.weight"
        assert bool((found[name] == 0).all()) and bool((plain[name] != 0).any())
    if "positions.weight" in found:
        name = "positions.weight"
        assert bool((found[name][:asked] == 0).all()) and bool((plain[name][:asked] != 0).all())
        assert bool((found[name][asked : TASK.max_length - 1] != 0).any())
    tokens = found["embedding.tables.0.weight"]
    nodes = tokens[: TASK.num_nodes]
    assert bool((nodes == 0).all()) == isinstance(objective, Teacherless)


def test_training_leaves_them_as_they_were():
    model = transformer()
    before = copy.deepcopy(model)
    train(model, TASK, Myopic(Teacherless()), steps=5, settings=SETTINGS, evaluate_count=10)
    for table in (1, 2):
        assert torch.equal(model.embedding.tables[table].weight, before.embedding.tables[table].weight)
    assert not same(model, before)


def test_a_bigram_and_a_reader_with_a_past_are_asked_as_they_are_trained():
    model = transformer()
    for objective in (Myopic(cut="zero"), Myopic(past=transformer(seed=1))):
        found = train(model, TASK, objective, steps=3, settings=SETTINGS, evaluate_count=50).evaluations[-1]
        plain = evaluate(model, TASK, count=50)
        assert abs(found.loss - plain.loss) > 1e-4 and 0 <= found.free <= 1


def test_the_past_is_frozen_and_counts_as_part_of_the_run(tmp_path):
    past = transformer(seed=1)
    weights, mode = copy.deepcopy(past.state_dict()), past.training
    options = {"steps": 2, "settings": SETTINGS, "evaluate_count": 10, "checkpoint": tmp_path / "run.npz"}
    train(transformer(), TASK, Myopic(past=past), **options)
    assert all(torch.equal(value, past.state_dict()[key]) for key, value in weights.items()) and past.training == mode
    assert repr(Myopic(past=past)) == repr(Myopic(past=copy.deepcopy(past))) != repr(Myopic(past=transformer()))
    with pytest.raises(CheckpointError, match="objective"):
        train(transformer(), TASK, Myopic(past=transformer()), **options)


def test_numbers():
    assert Myopic(Regression()).name == "myopic regression"
    with pytest.raises(UsageError, match="objective is regression; it predicts numbers"):
        train(model_for(TASK), TASK, Myopic(Regression()), steps=1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Myopic("teacher"), "objective is 'teacher'; it must be an objective"),
        (lambda: Myopic(Myopic()), "it must not be myopic already"),
        (lambda: Myopic(cut="states"), "cut is 'states'"),
        (lambda: Myopic(beta=-1.0), "beta is -1.0"),
    ],
)
def test_doors(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_how_it_is_written():
    """The name of a run in its checkpoint: one for all ways to write a number."""
    assert repr(Myopic()) == "Myopic(objective=TeacherForcing(), cut='hidden_states', beta=0.0, window=0)"
    assert repr(Myopic(beta=np.float64(1), window=np.int64(2))) == repr(Myopic(beta=1, window=2))
    half = transformer().bfloat16()
    assert repr(Myopic(past=half)) == repr(Myopic(past=copy.deepcopy(half))) != repr(Myopic(past=transformer()))
