"""Predicting the question too: labels everywhere, and the same on the answer as without."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.objectives import (
    MaskedTeacherForcing,
    Medusa,
    MultiToken,
    Myopic,
    TeacherForcing,
    Teacherless,
    WholeSequence,
    WholeSequenceReversed,
)
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import train

TASK = PathStar(2, 3, 6, encoding="paper")


@given(st.sampled_from([TeacherForcing(), Teacherless(), MaskedTeacherForcing(0.5)]), st.integers(0, 99))
def test_labels_of_the_question_are_its_next_tokens(objective, seed):
    batch = TASK.sample(5, rng=seed)
    inner = objective.example(batch, TASK, torch.Generator().manual_seed(seed))
    made = WholeSequence(objective).example(batch, TASK, torch.Generator().manual_seed(seed))
    assert torch.equal(made.tokens, inner.tokens)
    before = batch.prompt_length - 1
    assert torch.equal(made.labels[:, before:], inner.labels[:, before:])
    assert torch.equal(made.labels[:, :before], made.tokens[:, 1 : before + 1])


def test_the_question_is_trained_where_gradients_are_cut():
    """Embeddings that only the question has stay as they are without it, and move with it (crossing-frozen-prefix)."""
    for objective, moves in ((Teacherless(), False), (WholeSequence(Teacherless()), True)):
        model = model_for(TASK)
        before = model.positions.weight.detach().clone()
        train(model, TASK, Myopic(objective), steps=2, evaluate_count=10)
        moved = (model.positions.weight != before).any(1)
        assert moved[: batch_length() - 1].tolist() == [moves] * (batch_length() - 1)


def batch_length():
    return TASK.sample(1).prompt_length


def test_edges_in_one_position_have_no_next_token():
    task = PathStar(2, 3, 6)
    with pytest.raises(UsageError, match="one token a position"):
        train(model_for(task), task, WholeSequence(), steps=1)


def test_what_it_is_not_made_of():
    """A cut within would be lost, as the loss here is one of its own; and rows must be sequences."""
    for objective in (Myopic(), MultiToken(2)):
        with pytest.raises(UsageError, match=r"it goes around WholeSequence\(..\), not into it"):
            WholeSequence(objective)
    with pytest.raises(UsageError, match="it must be one that judges next tokens alone"):
        WholeSequence(Medusa())
    with pytest.raises(UsageError, match="objective is 'teacher'; it must be an objective"):
        WholeSequence("teacher")
    for count in (1, 3):
        with pytest.raises(UsageError, match="one row of labels of a sequence"):
            WholeSequence(WholeSequenceReversed()).example(TASK.sample(count), TASK, torch.Generator())
