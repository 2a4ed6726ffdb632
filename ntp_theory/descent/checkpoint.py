"""Saving a run that is under way, and going on with it: the same run, or none."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset
from ..errors import CheckpointError, UsageError
from ..loss import LossParts
from .methods import Method
from .trajectory import Record

__all__ = ["Checkpoint"]

KIND = "descent checkpoint"
SECONDS_BETWEEN_SAVES = 30.0


class Checkpoint:
    """A file that holds the state of one run and all it has recorded.

    Parameters
    ----------
    path : path
    method : Method
    data : NTPDataset
    start : Tensor (V, d)
        The initial decoder. Method, data and start are what makes a run this run and no other.
    """

    def __init__(self, path: str | os.PathLike[str], method: Method[Any], data: NTPDataset, start: Tensor) -> None:
        self.path = Path(path)
        arrays, meta = data._pack()
        self._identity = {
            "method": repr(method),
            "dataset": _digest({**arrays, "vocab_size": np.array(meta["vocab_size"])}),
            "init": _digest({"init": start.cpu().numpy()}),
            "device": start.device.type,
        }
        self._saved_at = time.monotonic()

    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._saved_at > SECONDS_BETWEEN_SAVES

    def save(self, step: int, state: Any, records: Sequence[Record]) -> None:
        """Write the file anew, whole or not at all."""
        arrays, numbers = _pack_state(state)
        arrays["steps"] = np.array([r.step for r in records], dtype=np.int64)
        arrays["losses"] = np.array([dataclasses.astuple(r.loss) for r in records]).reshape(-1, 5)
        arrays["log_elapsed"] = np.array([r.log_elapsed for r in records])
        decoders = [r.weights.cpu().numpy() for r in records]
        arrays["weights"] = np.array(decoders).reshape(-1, *state.weights.shape)
        meta = {"step": step, "state": numbers, "identity": self._identity}
        runs.save_arrays(self.path, KIND, arrays, meta)
        self._saved_at = time.monotonic()

    def load(self, state: Any, schedule: Sequence[int], steps: int) -> tuple[int, Any, list[Record]]:
        """Step, state and records of the saved run, if it is this run on its way.

        Parameters
        ----------
        state : State
            The state before the first step, for all that a file does not hold.
        schedule : sequence of int
            The steps to record; those that are past must be in the file.
        steps : int
            Length of the run; the file may not be further.

        Raises
        ------
        CheckpointError
            If the file is damaged or belongs to another run; the message names what differs.
        """
        arrays, meta = runs.load_arrays(self.path, KIND)
        try:
            self._compare(meta["identity"])
            step, device = int(meta["step"]), state.weights.device
            state = _unpack_state(state, arrays, meta["state"])
            names = ("steps", "weights", "losses", "log_elapsed")
            records = [
                Record(int(k), torch.from_numpy(weights).to(device), LossParts(*loss.tolist()), float(elapsed))
                for k, weights, loss, elapsed in zip(*(arrays[name] for name in names), strict=True)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.path}: checkpoint is incomplete or damaged ({error})") from error
        if step > steps:
            raise CheckpointError(f"{self.path}: is at step {step} already, beyond steps={steps}")
        wanted = set(schedule)
        past = {k for k in wanted if k < step}
        if missing := past - {r.step for r in records}:
            raise CheckpointError(f"{self.path}: record differs, step {min(missing)} was not recorded")
        # the last step of a shorter run is recorded even where a longer one would not
        return step, state, [r for r in records if r.step in wanted]

    def _compare(self, identity: dict[str, str]) -> None:
        for part, ours in self._identity.items():
            if (theirs := identity[part]) != ours:
                raise CheckpointError(
                    f"{self.path}: belongs to another run, {part} is {theirs} there and {ours} here; "
                    "remove the file or give another path"
                )


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _pack_state(state: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors and plain values of a state by field; the dataset is not saved, a run is resumed with it."""
    arrays: dict[str, NDArray[Any]] = {}
    numbers: dict[str, Any] = {}
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        if isinstance(value, Tensor):
            arrays[f"state.{field.name}"] = value.cpu().numpy()
        elif isinstance(value, int | float | str):
            numbers[field.name] = value
        elif not isinstance(value, NTPDataset):
            raise UsageError(
                f"checkpoint cannot hold {field.name} of {type(state).__name__}, a {type(value).__name__}; "
                "a state is made of tensors, numbers, words and the dataset"
            )
    return arrays, numbers


def _unpack_state(state: Any, arrays: dict[str, NDArray[Any]], numbers: dict[str, Any]) -> Any:
    """The state with every saved field in place of its own."""
    device = state.weights.device
    fields, values = _pack_state(state)
    tensors = {name.removeprefix("state."): torch.from_numpy(arrays[name]).to(device) for name in fields}
    return dataclasses.replace(state, **tensors, **{name: numbers[name] for name in values})
