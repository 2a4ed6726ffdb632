"""The settings of a run of training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...doors import nonnegative, one_of, positive, share, whole
from ...errors import UsageError

__all__ = ["Settings"]

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """How a model is trained: AdamW with a warm-up and clipped gradients.

    Attributes
    ----------
    batch_size : int
        Questions a step.
    learning_rate : float
        After the warm-up.
    warmup : int
        Steps over which the learning rate rises linearly from 0.
    schedule : {"constant", "cosine"}
        After it: as it is, or down to a tenth at the last step along a cosine.
    betas : (float, float)
        Of AdamW.
    weight_decay : float
        Of AdamW, on matrices of weights, embeddings among them; 0 or more.
    clip : float
        The largest norm of a gradient.
    precision : {"float32", "bfloat16"}
        Of the products; weights are kept as the model has them.

    Raises
    ------
    UsageError
        If a setting is out of range.
    """

    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup: int = 100
    schedule: str = "constant"
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    clip: float = 1.0
    precision: str = "float32"

    def __post_init__(self) -> None:
        whole("batch_size", self.batch_size, at_least=1)
        whole("warmup", self.warmup, at_least=0)
        for name in ("learning_rate", "clip"):
            positive(name, getattr(self, name))
        if not isinstance(self.betas, tuple) or len(self.betas) != 2:
            raise UsageError(f"betas is {self.betas!r}; it must be a tuple of two numbers")
        for i, value in enumerate(self.betas):
            share(f"betas[{i}]", value, below_one=True)
        nonnegative("weight_decay", self.weight_decay)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("precision", self.precision, PRECISIONS)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step number ``step``, counted from 1, of ``steps``.

        Examples
        --------
        >>> settings = Settings(learning_rate=1.0, warmup=10, schedule="cosine")
        >>> [round(settings.rate(step, 110), 3) for step in (1, 10, 60, 110)]
        [0.1, 1.0, 0.55, 0.1]
        """
        if step <= self.warmup:
            return self.learning_rate * step / self.warmup
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - self.warmup) / max(1, steps - self.warmup)
        return self.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))
