"""Saved files and checkpoints: damaged, malicious, of another kind; and places that cannot be written."""

from __future__ import annotations

import errno
import json
import os
import pickle
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import ntp_theory as ntp
from ntp_theory import NTPDataset, runs
from ntp_theory.bridge import AlongTraining
from ntp_theory.errors import CheckpointError, DatasetError, UsageError
from ntp_theory.geometry import LogitPath
from ntp_theory.sequence import tasks, training

from .bad import DATA, TASK, Bad, Poison, member, model, npz, poisoned, run, solution

HEADER = {
    "kind": "dataset",
    "format": 1,
    "ntp_theory": "0",
    "meta": {"vocab_size": 3, "token_names": None, "context_names": None},
}


def header(**changes: Any) -> bytes:
    """The header of a dataset's file, as an array in a file."""
    return member(np.frombuffer(json.dumps(HEADER | changes).encode(), np.uint8))


def parts(**changes: Any) -> dict[str, bytes]:
    """The members of a good dataset's file, with changes."""
    arrays: dict[str, Any] = {
        "embeddings": np.eye(2),
        "weights": np.full(2, 0.5),
        "contexts": np.array([0, 0, 1]),
        "tokens": np.array([0, 1, 2]),
        "conditionals": np.array([0.5, 0.5, 1.0]),
    }
    found = {f"{name}.npy": member(array) for name, array in (arrays | changes).items() if array is not None}
    return {"header.npy": header()} | found


def loaded(folder: Path, members: dict[str, bytes]) -> NTPDataset:
    return NTPDataset.load(npz(folder / "a.npz", members))


def bytes_loaded(folder: Path, content: bytes) -> NTPDataset:
    path = folder / "a.npz"
    path.write_bytes(content)
    return NTPDataset.load(path)


def good(folder: Path) -> bytes:
    return DATA.save(folder / "good.npz").read_bytes()


def giant(shape: str) -> bytes:
    """An array that is said to be large, without its numbers."""
    words = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words


def full() -> AbstractContextManager[Any]:
    """A disk without room: what is written is lost, as files notice when they are synchronised."""
    return patch.object(os, "fsync", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def read_only() -> AbstractContextManager[Any]:
    """A folder in which nobody may make a file, the superuser neither."""
    return patch.object(runs.tempfile, "mkstemp", side_effect=PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def cut_short() -> AbstractContextManager[Any]:
    """A disk that breaks before the new file takes the place of the old one."""
    return patch.object(os, "replace", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))


def onto_old(folder: Path, breakdown: AbstractContextManager[Any], save: Callable[[Path], object]) -> object:
    """Save over an old file while something breaks; the old file must stay as it was."""
    path = folder / "old.npz"
    path.write_bytes(b"old")
    try:
        with breakdown:
            return save(path)
    finally:
        assert path.read_bytes() == b"old" and os.listdir(folder) == ["old.npz"], "half written"


def training_file(folder: Path, change: Callable[[Path], object]) -> object:
    """Train, spoil the checkpoint, and go on."""
    path = folder / "run.npz"

    def go(steps: int) -> object:
        settings = training.Settings(batch_size=2)
        return training.train(
            model(),
            TASK,
            training.TeacherForcing(),
            steps=steps,
            settings=settings,
            evaluate_every=steps,
            evaluate_count=2,
            checkpoint=path,
        )

    go(1)
    change(path)
    return go(2)


def descent_file(folder: Path, change: Callable[[Path], object], **other: Any) -> object:
    """Descend, spoil the checkpoint, and go on."""
    path = folder / "run.npz"
    ntp.descend(DATA, steps=2, checkpoint=path)
    change(path)
    return ntp.descend(**({"data": DATA, "steps": 3, "checkpoint": path} | other))


def poison(path: Path) -> object:
    return path.write_bytes(pickle.dumps(Poison(poisoned(path.parent))))


def torch_poison(path: Path) -> object:
    return torch.save(Poison(poisoned(path.parent)), path)


def halve(path: Path) -> object:
    return path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


NOT_OURS = ("a.npz", "not a file of this library", "damaged")

FILES = [
    Bad("no file", lambda f: NTPDataset.load(f / "no.npz"), CheckpointError, ("no.npz", "no such file")),
    Bad("a folder", lambda f: NTPDataset.load(f), CheckpointError, ("not a file",)),
    Bad("a number for a path", lambda _: NTPDataset.load(3), UsageError, ("path", "3")),
    Bad("a path with a zero", lambda _: NTPDataset.load("a\0.npz"), CheckpointError, ("no such file",)),
    Bad("a name too long", lambda _: NTPDataset.load("a" * 5000), CheckpointError, ("cannot be read", "too long")),
    Bad("an empty file", lambda f: bytes_loaded(f, b""), CheckpointError, NOT_OURS),
    Bad("a text", lambda f: bytes_loaded(f, b"to be or not to be"), CheckpointError, NOT_OURS),
    Bad("half a file", lambda f: bytes_loaded(f, good(f)[:300]), CheckpointError, NOT_OURS),
    Bad("a file without its end", lambda f: bytes_loaded(f, good(f)[:-1]), CheckpointError, NOT_OURS),
    Bad("a file without its beginning", lambda f: bytes_loaded(f, good(f)[40:]), CheckpointError, NOT_OURS),
    Bad("a pickle", lambda f: bytes_loaded(f, pickle.dumps(Poison(poisoned(f)))), CheckpointError, NOT_OURS),
    Bad(
        "a file of torch",
        lambda f: torch_poison(f / "a.npz") or NTPDataset.load(f / "a.npz"),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a pickle among the arrays",
        lambda f: loaded(f, parts(weights=np.array([Poison(poisoned(f))], object))),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a pickle for a header",
        lambda f: loaded(f, parts() | {"header.npy": member(np.array([Poison(poisoned(f))], object))}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a member that is no array",
        lambda f: loaded(f, parts() | {"tokens.npy": b"to be or not to be"}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a member of which nothing is known",
        lambda f: loaded(f, parts() | {"more.txt": pickle.dumps(Poison(poisoned(f)))}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "members that lead elsewhere",
        lambda f: loaded(f, {f"../../{name}": part for name, part in parts().items()}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "an array said to be large",
        lambda f: loaded(f, parts() | {"weights.npy": giant("(1099511627776,)")}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "an array said to be beyond all",
        lambda f: loaded(f, parts() | {"weights.npy": giant(f"({2**62}, {2**62})")}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "an array of negative size",
        lambda f: loaded(f, parts() | {"weights.npy": giant("(-1,)")}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a header in code",
        lambda f: loaded(f, parts() | {"weights.npy": giant("__import__('os').mkdir('executed')")}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad("no header", lambda f: loaded(f, {"x.npy": member(np.eye(2))}), CheckpointError, NOT_OURS),
    Bad(
        "a header that is no JSON",
        lambda f: loaded(f, parts() | {"header.npy": member(np.frombuffer(b"{", np.uint8))}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a header nested deep",
        lambda f: loaded(f, parts() | {"header.npy": member(np.frombuffer(b"[" * 100_000, np.uint8))}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "a header of a list",
        lambda f: loaded(f, parts() | {"header.npy": member(np.frombuffer(b"[1]", np.uint8))}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "another kind",
        lambda f: loaded(f, parts() | {"header.npy": header(kind="diary")}),
        CheckpointError,
        ("a.npz", "diary", "dataset"),
    ),
    Bad(
        "a kind that is none",
        lambda f: loaded(f, parts() | {"header.npy": header(kind=None)}),
        CheckpointError,
        ("a.npz", "dataset"),
    ),
    Bad(
        "a format of the future",
        lambda f: loaded(f, parts() | {"header.npy": header(format=99)}),
        CheckpointError,
        ("a.npz", "99", "update"),
    ),
    Bad(
        "a format in words",
        lambda f: loaded(f, parts() | {"header.npy": header(format="new")}),
        CheckpointError,
        NOT_OURS,
    ),
    Bad(
        "no vocabulary",
        lambda f: loaded(f, parts() | {"header.npy": header(meta={})}),
        CheckpointError,
        ("vocab_size",),
    ),
    Bad(
        "a negative vocabulary",
        lambda f: loaded(f, parts() | {"header.npy": header(meta=HEADER["meta"] | {"vocab_size": -3})}),
        CheckpointError,
        ("damaged",),
    ),
    Bad(
        "a vocabulary beyond all",
        lambda f: loaded(f, parts() | {"header.npy": header(meta=HEADER["meta"] | {"vocab_size": 10**30})}),
        CheckpointError,
        ("damaged",),
    ),
    Bad(
        "names that are numbers",
        lambda f: loaded(f, parts() | {"header.npy": header(meta=HEADER["meta"] | {"token_names": [1, 2, 3]})}),
        DatasetError,
        ("token_names[0]", "1"),
    ),
    Bad("no embeddings", lambda f: loaded(f, parts(embeddings=None)), CheckpointError, ("embeddings",)),
    Bad(
        "embeddings of one number", lambda f: loaded(f, parts(embeddings=np.array(1.0))), CheckpointError, ("damaged",)
    ),
    Bad(
        "embeddings in words",
        lambda f: loaded(f, parts(embeddings=np.array([["a", "b"]] * 2))),
        CheckpointError,
        ("damaged",),
    ),
    Bad(
        "embeddings of NaN",
        lambda f: loaded(f, parts(embeddings=np.full((2, 2), np.nan))),
        DatasetError,
        ("embeddings[0, 0]", "nan"),
    ),
    Bad(
        "halves for indices",
        lambda f: loaded(f, parts(tokens=np.array([0.5, 1, 2]))),
        CheckpointError,
        ("tokens", "integers"),
    ),
    Bad("a token outside", lambda f: loaded(f, parts(tokens=np.array([0, 1, 9]))), CheckpointError, ("damaged",)),
    Bad("a negative token", lambda f: loaded(f, parts(tokens=np.array([0, 1, -1]))), CheckpointError, ("damaged",)),
    Bad("indices of other lengths", lambda f: loaded(f, parts(tokens=np.array([0, 1]))), CheckpointError, ("damaged",)),
    Bad("a matrix of indices", lambda f: loaded(f, parts(tokens=np.zeros((2, 2), int))), CheckpointError, ("damaged",)),
    Bad("negative counts", lambda f: loaded(f, parts(counts=np.array([1, -1, 1]))), DatasetError, ("-1",)),
    Bad(
        "a solution in a dataset's file",
        lambda f: ntp.SVMSolution.load(DATA.save(f / "a.npz")),
        CheckpointError,
        ("dataset", "svm-solution"),
    ),
    Bad(
        "a dataset in a solution's file",
        lambda f: NTPDataset.load(solution().save(f / "a.npz")),
        CheckpointError,
        ("svm-solution", "dataset"),
    ),
    Bad(
        "a run in a dataset's file",
        lambda f: ntp.Trajectory.load(DATA.save(f / "a.npz")),
        CheckpointError,
        ("dataset",),
    ),
    Bad("a path in a dataset's file", lambda f: ntp.Path.load(DATA.save(f / "a.npz")), CheckpointError, ("dataset",)),
    Bad(
        "a path of logits in a dataset's file",
        lambda f: LogitPath.load(DATA.save(f / "a.npz")),
        CheckpointError,
        ("dataset",),
    ),
    Bad(
        "a training in a dataset's file",
        lambda f: training.TrainResult.load(DATA.save(f / "a.npz")),
        CheckpointError,
        ("dataset",),
    ),
    Bad(
        "conditions in a dataset's file",
        lambda f: AlongTraining.load(DATA.save(f / "a.npz")),
        CheckpointError,
        ("dataset",),
    ),
    Bad(
        "a solution that is half there",
        lambda f: ntp.SVMSolution.load(runs.save_arrays(f / "a.npz", "svm-solution", {}, {})),
        CheckpointError,
        ("a.npz", "incomplete"),
    ),
    Bad(
        "a run that is half there",
        lambda f: ntp.Trajectory.load(runs.save_arrays(f / "a.npz", "trajectory", {}, {})),
        CheckpointError,
        ("a.npz", "incomplete"),
    ),
    Bad(
        "a path that is half there",
        lambda f: ntp.Path.load(runs.save_arrays(f / "a.npz", "path", {}, {})),
        CheckpointError,
        ("a.npz", "incomplete"),
    ),
    Bad(
        "a training that is half there",
        lambda f: training.TrainResult.load(runs.save_arrays(f / "a.npz", "training result", {}, {})),
        CheckpointError,
        ("a.npz", "not a training result"),
    ),
    Bad(
        "graphs that are not there",
        lambda f: tasks.read_graphs(f / "no.txt"),
        DatasetError,
        ("no.txt", "cannot be read"),
    ),
    Bad(
        "graphs in bytes",
        lambda f: (f / "a.txt").write_bytes(b"\xff\xfe") and tasks.read_graphs(f / "a.txt"),
        DatasetError,
        ("a.txt", "utf-8"),
    ),
    Bad(
        "graphs in prose",
        lambda f: (f / "a.txt").write_text("to be or not") and tasks.read_graphs(f / "a.txt"),
        DatasetError,
        ("a.txt", "line 1"),
    ),
    Bad("graphs by number", lambda _: tasks.read_graphs(3), UsageError, ("path", "3")),
]

CHECKPOINTS = [
    Bad("half a checkpoint of descent", lambda f: descent_file(f, halve), CheckpointError, ("run.npz", "damaged")),
    Bad(
        "a pickle for a checkpoint of descent",
        lambda f: descent_file(f, poison),
        CheckpointError,
        ("run.npz", "damaged"),
    ),
    Bad(
        "a dataset for a checkpoint of descent",
        lambda f: descent_file(f, DATA.save),
        CheckpointError,
        ("run.npz", "dataset"),
    ),
    Bad(
        "a checkpoint of another method",
        lambda f: descent_file(f, str, method="adam"),
        CheckpointError,
        ("run.npz", "method"),
    ),
    Bad(
        "a checkpoint of other data",
        lambda f: descent_file(f, str, data=NTPDataset([[1.0]], [[1.0, 0.0]])),
        CheckpointError,
        ("run.npz", "data"),
    ),
    Bad(
        "a folder for a checkpoint of descent",
        lambda f: ntp.descend(DATA, steps=1, checkpoint=f),
        CheckpointError,
        ("not a file",),
    ),
    Bad("half a checkpoint of training", lambda f: training_file(f, halve), CheckpointError, ("run.npz", "damaged")),
    Bad(
        "a pickle for a checkpoint of training",
        lambda f: training_file(f, poison),
        CheckpointError,
        ("run.npz", "damaged"),
    ),
    Bad(
        "torch's pickle for a checkpoint of training",
        lambda f: training_file(f, torch_poison),
        CheckpointError,
        ("run.npz", "damaged"),
    ),
    Bad(
        "a dataset for a checkpoint of training",
        lambda f: training_file(f, DATA.save),
        CheckpointError,
        ("run.npz", "dataset"),
    ),
    Bad(
        "an empty checkpoint of training",
        lambda f: training_file(f, lambda path: runs.save_arrays(path, "training checkpoint", {}, {})),
        CheckpointError,
        ("run.npz",),
    ),
]

WRITES = [
    Bad(
        "a dataset on a full disk",
        lambda f: onto_old(f, full(), DATA.save),
        CheckpointError,
        ("old.npz", "No space left"),
    ),
    Bad(
        "a solution on a full disk",
        lambda f: onto_old(f, full(), solution().save),
        CheckpointError,
        ("old.npz", "No space left"),
    ),
    Bad(
        "a run on a full disk", lambda f: onto_old(f, full(), run().save), CheckpointError, ("old.npz", "No space left")
    ),
    Bad(
        "graphs on a full disk",
        lambda f: onto_old(f, full(), lambda path: tasks.write_graphs(path, TASK.graphs(TASK.sample(1)))),
        CheckpointError,
        ("old.npz", "No space left"),
    ),
    Bad(
        "a proof on a full disk",
        lambda f: onto_old(f, full(), lambda path: solution().verify(exact=True).save(path)),
        CheckpointError,
        ("old.npz", "No space left"),
    ),
    Bad(
        "a dataset in a read-only folder",
        lambda f: onto_old(f, read_only(), DATA.save),
        CheckpointError,
        ("old.npz", "Permission denied"),
    ),
    Bad(
        "a run in a read-only folder",
        lambda f: onto_old(f, read_only(), run().save),
        CheckpointError,
        ("old.npz", "Permission denied"),
    ),
    Bad(
        "a dataset on a disk that breaks",
        lambda f: onto_old(f, cut_short(), DATA.save),
        CheckpointError,
        ("old.npz", "error"),
    ),
    Bad(
        "a solution on a disk that breaks",
        lambda f: onto_old(f, cut_short(), solution().save),
        CheckpointError,
        ("old.npz", "error"),
    ),
    Bad("a dataset onto a folder", lambda f: DATA.save(f), CheckpointError, ("cannot be written", "directory")),
    Bad(
        "a dataset below a file",
        lambda f: (f / "a").write_text("x") and DATA.save(f / "a" / "b.npz"),
        CheckpointError,
        ("b.npz", "cannot be written"),
    ),
    Bad("a dataset at a path with a zero", lambda f: DATA.save(f / "a\0.npz"), CheckpointError, ("cannot be written",)),
    Bad("a dataset at no path", lambda _: DATA.save(None), UsageError, ("path", "None")),
    Bad(
        "a dataset onto a pipe",
        lambda f: os.mkfifo(f / "a.npz") or DATA.save(f / "a.npz"),
        CheckpointError,
        ("a.npz", "pipe"),
    ),
    Bad("a descent on a full disk", lambda f: _descent(f, full()), CheckpointError, ("run.npz", "No space left")),
    Bad(
        "a descent in a read-only folder",
        lambda f: _descent(f, read_only()),
        CheckpointError,
        ("run.npz", "Permission denied"),
    ),
]


def _descent(folder: Path, breakdown: AbstractContextManager[Any]) -> object:
    with breakdown:
        return ntp.descend(DATA, steps=2, checkpoint=folder / "run.npz")
