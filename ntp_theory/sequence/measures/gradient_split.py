"""The gradient of training in two parts: what a position learns for itself, and what it learns for later ones.

The weights are untied: position i computes with a copy theta_i of them, and the loss at position k is a function
``l_k(theta_1, .., theta_k)``. The gradient of training is the sum of ``d l_k / d theta_i`` over all i <= k; its
diagonal part is the sum over i = k, the off-diagonal part over i < k (`planning/gradient-split`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..objectives import IGNORED, Example, Objective
from ..tasks.batch import Batch
from ..tasks.task import Task

__all__ = ["GradientSplit", "gradient_split"]


@dataclass(frozen=True, eq=False)
class GradientSplit:
    """Two parts of one gradient, by the names of the parameters.

    Attributes
    ----------
    diagonal, off_diagonal : dict of str to Tensor
        Of each trained parameter, in its shape.
    """

    diagonal: dict[str, Tensor]
    off_diagonal: dict[str, Tensor]

    @property
    def total(self) -> dict[str, Tensor]:
        """The sum of both, the gradient of plain training."""
        return {name: part + self.off_diagonal[name] for name, part in self.diagonal.items()}

    @property
    def norms(self) -> tuple[float, float]:
        """Of the diagonal and of the off-diagonal part, over all parameters."""
        return float(_flat(self.diagonal).norm()), float(_flat(self.off_diagonal).norm())

    @property
    def share(self) -> float:
        """What of the gradient is off-diagonal: ``<off, total> / |total|^2``; nan if the gradient is 0."""
        total = _flat(self.total)
        return float(_flat(self.off_diagonal) @ total / (total @ total))

    @property
    def cosine(self) -> float:
        """Between both parts; negative if they pull against each other, nan if one is 0."""
        first, second = _flat(self.diagonal), _flat(self.off_diagonal)
        return float(first @ second / (first.norm() * second.norm()))

    def summary(self) -> str:
        """One line."""
        own, later = self.norms
        return f"diagonal {own:.3g}, off-diagonal {later:.3g} (share {self.share:.3f}, cosine {self.cosine:.3f})"


def gradient_split(model: LanguageModel, task: Task, objective: Objective, batch: Batch) -> GradientSplit:
    """The diagonal and the off-diagonal part of the gradient of training on a batch.

    Each is computed by itself, from one copy of the weights a position: the model reads one position after another,
    each with its copy, and remembers the others as it does when it decodes. The time grows with the square of the
    length.

    Parameters
    ----------
    model : LanguageModel
        As it is; no dropout.
    task : Task
    objective : Objective
        Its loss; random choices are those of seed 0.
    batch : Batch
        Examples of the task.

    Returns
    -------
    GradientSplit

    Raises
    ------
    UsageError
        If the model or the objective does not fit the task, or the loss is not one number a position.

    Notes
    -----
    Source: 2404.00859 (`planning/gradient-split`). The diagonal part is the gradient of
    ``Myopic(objective, "keys_values")``.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.objectives import TeacherForcing
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3)
    >>> split = gradient_split(model_for(task, layers=1), task, TeacherForcing(), task.sample(8))
    >>> float(split.diagonal["positions.weight"][0].norm()), bool(split.off_diagonal["positions.weight"][0].norm() > 0)
    (0.0, True)
    """
    model.check_fits(task)
    objective.check_fits(task)
    made = objective.example(batch, task, torch.Generator().manual_seed(0))
    example = Example(made.tokens.to(model.device), made.labels.to(model.device))
    untied = _Untied(model, example.tokens.shape[1])
    mode = model.training
    model.eval()
    try:
        losses = objective.losses(untied, example)
        means = losses.mean(0) / losses.shape[1]
        parts = [{name: torch.zeros_like(p) for name, p in untied.copies[0].items()} for _ in range(2)]
        for loss, place in zip(means, _places(example, len(means)), strict=True):
            for i, found in enumerate(untied.gradients(loss, place)):
                for name, gradient in found.items():
                    parts[int(i < place)][name] += gradient
    finally:
        model.train(mode)
    return GradientSplit(*parts)


class _Untied(LanguageModel):
    """A model in which every position has its own copy of the weights; its features are the logits themselves."""

    model: LanguageModel

    def __init__(self, model: LanguageModel, length: int) -> None:
        super().__init__()
        self.slots, self.numbers = model.slots, model.numbers
        self.head = nn.Identity()  # type: ignore[assignment]
        self.__dict__["model"] = model  # not a part of this one: its weights are replaced by the copies
        trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        self.copies = [{name: p.clone().requires_grad_() for name, p in trained.items()} for _ in range(length)]

    def features(self, tokens: Tensor, cache: Any = None) -> Tensor:
        """Logits (b, t, v)."""
        memory = self.model.new_cache()
        logits = [
            functional_call(self.model, copy, (tokens[:, i : i + 1], memory)) for i, copy in enumerate(self.copies)
        ]
        return torch.cat(logits, dim=1)

    def new_cache(self) -> None:
        """It is not decoded with."""
        raise UsageError("objective decodes to find its loss; it has no gradient that could be split")

    def gradients(self, loss: Tensor, place: int) -> list[dict[str, Tensor]]:
        """Of a loss at a position, in the copies up to that position."""
        copies = self.copies[: place + 1]
        flat = [p for copy in copies for p in copy.values()]
        found = iter(torch.autograd.grad(loss, flat, retain_graph=True, materialize_grads=True))
        return [{name: next(found) for name in copy} for copy in copies]


def _places(example: Example, count: int) -> list[int]:
    """The positions of the losses."""
    if count == example.tokens.shape[1]:
        return list(range(count))
    places: list[int] = torch.nonzero(example.labels[0] != IGNORED).flatten().tolist()
    if len(places) != count:
        raise UsageError(f"objective has {count} losses an example for {len(places)} labels; it must have one each")
    return places


def _flat(parts: dict[str, Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts.values()])
