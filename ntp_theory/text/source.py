"""Where a text comes from: a string, a file, or chunks; read as a stream and checked to be text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DatasetError, UsageError

__all__ = ["Text", "describe", "read"]

Text = str | Path | Iterable[str]

_CHUNK = 1 << 16  # characters read from a file at a time
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def read(text: Text) -> Iterator[str]:
    """The text in chunks, from its beginning.

    Parameters
    ----------
    text : str, pathlib.Path or iterable of str
        The text itself, a UTF-8 file, or chunks of text.

    Yields
    ------
    str

    Raises
    ------
    DatasetError
        If the file cannot be read or is not UTF-8, or the text holds what no text holds: NUL or lone
        surrogates.
    UsageError
        If ``text`` is of no such type.

    Examples
    --------
    >>> "".join(read(["so ", "be it"]))
    'so be it'
    """
    where = describe(text)
    for chunk in _chunks(text):
        if not isinstance(chunk, str):
            raise DatasetError(f"{where} gives {chunk!r}; every chunk must be a str")
        if (wrong := _NOT_TEXT.search(chunk)) is not None:
            raise DatasetError(f"{where} holds the character {wrong.group()!r}; it must be text, not binary data")
        yield chunk


def describe(text: object) -> str:
    """The argument as error messages name it.

    Examples
    --------
    >>> describe("so be it"), describe(Path("a.txt"))
    ("text 'so be it'", 'text (the file a.txt)')
    """
    if isinstance(text, Path):
        return f"text (the file {text})"
    if isinstance(text, str):
        return f"text {text!r}" if len(text) <= 40 else f"text (a str of {len(text)} characters)"
    return f"text (a {type(text).__name__})"


def _chunks(text: Text) -> Iterator[str]:
    if isinstance(text, str):
        yield text
    elif isinstance(text, Path):
        yield from _file_chunks(text)
    elif isinstance(text, Iterable):
        yield from text
    else:
        raise UsageError(f"{describe(text)} is no text; it must be a str, a pathlib.Path or an iterable of str")


def _file_chunks(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:  # a byte order mark is no part of the text
            while chunk := file.read(_CHUNK):
                yield chunk
    except FileNotFoundError:
        raise DatasetError(f"{describe(path)} does not exist; it must be a readable UTF-8 file") from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{describe(path)} is not UTF-8 ({error.reason}); it must be a text file") from None
    except (OSError, ValueError) as error:  # the latter for names with a zero in them
        why = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{describe(path)} cannot be read ({why}); it must be a readable file") from None
