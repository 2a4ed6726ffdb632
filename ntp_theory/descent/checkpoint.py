"""Saving a run that is under way, and going on with it: the same run, or none."""

from __future__ import annotations

import dataclasses
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
from .methods.registry import Method
from .trajectory import Record

__all__ = ["Checkpoint"]

KIND = "descent checkpoint"


class Checkpoint:
    """A file that holds the state of one run and all it has recorded.

    Parameters
    ----------
    path : path
    method : Method
    data : NTPDataset
    start : Tensor (V, d)
        The initial decoder. Method, data and start are what makes a run this run and no other.
    every : float
        Seconds between two saves.

    Notes
    -----
    Of a dataset that is shared out among processes, process 0 writes the file and all of them read it.
    """

    def __init__(self, path: Path, method: Method[Any], data: NTPDataset, start: Tensor, every: float) -> None:
        self.path, self._every, self._ranks = path, every, data.ranks
        self._shape = tuple(start.shape)
        arrays = {**data._arrays(), "vocab_size": np.array(data.vocab_size)}
        shared = f", {data.ranks.size} processes" if data.ranks.size > 1 else ""
        self._identity = {
            "method": repr(method),
            "device": start.device.type + shared,
            "dataset": "+".join(data.ranks.gather(runs.digest(arrays))),
            "init": runs.digest({"init": start.cpu().numpy()}),
        }
        self.exists = any(data.ranks.gather(self._ranks.first and self.path.exists()))
        if self._ranks.first:
            runs.remove_leftovers(self.path)
        self._saved_at = time.monotonic()

    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self._saved_at >= self._every

    def save(self, step: int, state: Any, records: Sequence[Record]) -> None:
        """Write the file anew, whole or not at all."""
        if not self._ranks.first:
            return
        arrays: dict[str, NDArray[Any]] = {}
        packed = _packed(state, type(state).__name__, arrays)
        arrays["steps"] = np.array([r.step for r in records], dtype=np.int64)
        arrays["losses"] = np.array([dataclasses.astuple(r.loss) for r in records]).reshape(-1, 5)
        arrays["log_elapsed"] = np.array([r.log_elapsed for r in records])
        decoders = [r.weights.cpu().numpy() for r in records]
        arrays["weights"] = np.array(decoders).reshape(-1, *state.weights.shape)
        meta = {"step": step, "state": packed, "identity": self._identity}
        runs.save_arrays(self.path, KIND, arrays, meta, compress=False)
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
            count = arrays["steps"].size
            shapes = {
                "steps": (count,),
                "log_elapsed": (count,),
                "losses": (count, 5),
                "weights": (count, *self._shape),
            }
            runs.check_shapes(self.path, arrays, shapes)
            state = _unpacked(meta["state"], arrays, state, device)
            names = ("steps", "weights", "losses", "log_elapsed")
            records = [
                Record(int(k), torch.from_numpy(weights).to(device), LossParts(*loss.tolist()), float(elapsed))
                for k, weights, loss, elapsed in zip(*(arrays[name] for name in names), strict=True)
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
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


def _packed(value: Any, place: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """``value`` as JSON, its tensors apart in ``arrays`` by their place; the dataset is left out.

    Raises
    ------
    UsageError
        If there is something else in it; the message names its place.
    """
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, Tensor):
        arrays[place] = value.cpu().numpy()
        return {"tensor": [place, value.device.type]}
    if dataclasses.is_dataclass(value):
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        kept = {name: part for name, part in parts.items() if not isinstance(part, NTPDataset)}
        return {"fields": {name: _packed(part, f"{place}.{name}", arrays) for name, part in kept.items()}}
    if isinstance(value, dict):
        # as pairs: keys of JSON objects are words, those of an optimizer's state may be numbers
        return {"dict": [[key, _packed(part, f"{place}.{key}", arrays)] for key, part in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_packed(part, f"{place}.{i}", arrays) for i, part in enumerate(value)]}
    owner, _, name = place.partition(".")
    raise UsageError(
        f"checkpoint cannot hold {name} of {owner}, a {type(value).__name__}; a state is made of tensors, numbers, "
        "words, dictionaries, lists and dataclasses of them, and the dataset"
    )


def _unpacked(packed: Any, arrays: dict[str, NDArray[Any]], like: Any, device: torch.device) -> Any:
    """What `_packed` took apart; dataclasses are those of ``like``, which stood there before the first step."""
    if not isinstance(packed, dict):
        return packed
    [(kind, parts)] = packed.items()
    if kind == "tensor":
        place, kind_of_device = parts  # optimizers keep counters on the CPU
        if isinstance(like, Tensor) and like.numel() and arrays[place].shape != like.shape:
            raise ValueError(f"{place} has shape {arrays[place].shape}, expected {tuple(like.shape)}")
        return torch.from_numpy(arrays[place]).to(device if device.type == kind_of_device else kind_of_device)
    if kind == "fields":
        fields = {name: _unpacked(part, arrays, getattr(like, name), device) for name, part in parts.items()}
        return dataclasses.replace(like, **fields)
    if kind == "dict":
        return {key: _unpacked(part, arrays, None, device) for key, part in parts}
    return {"list": list, "tuple": tuple}[kind](_unpacked(part, arrays, None, device) for part in parts)
