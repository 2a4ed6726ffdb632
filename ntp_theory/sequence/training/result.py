"""`TrainResult`: what a run of training left behind."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import CheckpointError
from ...runs import load_arrays, save_arrays
from ..evaluation import Evaluation

__all__ = ["TrainResult"]

KIND = "training result"


@dataclass(frozen=True, eq=False)
class TrainResult:
    """Losses of every step, and the evaluations on the way. The trained model is the one that was passed in.

    Attributes
    ----------
    objective, task : str
        Which, in words.
    batch_size : int
        Examples a step.
    losses : ndarray (steps, n)
        The mean loss at each of the n judged positions; cross-entropy in nats, or what the objective says.
    evaluations : tuple of Evaluation
        In order; the last is at the last step.
    seconds : float
        Of this call, evaluations included.
    """

    objective: str
    task: str
    batch_size: int
    losses: NDArray[np.float32]
    evaluations: tuple[Evaluation, ...]
    seconds: float

    @property
    def steps(self) -> int:
        """Steps made."""
        return len(self.losses)

    @property
    def examples(self) -> int:
        """Examples seen."""
        return self.steps * self.batch_size

    @property
    def free(self) -> float:
        """The free accuracy at the end; nan if the task has no right answers."""
        return self.evaluations[-1].free

    def summary(self) -> str:
        """A few lines for a reader.

        Examples
        --------
        >>> last = Evaluation(step=1, count=10, losses=(0.0, 0.7), free=0.5, forced=(1.0, 0.5))
        >>> print(TrainResult("teacherless", "a task", 8, np.zeros((1, 2)), (last,), 1.0).summary())
        teacherless on a task: 1 steps of 8, 8 examples, 1 s
        free 0.500 (95 %: 0.187 to 0.813, of 10); forced by position 1.000 0.500
        """
        last = self.evaluations[-1]
        run = (
            f"{self.objective} on {self.task}: {self.steps} steps of {self.batch_size}, {self.examples} examples, "
            f"{self.seconds:.0f} s\n"
        )
        if not last.forced:
            return f"{run}loss {last.loss:.4f} on {last.count} held-out examples"
        low, high = last.free_interval
        return (
            f"{run}free {last.free:.3f} (95 %: {low:.3f} to {high:.3f}, of {last.count}); "
            f"forced by position {' '.join(f'{x:.3f}' for x in last.forced)}"
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to an npz file; no pickle."""
        meta = {
            "objective": self.objective,
            "task": self.task,
            "batch_size": self.batch_size,
            "seconds": self.seconds,
            "evaluations": [asdict(evaluation) for evaluation in self.evaluations],
        }
        return save_arrays(path, KIND, {"losses": self.losses}, meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainResult:
        """Read a file written by `save`.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or something else.
        """
        arrays, meta = load_arrays(path, KIND)
        try:
            evaluations = tuple(read_evaluation(one) for one in meta.pop("evaluations"))
            if not evaluations:
                raise ValueError("it has no evaluation")
            return cls(losses=arrays["losses"], evaluations=evaluations, **meta)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: not a training result ({error})") from error


def read_evaluation(fields: dict[str, object]) -> Evaluation:
    """An evaluation from its fields in a file."""
    return Evaluation(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})  # type: ignore[arg-type]
