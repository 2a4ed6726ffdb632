"""`Path`: the minimisers along a regularisation path."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset
from ..errors import CheckpointError

__all__ = ["Path"]

KIND = "path"
TENSORS = (
    "radii",
    "log_ridge",
    "weights",
    "in_support",
    "tail",
    "log_tail",
    "log_excess",
    "drift",
    "distance_bound",
    "relative_gap",
)


@dataclass(frozen=True, eq=False, repr=False)
class Path:
    """Minimisers of ``CE(W) + ridge/2 ||W||^2``, each of which is the minimiser of CE in the ball of its own radius.

    All but ``weights`` and ``drift`` are in double precision.

    Attributes
    ----------
    radii : Tensor (n,)
        Norms ``||W||`` that the minimisers have, in the norm of the path; in the order in which they were asked for.
    log_ridge : Tensor (n,)
        Natural logarithm of the ridge lambda, good where lambda is below the smallest double: inf at radius 0, -inf
        where a finite minimiser lies inside the ball.
    weights : Tensor (n, V, d)
        The minimisers, in the type and on the device of the data.
    in_support, tail : Tensor (n,)
        The two exact parts of CE(W) - H, in nats (`bias/split`).
    log_tail : Tensor (n,)
        Natural logarithm of the tail; -inf if every support is full.
    log_excess : Tensor (n,)
        Natural logarithm of ``CE(W) - inf CE``, found without cancellation.
    drift : Tensor (n, V, d)
        ``(P_F W - W*) / ridge``, found without cancellation; 0 where the ridge is 0 or infinite.
    distance_bound : Tensor (n,)
        Bound on the Frobenius distance of ``weights`` from the exact minimiser for the ridge given; infinite in other
        norms, which may have several minimisers.
    relative_gap : Tensor (n,)
        Bound on ``(CE(W) - min CE) / (CE(W) - inf CE)``, the minimum taken over the ball of the radius given.
    norm : str
        Name of the norm.
    data : NTPDataset
        What the path belongs to.

    Notes
    -----
    The bounds hold for the numbers that were computed, up to rounding in the bounds themselves: for the parts
    ``P_F W - W*`` and ``P_perp W`` as they are kept apart in the computation, of which ``weights`` is the rounded sum,
    and for the loss of `Limit.reference`, which has the gradient of the data as exactly as W* is known.

    Examples
    --------
    >>> from ntp_theory.paths import regularization_path
    >>> regularization_path(NTPDataset([[1.0]], [[1.0, 0.0]]), ridge=[1e-1, 1e-100])
    Path(norm='frobenius', points=2, radius=1.505 .. 159.5, log_ridge=-230.3 .. -2.303)
    """

    radii: Tensor
    log_ridge: Tensor
    weights: Tensor
    in_support: Tensor
    tail: Tensor
    log_tail: Tensor
    log_excess: Tensor
    drift: Tensor
    distance_bound: Tensor
    relative_gap: Tensor
    norm: str
    data: NTPDataset

    @property
    def ridge(self) -> Tensor:
        """Lambda, 0 where it is below the smallest double; in other norms that of ``lambda/2 ||W||^2`` there; (n,)."""
        return self.log_ridge.exp()

    @cached_property
    def gap(self) -> Tensor:
        """CE(W) - H = ``in_support + tail``, in nats, without cancellation; (n,)."""
        return self.in_support + self.tail

    @property
    def excess(self) -> Tensor:
        """CE(W) - inf CE in nats, without cancellation; (n,)."""
        return self.log_excess.exp()

    def summary(self) -> str:
        """The path and where it ends, in words."""
        first, last = int(self.radii.argmin()), int(self.radii.argmax())
        lines = [
            f"{len(self.radii)} minimisers in balls of the norm {self.norm!r}, "
            f"radius {float(self.radii[first]):.6g} to {float(self.radii[last]):.6g}, "
            f"log ridge {float(self.log_ridge[first]):.6g} to {float(self.log_ridge[last]):.6g}",
            f"log of the loss above its infimum {float(self.log_excess[first]):.6g} -> "
            f"{float(self.log_excess[last]):.6g} nats",
            f"certified: no better point in the ball by more than {float(self.relative_gap.max()):.1e} of that loss",
        ]
        if bool(torch.isfinite(self.distance_bound).all()):
            lines[-1] += f", exact minimisers within {float(self.distance_bound.max()):.1e}"
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the path and its dataset to one ``.npz`` file.

        Examples
        --------
        >>> import tempfile
        >>> from ntp_theory.paths import regularization_path
        >>> path = regularization_path(NTPDataset([[1.0]], [[1.0, 0.0]]), radii=[1.0, 100.0])
        >>> file = path.save(pathlib.Path(tempfile.mkdtemp()) / "path.npz")
        >>> Path.load(file).radii.tolist()
        [1.0, 100.0]
        """
        arrays, meta = self.data._pack()
        packed = {f"data.{name}": array for name, array in arrays.items()}
        packed |= {name: getattr(self, name).cpu().numpy() for name in TENSORS}
        return runs.save_arrays(path, KIND, packed, {"norm": self.norm, "data": meta})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Path:
        """Read a path written by `save`: the same numbers in the same floating type, on the CPU.

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
            count = max(1, arrays["radii"].size)
            shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays, (count,))
            runs.check_shapes(
                path, arrays, shapes | dict.fromkeys(("weights", "drift"), (count, data.vocab_size, data.dim))
            )
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return cls(**tensors, norm=meta["norm"], data=data)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: saved path is incomplete or damaged ({error})") from error

    def __repr__(self) -> str:
        ends = [f"{float(x.min()):.4g} .. {float(x.max()):.4g}" for x in (self.radii, self.log_ridge)]
        return f"Path(norm={self.norm!r}, points={len(self.radii)}, radius={ends[0]}, log_ridge={ends[1]})"
