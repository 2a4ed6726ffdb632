"""`ExactLaws`: the expected loss under laws that are known, in place of a sampled one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from ..tasks.sparse_contexts import SparseContexts
from ..tasks.task import Task
from .next_token import TeacherForcing
from .objective import IGNORED, Example

__all__ = ["ExactLaws"]


@dataclass(frozen=True)
class ExactLaws(TeacherForcing):
    """Next-token prediction where each context is judged by its whole law: the cross-entropy without sampling noise.

    A batch of all contexts, one row each, has the exact loss of the task: its mean over the batch is
    ``H + mean_j KL(p_j || q_j)``, nats, whatever next tokens the batch itself holds.

    Attributes
    ----------
    task : SparseContexts
        Whose laws.

    Raises
    ------
    UsageError
        If ``task`` has no known laws.

    Notes
    -----
    Source: 2402.18551 Eq. (2) (`bias/loss`), weights uniform.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> task = SparseContexts(vocab_size=4, num_contexts=3, context_length=2)
    >>> objective, model = ExactLaws(task), model_for(task)
    >>> example = objective.example(task.sample(5), task, torch.Generator())
    >>> objective.losses(model, example).shape
    torch.Size([5, 1])
    """

    task: SparseContexts
    name = "exact-laws"

    def __post_init__(self) -> None:
        if not isinstance(self.task, SparseContexts):
            raise UsageError(f"task is {self.task!r}; it must be a SparseContexts, whose laws are known")

    def check_fits(self, task: Task) -> None:
        """The task whose laws it has, and no other."""
        if repr(task) != repr(self.task):
            raise UsageError(f"objective is {self.name}; it has the laws of {self.task!r}, not of {task!r}")

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """The prompt; the label is the number of the context, whose law is asked for."""
        labels = torch.full_like(batch.prompts, IGNORED)
        labels[:, -1] = self.task.rows(batch.prompts).to(labels)
        return Example(batch.prompts, labels)

    def losses(self, model: LanguageModel, example: Example) -> Tensor:
        """The expected cross-entropy (b, 1) of each context, nats."""
        logits = model.head(model.features(example.tokens)[:, -1])
        laws = self.task.laws[example.labels[:, -1].cpu()].to(logits)
        return F.cross_entropy(logits, laws, reduction="none")[:, None]
