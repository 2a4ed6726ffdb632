"""Saving a run of training that is under way, and going on with it bit for bit."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...doors import as_path, positive
from ...errors import CheckpointError
from ...runs import load_arrays, remove_leftovers, save_arrays
from ..evaluation import Evaluation
from .result import read_evaluation

__all__ = ["TrainingCheckpoint"]

KIND = "training checkpoint"


class TrainingCheckpoint:
    """A file that holds the weights, the state of the optimiser and the record of a run.

    Parameters
    ----------
    path : path
    description : dict
        What the run is; a file of another run is refused.
    every : float
        Seconds between two saves.
    """

    def __init__(self, path: str | os.PathLike[str], description: dict[str, Any], every: float) -> None:
        self.path, self._description = as_path("checkpoint", path), description
        self._every, self._saved = positive("checkpoint_every", every), time.monotonic()
        remove_leftovers(self.path)

    @property
    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return self.path.exists()

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self._every

    def save(
        self,
        step: int,
        losses: list[NDArray[np.float32]],
        evaluations: list[Evaluation],
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
    ) -> None:
        """Write everything; the old file stays until the new one is whole."""
        arrays = {f"model {name}": _array(value) for name, value in model.state_dict().items()}
        state = optimiser.state_dict()["state"]
        for key, values in state.items():
            arrays |= {f"optimiser {key} {name}": _array(value) for name, value in values.items()}
        arrays["losses"] = np.stack(losses) if losses else np.zeros((0, 0), dtype=np.float32)
        meta = {"run": self._description, "step": step, "evaluations": [asdict(one) for one in evaluations]}
        save_arrays(self.path, KIND, arrays, meta, compress=False)
        self._saved = time.monotonic()

    def load(
        self, model: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[int, list[NDArray[np.float32]], list[Evaluation]]:
        """Put the weights and the state back; returns the step, the losses and the evaluations.

        Raises
        ------
        CheckpointError
            If the file is damaged, or holds another run; what differs is named.
        """
        arrays, meta = load_arrays(self.path, KIND)
        try:
            found, step, evaluations = meta["run"], int(meta["step"]), list(map(read_evaluation, meta["evaluations"]))
            other = [name for name, value in self._description.items() if found.get(name) != value]
            if other:
                raise CheckpointError(f"{self.path}: holds another run; {', '.join(other)} differ")
            losses = list(arrays["losses"])
            if len(losses) != step:
                raise CheckpointError(f"{self.path}: has the losses of {len(losses)} steps, not of {step}")
            weights = {name: torch.from_numpy(arrays[f"model {name}"]) for name in model.state_dict()}
            model.load_state_dict(weights)
            wrapped = optimiser.state_dict()
            state: dict[int, dict[str, Any]] = {}
            for name, array in arrays.items():
                if name.startswith("optimiser "):
                    _, key, field = name.split(" ", 2)
                    state.setdefault(int(key), {})[field] = torch.from_numpy(array)
            optimiser.load_state_dict({**wrapped, "state": state})
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self.path}: not the checkpoint of such a model ({error})") from error
        return step, losses, evaluations


def _array(value: Any) -> NDArray[Any]:
    tensor = torch.as_tensor(value).detach().cpu()
    # numpy has no bfloat16; single precision holds it exactly, and loading turns it back
    array: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array
