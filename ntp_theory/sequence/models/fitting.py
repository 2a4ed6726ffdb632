"""A model of the right sizes for a task."""

from __future__ import annotations

from typing import Any

from ...doors import one_of, whole
from ...errors import UsageError
from ..tasks.task import Task
from .embedding import LanguageModel
from .mamba import Mamba, MambaConfig
from .transformer import Transformer, TransformerConfig

__all__ = ["ARCHITECTURES", "model_for"]

ARCHITECTURES = ("transformer", "mamba")


def model_for(
    task: Task, architecture: str = "transformer", *, layers: int | None = None, seed: int = 0
) -> LanguageModel:
    """A small model whose vocabulary, slots and length are those of a task.

    Parameters
    ----------
    task : Task
    architecture : {"transformer", "mamba"}
    layers : int, optional
        As many as the task has depth if None.
    seed : int
        Of the initial weights.

    Returns
    -------
    LanguageModel

    Raises
    ------
    UsageError
        If there is no such architecture, or a number is out of range.

    Examples
    --------
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> sum(p.numel() for p in model_for(PathStar(2, 5, 9)).parameters())
    254656
    """
    one_of("architecture", architecture, ARCHITECTURES)
    if not isinstance(task, Task):
        raise UsageError(f"task is {task!r}; it must be a Task")
    layers = task.depth if layers is None else whole("layers", layers, at_least=1)
    inputs: dict[str, Any] = {"slots": task.slots, "null": task.null, "numbers": task.numbers}
    if architecture == "mamba":
        return Mamba(MambaConfig(task.vocab_size, layers=layers, seed=seed, **inputs))
    return Transformer(TransformerConfig(task.vocab_size, task.max_length, layers=layers, seed=seed, **inputs))
