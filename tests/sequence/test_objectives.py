"""Every objective is its triple, tensor by tensor (`pitfalls/objectives`)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.objectives import position_losses
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import (
    FirstTokenOnly,
    MaskedTeacherForcing,
    TeacherForcing,
    Teacherless,
    WholeSequenceReversed,
)
from tests.sequence.strategies import tasks

seeds = st.integers(0, 2**32)


def drawn(task, seed, objective, generator_seed=0):
    batch = task.sample(4, rng=seed)
    generator = torch.Generator().manual_seed(generator_seed)
    return batch, objective.example(batch, task, generator)


def ordinary(tokens):
    return tokens if tokens.dim() == 2 else tokens[:, :, 0]


def check_triple(task, batch, example, shown, judged):
    """Input: prompt, then what is shown; labels: the answer where it is judged, -1 elsewhere."""
    p, answer = batch.prompt_length, batch.answer_length
    assert example.tokens.shape[1] == p + answer - 1 == task.max_length - 1
    assert torch.equal(example.tokens[:, :p], batch.prompts)
    assert torch.equal(ordinary(example.tokens)[:, p:], shown)
    if task.slots > 1:
        assert bool((example.tokens[:, p:, 1:] == task.null).all())
    labels = torch.full((len(batch), p + answer - 1), -1)
    for k in judged:
        labels[:, p - 1 + k] = batch.answers[:, k]
    assert torch.equal(example.labels, labels)


@given(tasks(), seeds)
def test_teacher_forcing(task, seed):
    """Nothing hidden; on a reversed task that is reversed training."""
    batch, example = drawn(task, seed, TeacherForcing())
    check_triple(task, batch, example, batch.answers[:, :-1], range(task.path_length))


@given(tasks(), seeds)
def test_teacherless(task, seed):
    """Dummies only: no token of the answer is in the input behind the question, and it says nothing of the answer."""
    batch, example = drawn(task, seed, Teacherless())
    check_triple(task, batch, example, torch.full_like(batch.answers[:, 1:], task.dummy), range(task.path_length))
    blank = type(batch)(batch.prompts, torch.zeros_like(batch.answers), batch.null)
    assert torch.equal(Teacherless().example(blank, task, torch.Generator()).tokens, example.tokens)


@given(tasks(), seeds, st.floats(0, 1))
def test_masked(task, seed, probability):
    batch, example = drawn(task, seed, MaskedTeacherForcing(probability))
    shown = ordinary(example.tokens)[:, batch.prompt_length :]
    hidden = shown == task.dummy
    expected = torch.where(hidden, task.dummy, batch.answers[:, :-1])
    check_triple(task, batch, example, expected, range(task.path_length))
    again, other = (drawn(task, seed, MaskedTeacherForcing(probability), g)[1].tokens for g in (0, 1))
    assert torch.equal(again, example.tokens) and (probability not in (0, 1) or torch.equal(other, example.tokens))


def test_how_much_is_masked():
    """0 is teacher forcing and 1 teacherless; in between within five standard deviations."""
    task = PathStar(2, 5, 9)
    batch = task.sample(2000)

    def shown(objective):
        return objective.example(batch, task, torch.Generator().manual_seed(0)).tokens

    assert torch.equal(shown(MaskedTeacherForcing(0.0)), shown(TeacherForcing()))
    assert torch.equal(shown(MaskedTeacherForcing(1.0)), shown(Teacherless()))
    share = float((shown(MaskedTeacherForcing(0.3))[:, -4:, 0] == task.dummy).double().mean())
    assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 8000) ** 0.5


@given(tasks(), seeds, st.data())
def test_first_token_only(task, seed, data):
    position = data.draw(st.integers(0, task.path_length - 1))
    batch, example = drawn(task, seed, FirstTokenOnly(position))
    check_triple(task, batch, example, batch.answers[:, :-1], [position])
    with pytest.raises(UsageError, match="position is"):
        drawn(task, seed, FirstTokenOnly(task.path_length))


@given(tasks(order="forward", encoding="paper"), seeds)
def test_whole_sequence_reversed(task, seed):
    """The strings of `pitfalls/whole-sequence-reverse`: backwards, the goal first and the edge list last."""
    batch, example = drawn(task, seed, WholeSequenceReversed())
    sequences = torch.cat([batch.prompts, batch.answers], dim=1)
    forward, backward = example.tokens.chunk(2)
    assert torch.equal(forward, sequences[:, :-1]) and torch.equal(backward, sequences.flip(1)[:, :-1])
    assert torch.equal(example.labels, torch.cat([sequences[:, 1:], sequences.flip(1)[:, 1:]]))
    for row, graph in zip(backward.tolist(), task.graphs(batch), strict=True):
        assert row[0] == graph.goal and row[: task.path_length] == list(graph.path[::-1])
        assert row[task.path_length] == task.encoding.equals
        assert row[-1] == graph.edges[0][1], "the last token is a label only"
    turned = PathStar(task.degree, task.path_length, task.num_nodes, "reversed", encoding="paper").sample(4, rng=seed)
    assert not torch.equal(torch.cat([turned.prompts, turned.answers], 1), sequences.flip(1)), "another objective"


def test_it_needs_one_token_a_position():
    with pytest.raises(UsageError, match="needs a task with one token a position"):
        drawn(PathStar(2, 3, 5), 0, WholeSequenceReversed())


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan"), "half", True])
def test_what_is_no_probability(probability):
    with pytest.raises(UsageError, match="probability is"):
        MaskedTeacherForcing(probability)


@pytest.mark.parametrize("position", [-1, 0.5, None])
def test_what_is_no_position(position):
    with pytest.raises(UsageError, match="position is"):
        FirstTokenOnly(position)


@pytest.mark.parametrize("objective", [TeacherForcing(), Teacherless(), FirstTokenOnly(), WholeSequenceReversed()])
def test_losses_are_cross_entropies_where_labels_are(objective):
    task = PathStar(2, 3, 5, encoding="paper")
    model = Transformer(TransformerConfig(task.vocab_size, task.max_length, width=16, layers=1)).double()
    _, example = drawn(task, 0, objective)
    losses = position_losses(model, example).detach()
    every = F.cross_entropy(
        model(example.tokens).transpose(1, 2), example.labels, ignore_index=-1, reduction="none"
    ).detach()
    asked = example.labels[0] >= 0
    assert torch.equal(asked.expand_as(example.labels), example.labels >= 0)
    assert torch.allclose(losses, every[:, asked], rtol=0, atol=1e-12) and not bool(every[:, ~asked].any())
    wanted = F.cross_entropy(model(example.tokens).transpose(1, 2), example.labels, ignore_index=-1)
    assert abs(float(losses.mean() - wanted.detach())) < 1e-12


def test_answers():
    """In order: what greedy decoding says; teacherless: all at once, whatever the answers of the batch."""
    task = PathStar(2, 3, 5)
    config = TransformerConfig(task.vocab_size, task.max_length, width=16, layers=1, slots=3, null=task.null)
    model, batch = Transformer(config).double(), task.sample(5)
    said = TeacherForcing().answer(model, batch, task)
    fed = type(batch)(batch.prompts, said, batch.null)
    assert torch.equal(TeacherForcing().forced(model, fed, task), said), "after its own words it says its own words"
    at_once = Teacherless().answer(model, batch, task)
    assert torch.equal(at_once, Teacherless().forced(model, fed, task)) and torch.equal(at_once[:, 0], said[:, 0])


@pytest.mark.parametrize("objective", [TeacherForcing(), Teacherless(), MaskedTeacherForcing()])
def test_a_model_is_asked_without_dropout(objective):
    """Also one that is in the mode of training, in which it stays: it says the same each time."""
    task = PathStar(2, 3, 5)
    model = Transformer(TransformerConfig(task.vocab_size, task.max_length, slots=task.slots, null=task.null))
    model.norm = torch.nn.Sequential(model.norm, torch.nn.Dropout(0.5))
    batch = task.sample(50)
    for ask in (objective.answer, objective.forced):
        said = ask(model.eval(), batch, task)
        assert torch.equal(ask(model.train(), batch, task), said) and model.training
