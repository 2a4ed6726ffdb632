"""Reading a JSON document so that every complaint names its place, and no number is ever rounded."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from .errors import MalformedError
from .wording import exact, shortened, whole

__all__ = ["Node", "load"]

RATIONAL = re.compile(r"(-?[0-9]+)(?:/([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Float:
    """A JSON number that is not an integer, NaN and infinities included: kept as text, refused where it is used."""

    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document and its place, as ``proof.multipliers[3]``."""

    value: object
    place: str

    def fail(self, rule: str) -> NoReturn:
        """Refuse the document because of this value."""
        raise MalformedError(f"{self.place}: must be {rule}; got {self._shown()}")

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Node]:
        """The members of an object that has these names and no others."""
        if not isinstance(self.value, dict):
            self.fail("an object")
        for name in required:
            if name not in self.value:
                raise MalformedError(f"{self._inside(name)}: is missing")
        for name in self.value:
            if name not in required + optional:
                known = ", ".join(required + optional)
                raise MalformedError(f"{self.place}: has no place for {shortened(repr(name))}; it may have {known}")
        return {name: Node(value, self._inside(name)) for name, value in self.value.items()}

    def has(self, name: str) -> bool:
        """Whether this is an object with a member of that name."""
        return isinstance(self.value, dict) and name in self.value

    def entries(self, length: int | None = None, what: str = "entries") -> list[Node]:
        """The entries of a list, of the given length if there is one."""
        if not isinstance(self.value, list):
            self.fail("a list" if length is None else f"a list of {length} {what}")
        if length is not None and len(self.value) != length:
            self.fail(f"a list of {length} {what}")
        return [Node(value, f"{self.place}[{i}]") for i, value in enumerate(self.value)]

    @property
    def is_null(self) -> bool:
        """Whether the value is null."""
        return self.value is None

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            self.fail("a string")
        return self.value

    def between(self, first: int, last: int) -> int:
        """A JSON integer from first to last."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not first <= self.value <= last:
            self.fail(f"an integer from {first} to {last}")
        return self.value

    def rational(self) -> Fraction:
        """A rational: a JSON integer, or a string "p" or "p/q" with q > 0."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return Fraction(self.value)
        match = RATIONAL.fullmatch(self.value) if isinstance(self.value, str) else None
        if match is None:
            self.fail('an exact number: an integer, or a string "p" or "p/q"')
        denominator = whole(match[2] or "1")
        if denominator == 0:
            self.fail('a rational "p/q" with q > 0')
        return Fraction(whole(match[1]), denominator)

    def integer(self) -> int:
        """An integer: a JSON integer, or a string "p"."""
        number = self.rational()
        if number.denominator != 1:
            self.fail("an integer")
        return number.numerator

    def _inside(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place != "the file" else name

    def _shown(self) -> str:
        value = self.value
        if isinstance(value, Float):
            return f"the float {shortened(value.text)}"
        if isinstance(value, list):
            return f"a list of {len(value)}"
        if isinstance(value, dict):
            return "an object"
        if isinstance(value, str):
            return f'"{shortened(repr(value)[1:-1])}"'
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        return exact(value) if isinstance(value, int) else "something else"


def load(content: bytes) -> Node:
    """The document in a file.

    Raises
    ------
    MalformedError
        If it is not JSON in UTF-8, or an object has two members of one name.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            parse_int=whole,
            parse_float=Float,
            parse_constant=Float,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise MalformedError(f"the file: must be in UTF-8; byte {error.start} is not") from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise MalformedError("the file: is nested too deeply") from None
    return Node(value, "the file")


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in members:
        if name in found:
            raise MalformedError(f"the file: an object has two members {shortened(repr(name))}")
        found[name] = value
    return found
