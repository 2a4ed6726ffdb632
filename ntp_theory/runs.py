"""What every long job and every saved file shares: atomic writes, the file format, progress on a terminal."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from ._version import __version__
from .doors import as_path
from .errors import CheckpointError

__all__ = [
    "FORMAT_VERSION",
    "Progress",
    "check_shapes",
    "digest",
    "load_arrays",
    "remove_leftovers",
    "save_arrays",
    "write_atomically",
    "write_text",
]

FORMAT_VERSION = 1
_HEADER = "header"


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> Path:
    """Call ``write(file)`` on a temporary file, then rename it to ``path``: old file or new, never half.

    Raises
    ------
    CheckpointError
        If the file cannot be written, for the reason that the system gives.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "a.txt", lambda f: f.write(b"done")).read_text()
    'done'
    """
    path = as_path("path", path)
    try:
        return _write_and_rename(path, write)
    except (OSError, ValueError) as error:  # the latter for names with a zero in them
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CheckpointError(f"{path}: cannot be written ({why})") from error


def _write_and_rename(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError("it is a device or a pipe, which a file would replace")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files private; give them the ordinary mode
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    return path


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what was left of ``path`` by processes that were killed while they wrote it.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in (".a.txt.abcd1234.part", "a.txt"):
    ...     path = write_text(folder / name, "")
    >>> remove_leftovers(folder / "a.txt")
    >>> [path.name for path in folder.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):  # as mkstemp names them
        leftover.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write UTF-8 text atomically.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> write_text(pathlib.Path(tempfile.mkdtemp()) / "a.txt", "so be it").read_text()
    'so be it'
    """
    return write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def save_arrays(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    *,
    compress: bool = True,
) -> Path:
    """Save arrays as one ``.npz`` with a JSON header (kind, format and library version, ``meta``); no pickle.

    Compressing takes twenty times longer; it is worth it for indices and zeros, not for the digits of decoders.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.npz"
    >>> path = save_arrays(path, "note", {"x": np.arange(3)}, {"steps": 2})
    >>> arrays, meta = load_arrays(path, "note")
    >>> arrays["x"], meta
    (array([0, 1, 2]), {'steps': 2})
    """
    header = {"kind": kind, "format": FORMAT_VERSION, "ntp_theory": __version__, "meta": dict(meta)}
    text = np.frombuffer(json.dumps(header).encode("utf-8"), dtype=np.uint8)
    payload: dict[str, Any] = {_HEADER: text, **arrays}
    write = np.savez_compressed if compress else np.savez
    return write_atomically(path, lambda file: write(file, **payload))


def load_arrays(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a file written by `save_arrays`.

    Returns
    -------
    arrays, meta
        The named arrays and the ``meta`` mapping.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, not ours, of another kind or of a newer format.

    Examples
    --------
    >>> load_arrays("/nowhere/a.npz", "note")
    Traceback (most recent call last):
    ...
    ntp_theory.errors.CheckpointError: /nowhere/a.npz: no such file
    """
    path = as_path("path", path)
    try:
        if not path.is_file():
            raise CheckpointError(f"{path}: {'is not a file' if path.exists() else 'no such file'}")
    except OSError as error:  # a name that is too long for one
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if other := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
            raise TypeError(f"{other[0]} is no array")  # numpy hands on members that it does not know as bytes
        header = json.loads(arrays.pop(_HEADER).tobytes().decode("utf-8"))
        found, version, meta = header["kind"], int(header["format"]), dict(header["meta"])
    except Exception as error:  # damaged bytes: whatever the zip, deflate, array or JSON reader runs into
        raise CheckpointError(f"{path}: not a file of this library, or damaged") from error
    if version > FORMAT_VERSION:
        raise CheckpointError(f"{path}: format {version} is newer than {FORMAT_VERSION}; update ntp_theory")
    if found != kind:
        raise CheckpointError(f"{path}: holds a {found}, expected a {kind}")
    return arrays, meta


def check_shapes(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse a file whose arrays are not of the shapes that they must have; those that it lacks are passed over.

    Raises
    ------
    CheckpointError
        The message names the array.

    Examples
    --------
    >>> check_shapes("a.npz", {"x": np.zeros(3)}, {"x": (2,)})
    Traceback (most recent call last):
    ...
    ntp_theory.errors.CheckpointError: a.npz: x has shape (3,), expected (2,)
    """
    for name, shape in shapes.items():
        if name in arrays and arrays[name].shape != shape:
            raise CheckpointError(f"{path}: {name} has shape {arrays[name].shape}, expected {shape}")


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """A word that stands for named arrays: the same for the same bits, another for any others.

    Examples
    --------
    >>> digest({"x": np.arange(3)}) == digest({"x": np.array([0, 1, 2])}) != digest({"y": np.arange(3)})
    True
    """
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


class Progress:
    """A one-line progress display with the time left: on a terminal only, silent everywhere else.

    Parameters
    ----------
    total : int
        Number of units of work.
    title : str
        What is running.
    done : int
        Units that were done before, and say nothing about the pace.
    enabled : bool
        False silences it altogether.
    stream : text stream, optional
        Standard error if not given.

    Examples
    --------
    >>> with Progress(10, "counting", enabled=False) as progress:
    ...     progress.update(10)
    """

    def __init__(
        self, total: int, title: str, *, done: int = 0, enabled: bool = True, stream: TextIO | None = None
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._enabled = enabled and self._stream.isatty()
        self._total, self._title, self._before = max(total, 1), title, done
        self._start = self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._enabled:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def update(self, done: int, note: str = "") -> None:
        """Show ``done`` units of work, at most ten times a second.

        Examples
        --------
        >>> Progress(3, "quiet", enabled=False).update(1)
        """
        now = time.monotonic()
        if not self._enabled or (now - self._shown < 0.1 and done < self._total):
            return
        self._shown = now
        left = (now - self._start) * (self._total - done) / max(done - self._before, 1)
        self._stream.write(f"\r\x1b[K{self._title} {done / self._total:4.0%}  {_duration(left)} left  {note}")
        self._stream.flush()


def _duration(seconds: float) -> str:
    """Two units of time, the smaller one whole: 42s, 3min 05s, 2h 07min, 1d 04h."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d {h:02}h"
    return f"{h}h {m:02}min" if h else f"{m}min {s:02}s" if m else f"{s}s"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
