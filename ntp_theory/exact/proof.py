"""`Proof`: the outcome of an exact verification, with the document that anyone can check again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import runs
from ..dataset import NTPDataset
from ..errors import UsageError

__all__ = ["Proof", "Status"]

Status = Literal["proved", "refuted", "not certified"]


@dataclass(frozen=True, repr=False)
class Proof:
    """What rational arithmetic says of a statement; true exactly if it is proved.

    Attributes
    ----------
    statement : str
    status : str
        "proved"; "refuted": the statement is false, or the object that should prove it breaks a rule by more than
        rounding; "not certified": no exact object was found next to it, which decides nothing.
    reason : str
        How, or why not, in words.
    document : dict or None
        If something was proved, be it the opposite, the certificate: the data and the multipliers or decoders as
        exact rationals, in the form that ``python -m proofs_check certificate FILE`` checks without this library.

    Examples
    --------
    >>> bool(Proof("1 < 2", "proved", "by counting", None))
    True
    """

    statement: str
    status: Status
    reason: str
    document: dict[str, Any] | None

    def __bool__(self) -> bool:
        return self.status == "proved"

    def summary(self) -> str:
        """The outcome in words."""
        return f"{self.statement}: {self.status} in rational arithmetic; {self.reason}"

    def __repr__(self) -> str:
        return f"<Proof: {self.summary()}>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON.

        Raises
        ------
        UsageError
            If there is no certificate.
        """
        if self.document is None:
            raise UsageError(f"{self.statement!r} is {self.status} and has no certificate; there must be one to save")
        return runs.write_text(path, json.dumps(self.document, allow_nan=False) + "\n")


def document(statement: str, data: NTPDataset, proof: dict[str, Any], *, masses: bool = False) -> dict[str, Any]:
    """The saved form of a certificate; ``masses`` adds the conditionals, by which few statements are affected."""
    content: dict[str, Any] = {
        "vocab_size": data.vocab_size,
        "token_names": data.token_names and list(data.token_names),
        "context_names": data.context_names and list(data.context_names),
        "embeddings": [[_words(x) for x in row] for row in data.embeddings.double().tolist()],
        "supports": data.pattern.rows(),
    }
    if masses:
        parts = data.masses.split(data.pattern.sizes.tolist())
        content["masses"] = [[_words(x) for x in part.tolist()] for part in parts]
    return {
        "format": "ntp_theory certificate",
        "format_version": 1,
        "statement": statement,
        "data": content,
        "proof": proof,
    }


def _words(value: float) -> str:
    numerator, denominator = value.as_integer_ratio()
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"
