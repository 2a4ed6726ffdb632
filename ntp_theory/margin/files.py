"""Solutions of the NTP-SVM in files: one ``.npz`` with the dataset, whatever is known of the direction, and how."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from .. import runs
from ..dataset import NTPDataset
from ..errors import CheckpointError
from .norms import as_norm

__all__ = ["load_parts", "save_parts"]

KIND = "svm-solution"
NEEDED, OPTIONAL = ("direction", "duals"), ("support_duals", "tail", "duals_tail")


def save_parts(path: str | os.PathLike[str], solution: Any) -> Path:
    """Write a solution."""
    arrays, meta = solution.data._pack()
    parts = {name: getattr(solution, name) for name in (*NEEDED, *OPTIONAL)}
    arrays |= {name: part.cpu().numpy() for name, part in parts.items() if part is not None}
    more = {name: getattr(solution, name) for name in ("method", "iterations", "route")}
    return runs.save_arrays(path, KIND, arrays, {"dataset": meta, "norm": solution.geometry.name, **more})


def load_parts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a solution is made of, by the names of its attributes.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or of another kind.
    """
    arrays, meta = runs.load_arrays(path, KIND)
    try:
        data = NTPDataset._unpack(arrays, meta["dataset"])
        names = [*NEEDED, *(name for name in OPTIONAL if name in arrays)]
        parts = {name: torch.from_numpy(arrays[name]) for name in names}
        decoder, pairs = (data.vocab_size, data.dim), tuple(data.support.shape)
        wanted = {"direction": decoder, "tail": decoder, "duals": pairs, "duals_tail": pairs}
        wanted["support_duals"] = (len(data.pattern.tokens),)
        for name, part in parts.items():
            if tuple(part.shape) != wanted[name] or not bool(part.isfinite().all()):
                raise ValueError(f"{name} of shape {tuple(part.shape)}; finite numbers {wanted[name]} were expected")
        more = {"method": str(meta["method"]), "iterations": int(meta["iterations"]), "route": str(meta["route"])}
        return {"data": data, "geometry": as_norm(meta["norm"]), **more, **parts}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: saved solution is incomplete or damaged ({error})") from error
