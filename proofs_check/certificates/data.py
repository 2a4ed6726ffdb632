"""The dataset that a certificate speaks about, and matrices scaled to integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .document import Node
from .wording import shortened

__all__ = ["Data", "Matrix", "read_data", "read_decoder", "read_supports"]


@dataclass(frozen=True)
class Matrix:
    """Rational rows, as integers over one common denominator."""

    rows: list[list[int]]
    scale: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[Fraction]]) -> Matrix:
        """The same rows, scaled."""
        scale = math.lcm(*{x.denominator for row in rows for x in row})
        return cls([[x.numerator * (scale // x.denominator) for x in row] for row in rows], scale)


@dataclass(frozen=True)
class Data:
    """Contexts with exact embeddings h_j and supports S_j; masses: the conditionals p_jz up to a factor a context."""

    vocab_size: int
    embeddings: Matrix
    supports: list[list[int]]
    masses: list[list[Fraction]]
    token_names: list[str] | None
    context_names: list[str] | None

    @property
    def num_contexts(self) -> int:
        """m, the number of contexts."""
        return len(self.supports)

    @property
    def dim(self) -> int:
        """d, the width of the embeddings."""
        return len(self.embeddings.rows[0])

    @property
    def num_off_support(self) -> int:
        """How many pairs (context, token) are off the supports."""
        return sum(self.vocab_size - len(support) for support in self.supports)

    def token(self, v: int) -> str:
        """Token v by its quoted name, or its index."""
        return shortened(repr(self.token_names[v])) if self.token_names else f"#{v}"

    def context(self, j: int) -> str:
        """Context j by its quoted name, or its index."""
        return shortened(repr(self.context_names[j])) if self.context_names else f"#{j}"

    def pair(self, j: int, v: int) -> str:
        """Token v after context j, in words."""
        return f"token {self.token(v)} after context {self.context(j)}"


def read_data(node: Node, with_masses: bool) -> Data:
    """The member ``data`` of a certificate."""
    required = ("vocab_size", "embeddings", "supports", *(("masses",) if with_masses else ()))
    fields = node.fields(required, ("token_names", "context_names"))
    vocab_size = fields["vocab_size"].value
    if not isinstance(vocab_size, int) or isinstance(vocab_size, bool) or vocab_size < 1:
        fields["vocab_size"].fail("an integer of at least 1")
    rows = fields["embeddings"].entries()
    if not rows:
        fields["embeddings"].fail("a list of at least one row")
    dim = len(rows[0].entries())
    if dim == 0:
        rows[0].fail("a list of at least one number")
    embeddings = Matrix.of([[x.rational() for x in row.entries(dim, "numbers")] for row in rows])
    supports = read_supports(fields["supports"], len(rows), vocab_size)
    masses = _read_masses(fields["masses"], supports) if with_masses else []
    token_names, context_names = (
        None if name not in fields or fields[name].is_null else [x.text() for x in fields[name].entries(size, "names")]
        for name, size in (("token_names", vocab_size), ("context_names", len(rows)))
    )
    return Data(vocab_size, embeddings, supports, masses, token_names, context_names)


def read_supports(node: Node, num_contexts: int, vocab_size: int) -> list[list[int]]:
    """One increasing list of tokens a context, none empty."""
    supports = []
    for row in node.entries(num_contexts, "rows, one a context"):
        entries = row.entries()
        support = [entry.index(vocab_size) for entry in entries]
        if not support:
            row.fail("a list of at least one token")
        for entry, before, token in zip(entries[1:], support, support[1:], strict=False):
            if token <= before:
                entry.fail(f"greater than the token before it, {before}")
        supports.append(support)
    return supports


def read_decoder(node: Node, data: Data) -> Matrix:
    """A decoder: one row a token, of the width of the embeddings; null is a row of zeros."""
    zero = [Fraction(0)] * data.dim
    rows = node.entries(data.vocab_size, "rows, one a token")
    return Matrix.of(
        [zero if row.is_null else [x.rational() for x in row.entries(data.dim, "numbers")] for row in rows]
    )


def _read_masses(node: Node, supports: list[list[int]]) -> list[list[Fraction]]:
    masses = []
    for row, support in zip(node.entries(len(supports), "rows, one a context"), supports, strict=True):
        entries = row.entries(len(support), "numbers, one a token of the support")
        numbers = [entry.rational() for entry in entries]
        for entry, number in zip(entries, numbers, strict=True):
            if number <= 0:
                entry.fail("positive")
        masses.append(numbers)
    return masses
