"""What a row of the table of bad inputs is, and what the calls in it are made with."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import ntp_theory as ntp
from ntp_theory.cli import main
from ntp_theory.sequence import models, tasks

__all__ = [
    "DATA",
    "Bad",
    "Refused",
    "TASK",
    "command",
    "limit",
    "member",
    "model",
    "npz",
    "poisoned",
    "run",
    "solution",
]

DATA = ntp.NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
TASK = tasks.PathStar(2, 2, 8)


@dataclass(frozen=True)
class Bad:
    """One call that must be refused.

    Attributes
    ----------
    name : str
        What is bad, in words.
    call : function of a folder
        The call; the folder is empty, and for its files.
    error : type
        The error of `ntp_theory.errors` that must come, of this very type.
    words : tuple of str
        What its message must contain: the argument, the value got, the rule.
    """

    name: str
    call: Callable[[Path], object]
    error: type[Exception]
    words: tuple[str, ...]


@cache
def limit() -> ntp.Limit:
    return ntp.predict(DATA)


@cache
def solution() -> ntp.SVMSolution:
    return ntp.solve_svm(DATA)


@cache
def run() -> ntp.Trajectory:
    return ntp.descend(DATA, steps=3)


@cache
def model() -> Any:
    return models.model_for(TASK, layers=1)


class Poison:
    """What runs when it is unpickled: it leaves a mark where the test looks."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def poisoned(folder: Path) -> Path:
    """Where code that a file carries would leave its mark."""
    return folder / "executed"


def member(array: Any) -> bytes:
    """An array as a ``.npy`` file, pickled if it holds objects."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(path: Path, members: dict[str, bytes], *, sizes: dict[str, int] | None = None) -> Path:
    """A zip file of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


class Refused(Exception):
    """The command line said no: exit status 2, and one line on standard error."""


def command(*arguments: object) -> object:
    """Run the command line; raises `Refused` with its line, or returns what it did instead."""
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()) as printed:
        status = main([str(argument) for argument in arguments])
    lines = errors.getvalue().splitlines()
    if status == 2 and len(lines) == 1 and lines[0].startswith("ntp-theory: error: "):
        raise Refused(lines[0])
    return status, lines, printed.getvalue()
