"""The two parts of the gradient: their sum is the whole, the first is the myopic gradient; finite differences too."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import gradient_split
from ntp_theory.sequence.models import HuggingFace, model_for
from ntp_theory.sequence.tasks import Batch, PathStar, Task
from ntp_theory.sequence.training import FirstTokenOnly, Myopic, Regression, TeacherForcing, Teacherless
from ntp_theory.sequence.training import WholeSequenceReversed as Mirrored

# A gradient is a sum of some thousand products of numbers near 1; float64 rounds each by 1e-16.
ROUNDING = 1e-12
TASK = PathStar(2, 2, 4)
PAPER = PathStar(2, 2, 4, encoding="paper")


class Walk(Task):
    """The target is the sum of the numbers so far."""

    numbers, right_answers = 1, False
    vocab_size, max_length, depth = 1, 5, 1

    def sample(self, n, rng=0, *, split=None):
        drawn = torch.from_numpy(np.random.default_rng(rng).standard_normal((n, 5, 1)))
        return Batch(drawn, drawn[..., 0].cumsum(1))


def shaken(model, seed=0):
    """In double precision, with weights that make every term count; those of empty slots stay 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.double().parameters():
            p += 0.3 * torch.randn(p.shape, generator=generator)
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0
    return model


def gradients(model, task, objective, batch):
    model.zero_grad()
    example = objective.example(batch, task, torch.Generator().manual_seed(0))
    objective.losses(model, example).mean().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def apart(one, other):
    """The largest difference over the largest entry of either."""
    assert list(one) == list(other)
    difference = max(float((value - other[name]).abs().max()) for name, value in one.items())
    return difference / max(float(value.abs().max()) for found in (one, other) for value in found.values())


CASES = [(TASK, TeacherForcing()), (TASK, Teacherless()), (PAPER, FirstTokenOnly()), (PAPER, Mirrored())]
CASES += [(Walk(), Regression())]


@pytest.mark.parametrize("architecture", ["transformer", "mamba"])
@given(case=st.sampled_from(CASES), seed=st.integers(0, 100), layers=st.integers(1, 2))
@settings(max_examples=6)
def test_the_parts_add_up_and_the_diagonal_is_the_myopic_gradient(architecture, case, seed, layers):
    """With empty slots, which pad, and without; with few of the positions judged, and all."""
    task, objective = case
    model, batch = shaken(model_for(task, architecture, layers=layers), seed), task.sample(3, seed)
    split = gradient_split(model, task, objective, batch)
    assert apart(split.total, gradients(model, task, objective, batch)) < ROUNDING
    assert apart(split.diagonal, gradients(model, task, Myopic(objective, "keys_values"), batch)) < ROUNDING
    assert apart(split.off_diagonal, {name: torch.zeros_like(p) for name, p in split.diagonal.items()}) == 1
    assert all(p.grad is not None for p in model.parameters()) and model.training


def test_each_part_by_finite_differences():
    """Move the copy of one position, or the copies of all before it, and see the losses at the position change.

    Central, so to second order: with steps of 1e-5 the remainder is 1e-10 times third derivatives.
    """
    task, step = Walk(), 1e-5
    model, batch = shaken(model_for(task)), task.sample(3)
    split = gradient_split(model, task, Regression(), batch)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    along = {name: torch.randn(p.shape, generator=generator).double() for name, p in weights.items()}

    def loss(place, moved):
        memory, copies = model.new_cache(), ({k: p + s * along[k] for k, p in weights.items()} for s in moved)
        with torch.no_grad():
            for i, copy in enumerate(copies):
                logits = functional_call(model, copy, (batch.prompts[:, i : i + 1], memory))
        errors = logits[:, 0, 0] - batch.answers[:, place]
        return float(torch.nn.functional.huber_loss(errors, torch.zeros_like(errors))) / 5

    for part, own in ((split.diagonal, 1), (split.off_diagonal, 0)):
        slope = 0.0
        for place in range(5):
            moved = torch.tensor([1.0 - own] * place + [float(own)]).double() * step
            slope += (loss(place, moved) - loss(place, -moved)) / (2 * step)
        expected = sum(float((part[name] * along[name]).sum()) for name in along)
        assert abs(slope - expected) < 1e-6 * max(1, abs(expected)) and abs(expected) > 0.01


def test_numbers_of_a_split():
    """In one layer without later readers nothing is off-diagonal for what reads: the head, the last norm."""
    model, batch = shaken(model_for(TASK, layers=1)), TASK.sample(4)
    split = gradient_split(model, TASK, TeacherForcing(), batch)
    for name in ("head.weight", "norm.weight", "blocks.0.mlp.0.weight"):
        assert bool((split.off_diagonal[name] == 0).all()) and bool((split.diagonal[name] != 0).any())
    assert bool((split.off_diagonal["embedding.tables.1.weight"] != 0).any())
    own, later = split.norms
    total = math.sqrt(sum(float(p.square().sum()) for p in split.total.values()))
    assert math.isclose(total**2, own**2 + later**2 + 2 * split.cosine * own * later)
    assert math.isclose(split.share * total**2, later**2 + split.cosine * own * later)
    assert split.summary().startswith("diagonal ") and f"share {split.share:.3f}" in split.summary()


def test_frozen_parameters_have_no_part():
    model = shaken(model_for(TASK, layers=1))
    model.embedding.requires_grad_(False)
    split = gradient_split(model, TASK, TeacherForcing(), TASK.sample(2))
    assert not any(name.startswith("embedding") for name in split.total) and "head.weight" in split.total


def test_hugging_face():
    """Dropout is off; input and output embedding are one matrix, which has both parts."""
    transformers = pytest.importorskip("transformers")
    sizes = {"n_positions": PAPER.max_length, "n_embd": 16, "n_layer": 2, "n_head": 2}
    config = transformers.GPT2Config(vocab_size=PAPER.vocab_size, bos_token_id=0, eos_token_id=0, **sizes)
    model, batch = shaken(HuggingFace(config)), PAPER.sample(3)
    split = gradient_split(model, PAPER, TeacherForcing(), batch)
    model.eval()
    assert apart(split.total, gradients(model, PAPER, TeacherForcing(), batch)) < ROUNDING
    assert apart(split.diagonal, gradients(model, PAPER, Myopic(cut="keys_values"), batch)) < ROUNDING


class Averaged(TeacherForcing):
    def losses(self, model, example):
        return super().losses(model, example).mean(1, keepdim=True)


def test_doors():
    model = model_for(TASK, layers=1)
    batch = TASK.sample(2)
    for task, objective, message in [
        (PathStar(2, 2, 9), TeacherForcing(), "its vocab_size is"),
        (TASK, Regression(), "it predicts numbers"),
        (TASK, Averaged(), "it must have one each"),
        (TASK, Myopic(), "it has no cut"),
    ]:
        with pytest.raises(UsageError, match=message):
            gradient_split(model, task, objective, batch)
