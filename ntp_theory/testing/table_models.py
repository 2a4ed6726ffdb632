"""Strategies for models that are tables, from which the exact laws of decoders are enumerated."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from ..doors import whole
from ..sequence.models.table import Table, contexts

__all__ = ["table_pairs", "tables"]


@st.composite
def tables(
    draw: st.DrawFn,
    *,
    min_vocab_size: int = 2,
    max_vocab_size: int = 4,
    max_memory: int = 2,
    largest: int = 4,
) -> Table:
    """Tables with small probabilities, equal ones and zeros among them; token 0 may always come.

    Parameters
    ----------
    min_vocab_size, max_vocab_size : int
        The range of v; 16 is where public decoders that fill up with token 0 go wrong often.
    max_memory : int
        The most tokens that a law depends on.
    largest : int
        Probabilities are in proportion to whole numbers up to this one.

    Returns
    -------
    SearchStrategy of Table

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, database=None, deadline=None)
    ... @given(tables())
    ... def token_0_is_live(table):
    ...     assert all(row[0] > 0 for row in table.rows.values())
    >>> token_0_is_live()
    """
    whole("min_vocab_size", min_vocab_size, at_least=1, at_most=max_vocab_size)
    v, memory = draw(st.integers(min_vocab_size, max_vocab_size)), draw(st.integers(0, max_memory))
    rows = {}
    for text in contexts(v, memory):
        counts = [
            draw(st.integers(1, largest)),
            *draw(st.lists(st.integers(0, largest), min_size=v - 1, max_size=v - 1)),
        ]
        rows[text] = tuple(Fraction(count, sum(counts)) for count in counts)
    return Table(v, memory, rows)


@st.composite
def table_pairs(draw: st.DrawFn, *, max_vocab_size: int = 4, max_memory: int = 2) -> tuple[Table, Table]:
    """A target and a draft model with the same vocabulary: unlike, alike, or the same.

    Parameters
    ----------
    max_vocab_size, max_memory : int

    Returns
    -------
    SearchStrategy of (Table, Table)

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, database=None, deadline=None)
    ... @given(table_pairs())
    ... def one_vocabulary(pair):
    ...     assert pair[0].vocab_size == pair[1].vocab_size
    >>> one_vocabulary()
    """
    target = draw(tables(max_vocab_size=max_vocab_size, max_memory=max_memory))
    if draw(st.integers(0, 9)) == 0:
        return target, target
    v = target.vocab_size
    return target, draw(tables(min_vocab_size=v, max_vocab_size=v, max_memory=max_memory))
