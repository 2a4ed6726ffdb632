"""`LogitPath`: certified minimisers of the nuclear-norm form along a path of ridges."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import runs
from ..dataset import NTPDataset
from ..doors import whole
from ..errors import CheckpointError
from .factors import balanced_factors
from .newton import Optimum

__all__ = ["LogitPath"]

KIND = "logit path"


@dataclass(frozen=True, eq=False, repr=False)
class LogitPath:
    """Minimisers of ``CE(L) + ridge ||L||_*``, with the bounds that certify them; all on the CPU in double precision.

    Attributes
    ----------
    ridge : Tensor (n,)
        In the order in which they were asked for.
    logits : Tensor (n, V, m)
        L, column j of context j; columns sum to 0.
    slopes : Tensor (n, V, m)
        ``dL / d log(1 / ridge)``, the tangent of the path.
    in_support, tail : Tensor (n,)
        The two parts of CE(L) - H, in nats (`bias/split`).
    nuclear_norm : Tensor (n,)
        ``||L||_*``.
    spectral_norm : Tensor (n,)
        Spectral norm of the gradient of CE over the ridge; at a minimum at most 1.
    duality_gap : Tensor (n,)
        At least what ``CE(L) + ridge ||L||_*`` is above its minimum, in nats, up to rounding.
    data : NTPDataset
        With free embeddings.

    Notes
    -----
    The dual of the problem is to find conditionals q_j of largest entropy ``-sum_j pi_j sum_z q log q`` such that the
    matrix with columns ``pi_j (q_j - p_j)`` has spectral norm at most ``ridge``, the spectral norm being dual to the
    nuclear. The bound is that of softmax(L), moved towards p until it is feasible. Source: ours
    (`geometry/ufm-nuclear`).

    Examples
    --------
    >>> from ntp_theory.geometry import UnconstrainedFeatures
    >>> path = UnconstrainedFeatures([[1.0, 0.0]]).solve(1e-3)
    >>> path.logits[0].flatten()  # log(sqrt(2) / ridge - 1) / 2 = 3.6268...
    tensor([ 3.6268, -3.6268], dtype=torch.float64)
    """

    ridge: Tensor
    logits: Tensor
    slopes: Tensor
    in_support: Tensor
    tail: Tensor
    nuclear_norm: Tensor
    spectral_norm: Tensor
    duality_gap: Tensor
    data: NTPDataset

    @classmethod
    def of(cls, data: NTPDataset, ridge: NDArray[Any], found: Sequence[Optimum]) -> LogitPath:
        """The path through some optima."""

        def vector(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64)

        return cls(
            ridge=vector(ridge.tolist()),
            logits=torch.stack([each.logits.mT for each in found]),
            slopes=torch.stack([each.slope.mT for each in found]),
            in_support=vector([each.point.in_support for each in found]),
            tail=vector([each.point.tail for each in found]),
            nuclear_norm=vector([each.nuclear_norm for each in found]),
            spectral_norm=vector([each.spectral_norm for each in found]),
            duality_gap=vector([each.gap for each in found]),
            data=data,
        )

    @property
    def gap(self) -> Tensor:
        """CE(L) - H in nats, without cancellation; (n,)."""
        return self.in_support + self.tail

    @property
    def objective(self) -> Tensor:
        """``CE(L) - H + ridge ||L||_*`` in nats; (n,)."""
        return self.gap + self.ridge * self.nuclear_norm

    @property
    def relative_gap(self) -> Tensor:
        """The duality gap over the objective; (n,)."""
        return torch.where(self.objective > 0, self.duality_gap / self.objective, 0.0)

    def factors(self, index: int = -1, dim: int | None = None) -> tuple[Tensor, Tensor]:
        """Decoder W (V, d) and embeddings H (d, m) of one point, of equal Gram matrices (`balanced_factors`).

        Parameters
        ----------
        index : int
            Which point.
        dim : int, optional
            d; min(V, m) if not given.
        """
        n = len(self.ridge)
        return balanced_factors(self.logits[whole("index", index, at_least=-n, at_most=n - 1)], dim)

    def summary(self) -> str:
        """The path and its certificate, in words."""
        lines = [
            f"{len(self.ridge)} minimisers of CE(L) + ridge ||L||_*, {self.data.vocab_size} tokens, "
            f"{self.data.num_contexts} contexts, ridge {self.ridge.max():.3g} to {self.ridge.min():.3g}",
            f"CE - H {self.gap.max():.4g} -> {self.gap.min():.4g} nats, "
            f"nuclear norm {self.nuclear_norm.min():.4g} -> {self.nuclear_norm.max():.4g}",
            f"certified: within {self.relative_gap.max():.1e} of the minimum, relative to the cost above the entropy",
        ]
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the path and its dataset to one ``.npz`` file.

        Examples
        --------
        >>> import tempfile
        >>> from ntp_theory.geometry import UnconstrainedFeatures
        >>> path = UnconstrainedFeatures([[1.0, 0.0]]).solve([1e-1, 1e-3])
        >>> file = path.save(pathlib.Path(tempfile.mkdtemp()) / "path.npz")
        >>> bool((LogitPath.load(file).logits == path.logits).all())
        True
        """
        arrays, meta = self.data._pack()
        packed = {f"data.{name}": array for name, array in arrays.items()}
        packed |= {name: getattr(self, name).numpy() for name in _tensors()}
        return runs.save_arrays(path, KIND, packed, {"data": meta})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LogitPath:
        """Read a path written by `save`.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged, incomplete or of another kind, or an array in it has another shape.
        """
        arrays, meta = runs.load_arrays(path, KIND)
        names = [name for name in arrays if name.startswith("data.")]
        data_arrays = {name.removeprefix("data."): arrays.pop(name) for name in names}
        try:
            data = NTPDataset._unpack(data_arrays, meta["data"])
            count = max(1, arrays["ridge"].size)
            shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays, (count,))
            shapes |= dict.fromkeys(("logits", "slopes"), (count, data.vocab_size, data.num_contexts))
            runs.check_shapes(path, arrays, shapes)
            return cls(**{name: torch.from_numpy(arrays[name]) for name in _tensors()}, data=data)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: saved path is incomplete or damaged ({error})") from error

    def __repr__(self) -> str:
        ends = [f"{float(x[0]):.4g} .. {float(x[-1]):.4g}" for x in (self.ridge, self.nuclear_norm)]
        return f"LogitPath(points={len(self.ridge)}, ridge={ends[0]}, nuclear_norm={ends[1]})"


def _tensors() -> list[str]:
    return [field.name for field in fields(LogitPath) if field.name != "data"]
