"""The dataset that a certificate speaks about, and matrices scaled to integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .document import Node
from .wording import shortened

__all__ = ["Data", "Matrix", "read_data", "read_decoder", "read_supports"]

VOCAB_LIMIT = 10**9  # so that sizes and tokens can be printed; memory grows with the file, not with the vocabulary


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
        return _quoted(self.token_names, v)

    def context(self, j: int) -> str:
        """Context j by its quoted name, or its index."""
        return _quoted(self.context_names, j)

    def pair(self, j: int, v: int) -> str:
        """Token v after context j, in words."""
        return f"token {self.token(v)} after context {self.context(j)}"


def read_data(node: Node, with_masses: bool) -> Data:
    """The member ``data`` of a certificate."""
    required = ("vocab_size", "embeddings", "supports", *(("masses",) if with_masses else ()))
    fields = node.fields(required, ("token_names", "context_names"))
    vocab_size = fields["vocab_size"].between(1, VOCAB_LIMIT)
    rows = fields["embeddings"].entries()
    if not rows:
        fields["embeddings"].fail("a list of at least one row")
    dim = len(rows[0].entries())
    if dim == 0:
        rows[0].fail("a list of at least one number")
    embeddings = Matrix.of([[x.rational() for x in row.entries(dim, "numbers")] for row in rows])
    supports = read_supports(fields["supports"], len(rows), vocab_size)
    masses = _read_masses(fields["masses"], supports) if with_masses else []
    token_names = _read_names(fields.get("token_names"), vocab_size)
    context_names = _read_names(fields.get("context_names"), len(rows))
    return Data(vocab_size, embeddings, supports, masses, token_names, context_names)


def read_supports(node: Node, num_contexts: int, vocab_size: int) -> list[list[int]]:
    """One increasing list of tokens a context, none empty."""
    supports = []
    for row in node.entries(num_contexts, "rows, one a context"):
        entries = row.entries()
        support = [entry.between(0, vocab_size - 1) for entry in entries]
        if not support:
            row.fail("a list of at least one token")
        for entry, before, token in zip(entries[1:], support, support[1:], strict=False):
            if token <= before:
                entry.fail(f"greater than the token before it, {before}")
        supports.append(support)
    return supports


def read_decoder(node: Node, data: Data) -> Matrix:
    """A decoder: one row a token, of the width of the embeddings; null is a row of zeros."""
    nodes = node.entries(data.vocab_size, "rows, one a token")
    given = Matrix.of([[x.rational() for x in row.entries(data.dim, "numbers")] for row in nodes if not row.is_null])
    rows, zero = iter(given.rows), [0] * data.dim  # one list of zeros for all tokens without a row
    return Matrix([zero if row.is_null else next(rows) for row in nodes], given.scale)


def _read_names(node: Node | None, size: int) -> list[str] | None:
    """Distinct names, if there are any: what is said of a name must be true of one token or context only."""
    if node is None or node.is_null:
        return None
    first: dict[str, Node] = {}
    for entry in node.entries(size, "names"):
        other = first.setdefault(entry.text(), entry)
        if other is not entry:
            entry.fail(f"other than {other.place}")
    return list(first)


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


def _quoted(names: list[str] | None, index: int) -> str:
    """A name in quotes, with the index behind it if it had to be shortened; else the index."""
    if names is None:
        return f"#{index}"
    quoted = repr(names[index])
    short = shortened(quoted)
    return quoted if short == quoted else f"{short} (#{index})"
