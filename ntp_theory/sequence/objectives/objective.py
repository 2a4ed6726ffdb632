"""What an objective is: the inputs and labels that it makes of a batch, and the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from ..tasks.task import Task

__all__ = ["IGNORED", "Example", "Objective", "backward", "position_losses"]

IGNORED = -1
"""The label of a position that is not judged."""


@dataclass(frozen=True, eq=False)
class Example:
    """What a model reads and what it should say.

    Attributes
    ----------
    tokens : Tensor (b, t) or (b, t, s)
        Inputs; for tasks of numbers s of these at each position.
    labels : Tensor (b, t)
        The next token at every position, -1 where nothing is asked; for tasks of numbers the targets.
    """

    tokens: Tensor
    labels: Tensor


class Objective(ABC):
    """Turns a batch into an example and judges a model by it."""

    @property
    @abstractmethod
    def name(self) -> str:
        """How it is called in tables and files."""

    predicts_numbers = False
    """Whether it is for tasks of numbers, not of tokens."""

    def check_fits(self, task: Task) -> None:
        """Refuse a task of tokens where numbers are predicted, and the other way round.

        Raises
        ------
        UsageError
            Naming both.
        """
        if self.predicts_numbers != (task.numbers > 0):
            predicted, offered = ("numbers", "tokens") if self.predicts_numbers else ("tokens", "numbers")
            raise UsageError(f"objective is {self.name}; it predicts {predicted}, and {task!r} is of {offered}")

    @abstractmethod
    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """Inputs and labels; random choices come from the generator, which lives on the CPU."""

    def losses(self, model: LanguageModel, example: Example) -> Tensor:
        """The loss (b, n) at each of the n judged positions; training lowers its mean. Cross-entropy, in nats."""
        return position_losses(model, example)

    def backward(self, model: LanguageModel, example: Example) -> Tensor:
        """Add the gradient of the mean loss to those of the parameters; returns the losses (b, n)."""
        losses = self.losses(model, example)
        backward(losses.mean())
        return losses.detach()

    def at(self, step: int) -> Objective:
        """What is trained in a step, counted from 1: the same in all, unless an objective has a schedule."""
        return self

    def rate_factor(self, parameter: str) -> float:
        """What the learning rate is multiplied by for a parameter of the model, given by its name."""
        return 1.0

    @abstractmethod
    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """The answers (b, a) that a model trained so gives when it is asked, without being shown any of them."""

    @abstractmethod
    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """The likeliest token (b, a) at every place of the answer, after what the objective shows before it."""


def backward(of: Tensor) -> None:
    """The gradients of a number, outside of automatic precision, which is for forward passes alone."""
    with torch.autocast(of.device.type, enabled=False):
        of.backward()


def position_losses(model: LanguageModel, example: Example) -> Tensor:
    """The cross-entropy (b, n) in nats at each of the n positions that have labels, in their order.

    Every example of a batch has its labels at the same positions.
    """
    asked = example.labels[0] != IGNORED
    logits = model.head(model.features(example.tokens)[:, asked])
    labels = example.labels[:, asked]
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
