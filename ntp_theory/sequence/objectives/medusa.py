"""`Medusa`: training the heads of a model that is trained already, alone or together with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...doors import positive, whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..models.heads import MedusaModel
from ..tasks.batch import Batch
from ..tasks.task import Task
from .ahead import Ahead
from .next_token import TeacherForcing
from .objective import Example, Objective

__all__ = ["Medusa"]


@dataclass(frozen=True)
class Medusa(Objective):
    """Head k is trained on the token k + 1 ahead with weight ``decay**k``; the model is frozen, or trained with them.

    Medusa-1, the default: the sum over the heads alone, and neither the model nor its next-token head is touched.
    Medusa-2, ``joint=True``: the next-token loss plus ``weight`` times that sum, where the learning rate of the heads
    is ``head_rate`` times that of the model; for the first ``alone`` steps it is Medusa-1.

    Attributes
    ----------
    joint : bool
        Whether the model is trained too.
    decay : float
        lambda_k = decay^k.
    weight : float
        lambda_0 of the joint loss.
    head_rate : float
        Of the joint training.
    alone : int
        Steps of joint training in which the model is frozen still.

    Raises
    ------
    UsageError
        If an argument is out of range. In training, if the model is no `MedusaModel`, or there are answers so short
        that a head is judged nowhere.

    Notes
    -----
    Source: Cai et al., 2401.10774 (`medusa/medusa-1`, `medusa/medusa-2`). How long the heads are alone is not printed
    there. With a frozen model the heads do not touch each other: each learns as it would alone.

    Examples
    --------
    >>> from ntp_theory.sequence.models import MedusaHeads, MedusaModel, Transformer, TransformerConfig
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 4, 7, encoding="paper")
    >>> trunk = Transformer(TransformerConfig(task.vocab_size, task.max_length))
    >>> model = MedusaModel(trunk, MedusaHeads(64, task.vocab_size, 2, head=trunk.head))
    >>> example = Medusa().example(task.sample(5), task, torch.Generator())
    >>> losses = Medusa().backward(model, example)
    >>> trunk.head.weight.grad is None, model.heads.unembeddings[0].weight.grad is None
    (True, False)
    """

    joint: bool = False
    decay: float = 0.8
    weight: float = 0.2
    head_rate: float = 4.0
    alone: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.joint, bool):
            raise UsageError(f"joint is {self.joint!r}; it must be True or False")
        for name in ("decay", "weight", "head_rate"):
            positive(name, getattr(self, name))
        whole("alone", self.alone, at_least=0)

    @property
    def name(self) -> str:
        """Medusa, with its number."""
        return "medusa-2" if self.joint else "medusa-1"

    def at(self, step: int) -> Medusa:
        """Medusa-1 for the steps in which the heads are alone."""
        return replace(self, joint=False) if self.joint and step <= self.alone else self

    def rate_factor(self, parameter: str) -> float:
        """Of the heads in joint training."""
        return self.head_rate if self.joint and parameter.startswith("heads.") else 1.0

    def example(self, batch: Batch, task: Task, generator: torch.Generator) -> Example:
        """As teacher forcing."""
        return TeacherForcing().example(batch, task, generator)

    def weights(self, num_heads: int) -> list[float]:
        """What the losses of the next-token head and of K heads behind it are multiplied by.

        Examples
        --------
        >>> [[round(w, 4) for w in Medusa(joint=joint).weights(2)] for joint in (False, True)]
        [[0.0, 0.8, 0.64], [1.0, 0.16, 0.128]]
        """
        scale = self.weight if self.joint else 1.0
        return [float(self.joint), *(scale * self.decay**k for k in range(1, num_heads + 1))]

    def losses(self, model: LanguageModel, example: Example) -> Tensor:
        """The weighted sum over heads (b, n) at each of the n judged positions."""
        return self._ahead(model, example).losses()

    def backward(self, model: LanguageModel, example: Example) -> Tensor:
        """As of any objective, one head after another."""
        return self._ahead(model, example).backward()

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As teacher forcing, by the next-token head."""
        return TeacherForcing().answer(model, batch, task)

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """As teacher forcing, by the next-token head."""
        return TeacherForcing().forced(model, batch, task)

    def _ahead(self, model: LanguageModel, example: Example) -> Ahead:
        if not isinstance(model, MedusaModel):
            raise UsageError(f"model is {type(model).__name__}; it must be a MedusaModel")
        return Ahead(model, example, self.weights(len(model.heads)), frozen=not self.joint)
