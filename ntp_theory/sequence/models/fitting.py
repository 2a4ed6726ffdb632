"""A model of the right sizes for a task."""

from __future__ import annotations

from ...doors import one_of, whole
from ..tasks import PathStar
from .embedding import LanguageModel
from .mamba import Mamba, MambaConfig
from .transformer import Transformer, TransformerConfig

__all__ = ["ARCHITECTURES", "model_for"]

ARCHITECTURES = ("transformer", "mamba")


def model_for(
    task: PathStar, architecture: str = "transformer", *, layers: int | None = None, seed: int = 0
) -> LanguageModel:
    """A small model whose vocabulary, slots and length are those of a task.

    Parameters
    ----------
    task : PathStar
    architecture : {"transformer", "mamba"}
    layers : int, optional
        As many as the path has nodes if None: with fewer, a failure may be one of depth (`pitfalls/depth-match`).
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
    >>> sum(p.numel() for p in model_for(PathStar(2, 5, 9)).parameters())
    254656
    """
    one_of("architecture", architecture, ARCHITECTURES)
    layers = task.path_length if layers is None else whole("layers", layers, at_least=1)
    if architecture == "mamba":
        return Mamba(MambaConfig(task.vocab_size, layers=layers, slots=task.slots, null=task.null, seed=seed))
    length, slots = task.max_length, task.slots
    return Transformer(
        TransformerConfig(task.vocab_size, length, layers=layers, slots=slots, null=task.null, seed=seed)
    )
