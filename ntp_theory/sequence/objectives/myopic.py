"""`Myopic`: training in which no position learns to be of use to later ones."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

import torch
from torch import Tensor

from ...errors import UsageError
from ...runs import digest
from ..models.embedding import LanguageModel
from ..models.myopic import Cut
from ..tasks.batch import Batch
from ..tasks.task import Task
from .next_token import TeacherForcing
from .objective import Example, Objective

__all__ = ["Myopic"]


@dataclass(frozen=True)
class Myopic(Objective):
    """Any objective with the gradient of the loss at a position going through that position's own computation only.

    Values are those of the plain model, bit for bit; what a position computes is then not trained to serve later ones
    (`planning/myopic-descent`). Two inequivalent cuts are known under this name (`planning/two-definitions`), and
    ``cut`` says which. A model that is trained so is a plain model, with two exceptions: with ``cut="zero"`` or
    ``past`` it is asked as it is trained.

    Attributes
    ----------
    objective : Objective
        What the model sees and is judged by.
    cut, beta, window, past
        As in `Cut`, where ``cut`` is ``at``.

    Raises
    ------
    UsageError
        If an argument is out of range or does not go with the others; in training, if the model has no such cut.

    Notes
    -----
    Source: 2404.00859 and its public code (`planning/cut-hidden-states`, `planning/cut-keys-values`,
    `planning/code-options`, `planning/bigram`, `planning/local-bonus`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task, plain = PathStar(2, 2, 3), TeacherForcing()
    >>> model, example = model_for(task), plain.example(task.sample(4), task, torch.Generator())
    >>> torch.equal(Myopic(plain).losses(model, example), plain.losses(model, example))
    True
    """

    objective: Objective = field(default_factory=TeacherForcing)
    cut: str = "hidden_states"
    beta: float = field(default=0.0, kw_only=True)
    window: int = field(default=0, kw_only=True)
    past: LanguageModel | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.objective, Objective):
            raise UsageError(f"objective is {self.objective!r}; it must be an objective, as TeacherForcing()")
        if isinstance(self.objective, Myopic):
            raise UsageError(f"objective is {self.objective!r}; it must not be myopic already")
        object.__setattr__(self, "beta", self._cut.beta)
        object.__setattr__(self, "window", self._cut.window)

    @cached_property
    def _cut(self) -> Cut:
        return Cut(self.cut, beta=self.beta, window=self.window, past=self.past)

    @property
    def name(self) -> str:
        """That of the objective, with a word before it."""
        return f"{'bigram' if self.cut == 'zero' else 'myopic'} {self.objective.name}"

    def check_fits(self, task: Task) -> None:
        """As the objective."""
        self.objective.check_fits(task)

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """As the objective."""
        return self.objective.example(batch, task, generator)

    def losses(self, model: LanguageModel, example: Example) -> Tensor:
        """Those of the objective, with other gradients."""
        with model.cut(self._cut):
            return self.objective.losses(model, example)

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As the objective."""
        with model.cut(self._cut):
            return self.objective.answer(model, batch, task)

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As the objective."""
        with model.cut(self._cut):
            return self.objective.forced(model, batch, task)

    def __repr__(self) -> str:
        """With a word that stands for the weights of the past model, not with all of its layers."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        shown = [f"{name}={value!r}" for name, value in values.items() if name != "past"]
        if self.past is not None:
            # numpy has no bfloat16; double precision holds every type exactly
            weights = {k: v.double().cpu().numpy() for k, v in self.past.state_dict().items()}
            shown.append(f"past={digest(weights)}")
        return f"Myopic({', '.join(shown)})"
