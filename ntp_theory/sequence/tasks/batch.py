"""What a task hands to an objective and to a measure: questions, answers, and how answers are written as inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import UsageError

__all__ = ["Batch"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Questions with their answers, all of one shape.

    Attributes
    ----------
    prompts : Tensor (b, p) or (b, p, s), int64
        The questions as tokens; with s slots a position carries s of them at once, the ordinary one first. In a task
        of numbers (`Task.numbers`) float32, s numbers a position.
    answers : Tensor (b, a), int64
        The answers as ordinary tokens. The first of them is predicted at the last position of the prompt. In a task of
        numbers float32, a target for every position of the prompt.
    null : int, optional
        What fills the other slots of a position that carries an ordinary token alone; needed with slots.

    Raises
    ------
    UsageError
        If prompts and answers are not tensors of such shapes with a row for each question, or ``null`` is missing.

    Examples
    --------
    >>> batch = Batch(torch.tensor([[7, 8]]), torch.tensor([[1, 2]]))
    >>> batch.with_tokens(batch.answers[:, :-1])
    tensor([[7, 8, 1]])
    """

    prompts: Tensor
    answers: Tensor
    null: int | None = None

    def __post_init__(self) -> None:
        for name, value, dims in (("prompts", self.prompts, (2, 3)), ("answers", self.answers, (2,))):
            if not isinstance(value, Tensor) or value.dim() not in dims:
                found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                rule = " or ".join(("(b, p)", "(b, p, s)") if name == "prompts" else ("(b, a)",))
                raise UsageError(f"{name} is {found}; it must be a Tensor {rule}")
        if len(self.prompts) != len(self.answers):
            raise UsageError(
                f"prompts has {len(self.prompts)} rows and answers {len(self.answers)}; one each a question"
            )
        if self.null is None and self.prompts.dim() == 3 and not self.prompts.is_floating_point():
            raise UsageError("null is None; with slots it must be the token of an empty one")

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def prompt_length(self) -> int:
        """p."""
        return self.prompts.shape[1]

    @property
    def answer_length(self) -> int:
        """a."""
        return self.answers.shape[1]

    def with_tokens(self, tokens: Tensor) -> Tensor:
        """The prompts, and ordinary tokens (b, n) behind them."""
        if self.prompts.dim() == 3:
            null: Any = self.null  # there is one: a number is no token
            slots = tokens.new_full((*tokens.shape, self.prompts.shape[2]), null)
            slots[:, :, 0] = tokens
            tokens = slots
        return torch.cat([self.prompts, tokens], dim=1)

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        return Batch(self.prompts.to(device), self.answers.to(device), self.null)

    def __getitem__(self, which: slice | Tensor) -> Batch:
        """Some of the questions."""
        return Batch(self.prompts[which], self.answers[which], self.null)
