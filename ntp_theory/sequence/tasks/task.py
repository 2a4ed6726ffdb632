"""What every task offers: the sizes that a model must have, and examples without end."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from .batch import Batch

__all__ = ["SPLITS", "Task"]

SPLITS = ("train", "test")


class Task(ABC):
    """A source of questions with their answers.

    Attributes
    ----------
    slots : int
        Tokens that a position carries.
    null : int, optional
        The token of an empty slot.
    numbers : int
        Real numbers that a position carries instead of tokens; 0 if it carries tokens.
    right_answers : bool
        Whether an answer is right or wrong as a whole, so that it makes sense to ask a model for it.
    """

    slots: int = 1
    null: int | None = None
    numbers: int = 0
    right_answers: bool = True

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Token ids; 1 if what is predicted is a number."""

    @property
    @abstractmethod
    def max_length(self) -> int:
        """Positions of a question with its answer."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """Layers of a small model for it."""

    @property
    def dummy(self) -> int:
        """The token that stands for one which is not to be seen."""
        raise UsageError(f"task is {self!r}; it has no token that hides another")

    @abstractmethod
    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n examples, drawn independently, of the split "train" or "test", or of both."""

    def check(self, name: str, batch: Batch) -> None:
        """Refuse a batch of other shapes than the task makes, or with tokens that it does not have.

        Raises
        ------
        UsageError
            The message begins with the name of the argument.
        """
        if not isinstance(batch, Batch):
            raise UsageError(f"{name} is of type {type(batch).__name__}; it must be a Batch")
        like = self.sample(1)
        for part in ("prompts", "answers"):
            found, made = getattr(batch, part), getattr(like, part)
            shape = str(tuple(made.shape[1:]))[1:-1].rstrip(",")
            if found.shape[1:] != made.shape[1:] or found.dtype != made.dtype:
                raise UsageError(
                    f"{name} has {part} of shape {tuple(found.shape)} and {found.dtype}; "
                    f"{self!r} makes them (b, {shape}) and {made.dtype}"
                )
            if not self.numbers and len(batch) and not 0 <= int(found.min()) <= int(found.max()) < self.vocab_size:
                raise UsageError(
                    f"{name} has {part} from {int(found.min())} to {int(found.max())}; "
                    f"{self!r} makes them from 0 to {self.vocab_size - 1}"
                )

    def is_correct(self, batch: Batch, answers: Tensor) -> Tensor:
        """Which answers (b, a) are right, bool (b,): those of the batch, where the task has no other way to tell."""
        right: Tensor = (answers == batch.answers).all(dim=1)
        return right

    def held_out(self, batch: Batch) -> Tensor:
        """Which examples are of the split "test", bool (b,): none, where no two draws are the same."""
        return torch.zeros(len(batch), dtype=torch.bool)
