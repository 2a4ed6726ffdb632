"""`Trajectory`: what a run left behind at the recorded steps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset
from ..errors import CheckpointError
from ..loss import LossParts

__all__ = ["Record", "Trajectory"]

KIND = "trajectory"


@dataclass(frozen=True, eq=False)
class Record:
    """One recorded step.

    Attributes
    ----------
    step : int
        Its number k.
    weights : Tensor (V, d)
        The decoder W_k.
    loss : LossParts
        The exact split of its loss.
    log_elapsed : float
        Natural logarithm of the sum of the step sizes so far; -inf at the start.
    """

    step: int
    weights: Tensor
    loss: LossParts
    log_elapsed: float


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """Decoders and losses of a run at n recorded steps.

    Attributes
    ----------
    times : Tensor (n,)
        The recorded steps k (int64), increasing, 0 being the start; of a flow its times t (float64), inf beyond
        the largest double.
    weights : Tensor (n, V, d)
        The decoders W_k, in the type and on the device of the data.
    in_support, tail : Tensor (n,), float64
        The two exact parts of CE(W_k) - H, in nats (`bias/split`).
    log_tail : Tensor (n,), float64
        Natural logarithm of the tail, good where the tail itself is below the smallest double.
    log_times : Tensor (n,), float64
        Natural logarithm of ``times``, -inf at the start; of a flow good at any size.
    log_elapsed : Tensor (n,), float64
        Natural logarithm of the sum of the step sizes so far, which is the time that gradient flow would have taken:
        log(eta k) for a constant step size, ``log_times`` for a flow.
    method : str
        Name of the method.
    step_size : float
        Its step size eta at the end; 1 for a flow.
    data : NTPDataset
        What the run descended on.
    log_derivative : Tensor (n, V, d) or None
        Of a flow: dW/dlog t, zero at the start.

    Examples
    --------
    >>> from ntp_theory.descent import descend
    >>> descend(NTPDataset([[1.0]], [[1.0, 0.0]]), steps=100, step_size=1.0)
    Trajectory(method='gd', steps=100, recorded=31, gap=0.004973 nats, norm=3.749)
    """

    times: Tensor
    weights: Tensor
    in_support: Tensor
    tail: Tensor
    log_tail: Tensor
    log_times: Tensor
    log_elapsed: Tensor
    method: str
    step_size: float
    data: NTPDataset
    log_derivative: Tensor | None = None

    @classmethod
    def from_records(cls, records: Sequence[Record], data: NTPDataset, *, method: str, step_size: float) -> Trajectory:
        """The trajectory of at least one record."""
        losses = [(r.loss.in_support, r.loss.tail, r.loss.log_tail) for r in records]
        in_support, tail, log_tail = torch.tensor(losses, dtype=torch.float64).T.contiguous()
        times = torch.tensor([r.step for r in records])
        weights = torch.stack([r.weights for r in records])
        log_elapsed = torch.tensor([r.log_elapsed for r in records], dtype=torch.float64)
        log_times = times.double().log()
        return cls(times, weights, in_support, tail, log_tail, log_times, log_elapsed, method, step_size, data)

    @cached_property
    def gap(self) -> Tensor:
        """CE(W_k) - H = ``in_support + tail``, in nats, without cancellation; (n,)."""
        return self.in_support + self.tail

    @cached_property
    def norm(self) -> Tensor:
        """Frobenius norms of the decoders; (n,)."""
        norm: Tensor = torch.linalg.vector_norm(self.weights, dim=(1, 2))
        return norm

    def summary(self) -> str:
        """The run and where it ended, in words."""
        return (
            f"{self._title()}\n"
            f"loss above the entropy {float(self.gap[0]):.6g} -> {float(self.gap[-1]):.6g} nats "
            f"(in support {float(self.in_support[-1]):.3g}, tail {float(self.tail[-1]):.3g})\n"
            f"norm of the decoder {float(self.norm[0]):.6g} -> {float(self.norm[-1]):.6g}"
        )

    def _title(self) -> str:
        if self.log_derivative is not None:
            return f"flow: {len(self.times)} records to log t = {float(self.log_times[-1]):.6g}"
        return (
            f"{self.method} with step size {self.step_size:.6g}: {len(self.times)} records "
            f"from step {int(self.times[0])} to {int(self.times[-1])}"
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the trajectory and its dataset to one ``.npz`` file.

        Of a dataset that is shared out among processes, all of them call this and process 0 writes.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> from ntp_theory.descent import descend
        >>> run = descend(NTPDataset([[1.0]], [[1.0, 0.0]]), steps=3)
        >>> path = run.save(pathlib.Path(tempfile.mkdtemp()) / "run.npz")
        >>> Trajectory.load(path).times.tolist()
        [0, 1, 2, 3]
        """
        arrays, meta = self.data._pack()
        packed = {f"data.{name}": array for name, array in arrays.items()}
        for field in fields(self):
            if isinstance(tensor := getattr(self, field.name), Tensor):
                packed[field.name] = tensor.cpu().numpy()
        header = {"method": self.method, "step_size": self.step_size, "data": meta}
        if not self.data.ranks.first:
            return Path(path)
        return runs.save_arrays(path, KIND, packed, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read a trajectory written by `save`: the same numbers in the same floating type, on the CPU.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged, incomplete or of another kind, or an array in it has another shape.
        DatasetError
            If the dataset in it breaks a rule.
        """
        arrays, meta = runs.load_arrays(path, KIND)
        names = [name for name in arrays if name.startswith("data.")]
        data_arrays = {name.removeprefix("data."): arrays.pop(name) for name in names}
        try:
            data = NTPDataset._unpack(data_arrays, meta["data"])
            count = max(1, arrays["times"].size)
            shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays, (count,))
            runs.check_shapes(
                path, arrays, shapes | dict.fromkeys(("weights", "log_derivative"), (count, data.vocab_size, data.dim))
            )
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return cls(**tensors, method=meta["method"], step_size=meta["step_size"], data=data)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: saved trajectory is incomplete or damaged ({error})") from error

    def __repr__(self) -> str:
        length = f"steps={int(self.times[-1])}" if self.log_derivative is None else f"log_time={self.log_times[-1]:.6g}"
        return (
            f"Trajectory(method={self.method!r}, {length}, recorded={len(self.times)}, "
            f"gap={float(self.gap[-1]):.4g} nats, norm={float(self.norm[-1]):.4g})"
        )
