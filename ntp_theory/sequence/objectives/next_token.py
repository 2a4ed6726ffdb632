"""Predicting tokens of the answer: forced, without a teacher, partly masked, one token alone, both directions.

An objective is a triple (`pitfalls/objectives`): the answer tokens that the input shows, the order of the target, and
the positions whose loss counts. The order belongs to the task (`PathStar.order`); the other two are here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...doors import share, whole
from ...errors import UsageError
from ..decoding.greedy import greedy
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from ..tasks.task import Task
from .objective import IGNORED, Example, Objective

__all__ = [
    "FirstTokenOnly",
    "MaskedTeacherForcing",
    "TeacherForcing",
    "Teacherless",
    "WholeSequenceReversed",
]


class _AnswersInOrder(Objective):
    """Answers are read off one token after another, each after what the model said before."""

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """Greedy decoding."""
        return greedy(model, batch, batch.answer_length)

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """After the true tokens before it."""
        return _likeliest(model, batch, batch.answers[:, :-1])


@dataclass(frozen=True)
class TeacherForcing(_AnswersInOrder):
    """Next-token prediction: the model sees the true answer so far (`pitfalls/teacher-forcing`).

    Examples
    --------
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3, encoding="paper")
    >>> batch = task.sample(1, rng=0)
    >>> made = TeacherForcing().example(batch, task, torch.Generator())
    >>> made.tokens.shape, made.labels[0, -2:].equal(batch.answers[0])
    (torch.Size([1, 10]), True)
    """

    name = "teacher-forcing"

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """The prompt and all answer tokens but the last; labels are the answer."""
        return _example(batch, batch.answers[:, :-1])


@dataclass(frozen=True)
class Teacherless(Objective):
    """The whole answer at once: the model sees dummies in place of the answer (`pitfalls/teacherless`)."""

    name = "teacherless"

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """The prompt and dummies; labels are the answer."""
        return _example(batch, torch.full_like(batch.answers[:, :-1], task.dummy))

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """All tokens in one pass."""
        return _likeliest(model, batch, torch.full_like(batch.answers[:, :-1], task.dummy))

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """The same: nothing of the answer is shown."""
        return self.answer(model, batch, task)


@dataclass(frozen=True)
class MaskedTeacherForcing(_AnswersInOrder):
    """Teacher forcing with some answer tokens hidden by dummies, each with a probability (`pitfalls/masked`).

    Attributes
    ----------
    probability : float
        0 is teacher forcing, 1 is teacherless training.
    """

    probability: float = 0.5
    name = "masked"

    def __post_init__(self) -> None:
        object.__setattr__(self, "probability", share("probability", self.probability))

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """The prompt and what is left of the answer; labels are the answer."""
        shown = batch.answers[:, :-1]
        hidden = torch.rand(shown.shape, generator=generator).to(shown.device) < self.probability
        return _example(batch, torch.where(hidden, task.dummy, shown))


@dataclass(frozen=True)
class FirstTokenOnly(_AnswersInOrder):
    """Teacher forcing with the loss on one answer token alone (`pitfalls/first-token-only`).

    Attributes
    ----------
    position : int
        Which; 1 is the first that is not given in the question, r_1.
    """

    position: int = 1
    name = "first-token-only"

    def __post_init__(self) -> None:
        whole("position", self.position, at_least=0)

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """As teacher forcing, without the other labels."""
        whole("position", self.position, at_least=0, at_most=batch.answer_length - 1)
        made = _example(batch, batch.answers[:, :-1])
        labels = torch.full_like(made.labels, IGNORED)
        at = batch.prompt_length - 1 + self.position
        labels[:, at] = made.labels[:, at]
        return Example(made.tokens, labels)


@dataclass(frozen=True)
class WholeSequenceReversed(_AnswersInOrder):
    """Teacher forcing on the sequence and on its mirror image, which is not the reversed answer.

    Half of each batch is question and answer read backwards, from the last answer token to the first token of the
    question, with the loss on everything that follows the answer (`pitfalls/whole-sequence-reverse`).
    """

    name = "whole-sequence-reversed"

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """Both directions; every next token is judged, which asks for one token a position."""
        if batch.prompts.dim() == 3:
            raise UsageError("objective is whole-sequence-reversed; it needs a task with one token a position")
        sequence = batch.with_tokens(batch.answers)
        both = torch.cat([sequence, sequence.flip(1)])
        return Example(both[:, :-1], both[:, 1:])


def _likeliest(model: LanguageModel, batch: Batch, shown: Tensor) -> Tensor:
    """The likeliest token (b, a) at every place of the answer, in one pass."""
    with model.asked():
        tokens: Tensor = model(batch.with_tokens(shown))[:, batch.prompt_length - 1 :].argmax(-1)
    return tokens


def _example(batch: Batch, shown: Tensor) -> Example:
    tokens = batch.with_tokens(shown)
    labels = torch.full(tokens.shape[:2], IGNORED, dtype=torch.int64, device=tokens.device)
    labels[:, batch.prompt_length - 1 :] = batch.answers
    return Example(tokens, labels)
