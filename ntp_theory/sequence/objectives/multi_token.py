"""`MultiToken`: several heads, each trained on a token further on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...doors import whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from ..tasks.task import Task
from .ahead import Ahead
from .next_token import TeacherForcing
from .objective import Example, Objective

__all__ = ["MultiToken"]


@dataclass(frozen=True)
class MultiToken(Objective):
    """Multi-token prediction: at every judged position head i is trained on the i-th token ahead.

    The loss at a position is the sum of the heads' cross-entropies, without weights; a head whose token lies behind
    the end is not judged there. Asked, the model answers by its next-token head.

    Gradients are computed one head after another, with the logits of one head in memory at a time; they are those of
    the sum of all losses, bit for bit in single and double precision.

    Attributes
    ----------
    num_heads : int
        n; the model must have as many, the next-token head among them (`LayerHeads` and others).
    objective : Objective
        What the model sees, and at which positions it is judged.

    Raises
    ------
    UsageError
        If n is below 1, or the objective has a loss of its own. In training, if the model has another number of heads,
        or there are answers so short that a head is judged nowhere.

    Notes
    -----
    Source: Gloeckle et al., 2404.19737, Sec. 2 (`multitoken/loss`, `multitoken/memory`, `multitoken/sequential-heads`,
    `multitoken/sequential-gradients`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import TransformerConfig, parameter_matched
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 4, 7, encoding="paper")
    >>> model = parameter_matched(TransformerConfig(task.vocab_size, task.max_length), 3)
    >>> objective = MultiToken(3)
    >>> example = objective.example(task.sample(5), task, torch.Generator())
    >>> objective.losses(model, example).shape
    torch.Size([5, 4])
    >>> [tuple(loss.shape) for loss in objective.head_losses(model, example)]
    [(5, 4), (5, 3), (5, 2)]
    """

    num_heads: int
    objective: Objective = field(default_factory=TeacherForcing)

    def __post_init__(self) -> None:
        whole("num_heads", self.num_heads, at_least=1)
        if not isinstance(self.objective, Objective) or type(self.objective).losses is not Objective.losses:
            raise UsageError(f"objective is {self.objective!r}; it must be one of cross-entropies, as TeacherForcing()")

    @property
    def name(self) -> str:
        """The number of heads, and the name of the objective."""
        return f"{self.num_heads}-token {self.objective.name}"

    def check_fits(self, task: Task) -> None:
        """As the objective."""
        self.objective.check_fits(task)

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """As the objective."""
        return self.objective.example(batch, task, generator)

    def head_losses(self, model: LanguageModel, example: Example) -> list[Tensor]:
        """The cross-entropies (b, n_i) of head i at the n_i judged positions that have a label so far ahead."""
        return [loss for loss in self._ahead(model, example).by_head() if loss is not None]

    def losses(self, model: LanguageModel, example: Example) -> Tensor:
        """Their sum over heads (b, n) at each of the n judged positions.

        With gradients, the logits of all heads are kept: training goes by `backward`.
        """
        return self._ahead(model, example).losses()

    def backward(self, model: LanguageModel, example: Example) -> Tensor:
        """As of any objective, one head after another."""
        return self._ahead(model, example).backward()

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As the objective, by the next-token head."""
        return self.objective.answer(model, batch, task)

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As the objective, by the next-token head."""
        return self.objective.forced(model, batch, task)

    def _ahead(self, model: LanguageModel, example: Example) -> Ahead:
        return Ahead(model, example, [1.0] * self.num_heads)
