"""`WholeSequence`: the question is predicted too."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from ..tasks.task import Task
from .medusa import Medusa
from .multi_token import MultiToken
from .myopic import Myopic
from .next_token import TeacherForcing
from .objective import Example, Objective

__all__ = ["WholeSequence"]


@dataclass(frozen=True)
class WholeSequence(Objective):
    """An objective on the answer, and the next token of the question at every position before it.

    In ordinary training the positions of a question are trained through those of the answer. Where gradients to other
    positions are cut they are not trained at all without a loss of their own (`planning/crossing-frozen-prefix`).

    Attributes
    ----------
    objective : Objective
        What the model sees of the answer, and is judged by there.

    Raises
    ------
    UsageError
        If it is no objective, or one with a loss of its own: that goes around, as ``Myopic(WholeSequence(objective))``
        and ``MultiToken(n, WholeSequence(objective))``. When it makes an example, if the objective does not make one
        row of labels of a sequence.

    Examples
    --------
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3, encoding="paper")
    >>> batch = task.sample(1, rng=0)
    >>> made = WholeSequence().example(batch, task, torch.Generator())
    >>> bool((made.labels == batch.with_tokens(batch.answers)[:, 1:]).all())
    True
    """

    objective: Objective = field(default_factory=TeacherForcing)

    def __post_init__(self) -> None:
        if not isinstance(self.objective, Objective):
            raise UsageError(f"objective is {self.objective!r}; it must be an objective, as TeacherForcing()")
        if isinstance(self.objective, Medusa):
            raise UsageError(f"objective is {self.objective!r}; it must be one that judges next tokens alone")
        if isinstance(self.objective, Myopic | MultiToken):
            raise UsageError(f"objective is {self.objective!r}; it goes around WholeSequence(..), not into it")

    @property
    def name(self) -> str:
        """That of the objective, with a word behind it."""
        return f"{self.objective.name} and question"

    def check_fits(self, task: Task) -> None:
        """As the objective; a next token needs one token a position."""
        self.objective.check_fits(task)
        if task.slots > 1 or task.numbers:
            raise UsageError(f"objective is {self.name}; it needs a task with one token a position, not {task!r}")

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """The inputs of the objective; labels everywhere."""
        made = self.objective.example(batch, task, generator)
        if made.labels.shape[0] != batch.prompts.shape[0]:
            raise UsageError(f"objective is {self.name}; it must make one row of labels of a sequence, not several")
        labels = made.labels.clone()
        labels[:, : batch.prompt_length - 1] = batch.prompts[:, 1:]
        return Example(made.tokens, labels)

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As the objective."""
        return self.objective.answer(model, batch, task)

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As the objective."""
        return self.objective.forced(model, batch, task)
