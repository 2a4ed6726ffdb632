"""From a file to a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .compatibility import compatible, not_compatible
from .data import Data, read_data
from .document import Node, load
from .errors import MalformedError, RefutedError
from .linear import Finding
from .max_margin import max_margin
from .separability import extended_support, not_separable, separable

__all__ = ["FORMAT", "FORMAT_VERSION", "STATEMENTS", "Report", "verify", "verify_file"]

FORMAT = "ntp_theory certificate"
FORMAT_VERSION = 1

STATEMENTS: dict[str, Callable[[Data, Node], Finding]] = {
    "separable": separable,
    "not separable": not_separable,
    "compatible": compatible,
    "not compatible": not_compatible,
    "max margin": max_margin,
    "extended support": extended_support,
}


@dataclass(frozen=True)
class Report:
    """What became of one certificate.

    Attributes
    ----------
    name : str
        Of the file.
    verdict : str
        "proved", "refuted" (it breaks a rule of its proof, which leaves the statement itself open) or "malformed".
    statement : str or None
        What it claims, where that could be read.
    sizes : dict
        Numbers of contexts and tokens, width of the embeddings.
    words : list of str
        What is proved, or the rule that is broken.
    figures : dict
        The exact numbers, for a program.
    """

    name: str
    verdict: str
    statement: str | None
    words: list[str]
    sizes: dict[str, int] = field(default_factory=dict)
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """Exit status: 0 proved, 1 refuted, 2 malformed."""
        return ("proved", "refuted", "malformed").index(self.verdict)

    def __str__(self) -> str:
        if self.verdict == "malformed":
            return f"{self.name}: {self.words[0]}"
        sizes = "{contexts} contexts, {tokens} tokens, embeddings of dimension {dim}".format(**self.sizes)
        return "\n  ".join([f"{self.verdict}: {self.statement} ({self.name})", sizes, *self.words])

    def to_dict(self) -> dict[str, object]:
        """The report for JSON."""
        return {"file": self.name, **{k: v for k, v in vars(self).items() if k != "name"}}


def verify_file(path: str) -> Report:
    """Verify the certificate in a file."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error) or "it does not fit in memory"
        return Report(path, "malformed", None, [f"cannot be read: {reason}"])
    return verify(content, path)


def verify(content: bytes, name: str = "certificate") -> Report:
    """Verify the certificate with this content."""
    statement, sizes = None, {}
    try:
        fields = load(content).fields(("format", "format_version", "statement", "data", "proof"))
        if fields["format"].value != FORMAT:
            fields["format"].fail(f'"{FORMAT}"')
        if fields["format_version"].value != FORMAT_VERSION or fields["format_version"].value is True:
            fields["format_version"].fail(str(FORMAT_VERSION))
        claim = fields["statement"]
        if claim.text() not in STATEMENTS:
            claim.fail("one of " + ", ".join(f'"{known}"' for known in STATEMENTS))
        statement = claim.text()
        data = read_data(fields["data"], with_masses=statement in ("compatible", "not compatible"))
        sizes = {"contexts": data.num_contexts, "tokens": data.vocab_size, "dim": data.dim}
        finding = STATEMENTS[statement](data, fields["proof"])
    except MalformedError as error:
        return Report(name, "malformed", statement, [str(error)], sizes)
    except RefutedError as error:
        return Report(name, "refuted", statement, [str(error)], sizes)
    except MemoryError:
        return Report(name, "malformed", statement, ["the file: needs more memory than there is"], sizes)
    return Report(name, "proved", statement, finding.words, sizes, finding.figures)
