"""Strategies for laws: stochastic matrices, Markov chains, and joint laws in fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ..doors import whole

__all__ = ["joint_laws", "stochastic_matrices"]


@st.composite
def stochastic_matrices(
    draw: st.DrawFn, *, max_size: int = 4, order: int = 1, largest: int = 4, connected: bool = True
) -> NDArray[np.float64]:
    """Probabilities of the next of V tokens after each ``order`` of them, zeros among them.

    Parameters
    ----------
    max_size : int
        Largest V; at least 2 is drawn.
    order : int
    largest : int
        Probabilities are in proportion to whole numbers up to this one.
    connected : bool
        Every text may be followed by token 0, so that there is one stationary law.

    Returns
    -------
    SearchStrategy of ndarray, ``order + 1`` axes of length V

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, database=None, deadline=None)
    ... @given(stochastic_matrices())
    ... def rows_are_laws(matrix):
    ...     assert np.allclose(matrix.sum(1), 1)
    >>> rows_are_laws()
    """
    whole("max_size", max_size, at_least=2)
    v = draw(st.integers(2, max_size))
    rows = []
    for _ in range(v ** whole("order", order, at_least=1)):
        counts = draw(st.lists(st.integers(0, largest), min_size=v, max_size=v))
        counts[0 if connected else draw(st.integers(0, v - 1))] += 1
        rows.append(np.array(counts) / sum(counts))
    return np.array(rows).reshape((v,) * (order + 1))


@st.composite
def joint_laws(
    draw: st.DrawFn,
    *,
    shape: tuple[int, int] | None = None,
    max_size: int = 4,
    largest: int = 6,
    positive: bool = False,
) -> NDArray[Any]:
    """Joint laws of two tokens in fractions.

    Parameters
    ----------
    shape : tuple of int, optional
        Numbers of rows and columns; from 1 to ``max_size`` if not given.
    max_size : int
    largest : int
        Probabilities are in proportion to whole numbers up to this one.
    positive : bool
        No zeros.

    Returns
    -------
    SearchStrategy of ndarray of Fraction

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, database=None, deadline=None)
    ... @given(joint_laws())
    ... def sums_to_one(joint):
    ...     assert joint.sum() == 1
    >>> sums_to_one()
    """
    n, m = shape or (draw(st.integers(1, max_size)), draw(st.integers(1, max_size)))
    counts = draw(st.lists(st.integers(int(positive), largest), min_size=n * m, max_size=n * m))
    counts[draw(st.integers(0, n * m - 1))] += 1
    return np.array([Fraction(count, sum(counts)) for count in counts], dtype=object).reshape(n, m)
