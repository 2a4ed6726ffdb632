"""`Regression`: real targets at every position."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...doors import positive
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from ..tasks.task import Task
from .objective import Example, Objective

__all__ = ["Regression"]


@dataclass(frozen=True)
class Regression(Objective):
    """The Huber loss of the number predicted at every position, for tasks of numbers (`planning/synthetic-model`).

    Attributes
    ----------
    delta : float
        Errors up to it count by half their square, larger ones linearly.

    Examples
    --------
    >>> Regression().name
    'regression'
    """

    delta: float = 1.0
    name = "regression"
    predicts_numbers = True

    def __post_init__(self) -> None:
        positive("delta", self.delta)

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """The numbers of the question; labels are those of the answer."""
        return Example(batch.prompts, batch.answers)

    def losses(self, model: LanguageModel, example: Example) -> Tensor:
        """The loss (b, t) at every position."""
        return F.huber_loss(model(example.tokens)[..., 0], example.labels, reduction="none", delta=self.delta)

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """The numbers (b, t) that it predicts."""
        with model.asked():
            predicted: Tensor = model(batch.prompts)[..., 0]
        return predicted

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """The same: nothing of the answer is shown."""
        return self.answer(model, batch, task)
