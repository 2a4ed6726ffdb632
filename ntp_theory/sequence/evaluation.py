"""How often a model is right: asked freely, and token by token after the true ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import beta

from ..doors import instance, share, whole
from .models.embedding import LanguageModel
from .objectives import Objective, TeacherForcing
from .tasks.task import Task

__all__ = ["Evaluation", "confidence_interval", "evaluate"]

# Questions that are put to a model at once.
CHUNK = 1000


@dataclass(frozen=True)
class Evaluation:
    """Accuracies on held-out questions.

    Attributes
    ----------
    step : int
        After how many steps of training; 0 if it is not known.
    count : int
        How many questions.
    losses : tuple of float
        The mean loss at every answer token, with inputs as in training; nan if the objective does not judge exactly
        these. Cross-entropy in nats, or what the objective says.
    free : float
        Share of whole answers that are right when the model gives them by itself, as its objective trained it to; nan
        if the task has no right answers (`Task.right_answers`).
    forced : tuple of float
        For every answer token the share that is right after the true tokens before it; for teacherless training
        after dummies, as in training. Empty if the task has no right answers.
    """

    step: int
    count: int
    losses: tuple[float, ...]
    free: float = math.nan
    forced: tuple[float, ...] = ()

    @property
    def loss(self) -> float:
        """The mean over the answer tokens."""
        return math.fsum(self.losses) / len(self.losses)

    @property
    def free_interval(self) -> tuple[float, float]:
        """A 95 % confidence interval for the free accuracy; nan if the task has no right answers."""
        if math.isnan(self.free):
            return math.nan, math.nan
        return confidence_interval(round(self.free * self.count), self.count)


def confidence_interval(successes: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of Clopper and Pearson, which never promises more than its level.

    Parameters
    ----------
    successes, count : int
    level : float

    Returns
    -------
    low, high : float

    Raises
    ------
    UsageError
        If the successes are not between 0 and the count, or the level not between 0 and 1.

    Examples
    --------
    >>> low, high = confidence_interval(50, 100)
    >>> f"{low:.3f} {high:.3f}"
    '0.398 0.602'
    """
    whole("count", count, at_least=1)
    whole("successes", successes, at_least=0, at_most=count)
    tail = (1 - share("level", level, below_one=True)) / 2
    low = beta.ppf(tail, successes, count - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, count - successes) if successes < count else 1.0
    return float(low), float(high)


def evaluate(
    model: LanguageModel,
    task: Task,
    objective: Objective | None = None,
    *,
    count: int = 1000,
    rng: int | np.random.Generator = 0,
    step: int = 0,
) -> Evaluation:
    """Losses and accuracies of a model on held-out questions of a task.

    Parameters
    ----------
    model : LanguageModel
    task : Task
    objective : Objective, optional
        As it was trained: it says how the model is asked; teacher forcing if None.
    count : int
        How many questions, from the split "test".
    rng : int or numpy.random.Generator
    step : int
        Recorded in the result.

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        If an argument is out of range, or the model is too small for the task.

    Notes
    -----
    Source: 2403.06963 (`pitfalls/metrics`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3)
    >>> model = Transformer(TransformerConfig(task.vocab_size, task.max_length, slots=task.slots, null=task.null))
    >>> len(evaluate(model, task, count=10).forced)
    2
    """
    instance("model", model, LanguageModel)
    instance("task", task, Task)
    whole("count", count, at_least=1)
    objective = TeacherForcing() if objective is None else objective
    batch = task.sample(count, rng, split="test")
    model.check_fits(task)
    objective.check_fits(task)
    right, forced, losses = 0, *torch.zeros(2, batch.answer_length, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    with model.asked():
        for begin in range(0, count, CHUNK):
            some = batch[begin : begin + CHUNK].to(model.device)
            found = objective.losses(model, objective.example(some, task, generator)).double().sum(0).cpu()
            losses = losses + (found if len(found) == batch.answer_length else math.nan)
            if task.right_answers:
                right += int((objective.answer(model, some, task) == some.answers).all(1).sum())
                forced += (objective.forced(model, some, task) == some.answers).sum(0).cpu()
    by_position = tuple((losses / count).tolist())
    if not task.right_answers:
        return Evaluation(step, count, by_position)
    return Evaluation(step, count, by_position, right / count, tuple((forced / count).tolist()))
