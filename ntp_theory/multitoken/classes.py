"""Where a chain of contexts stays: its stationary law, and the classes that it goes through in turn."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ..errors import UsageError

__all__ = ["cyclic_classes", "links", "stationary_law"]

Floats = NDArray[np.float64]


def links(transitions: Floats, successors: NDArray[np.int64]) -> csr_array:
    """Probabilities from context to context (C, C), those of 0 left out.

    Parameters
    ----------
    transitions : ndarray (C, V)
    successors : ndarray (C, V), int

    Examples
    --------
    >>> links(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0, 1], [0, 1]])).nnz
    3
    """
    a, b = np.nonzero(transitions)
    return csr_array((transitions[a, b], (a, successors[a, b])), shape=(len(transitions), len(transitions)))


def stationary_law(steps: csr_array) -> Floats:
    """The one stationary law (C,) of a chain: that of its one part that is never left.

    Raises
    ------
    UsageError
        If there are several such parts.

    Examples
    --------
    >>> stationary_law(csr_array(np.array([[0.9, 0.1], [0.4, 0.6]]))).round(9).tolist()
    [0.8, 0.2]
    """
    count, parts = connected_components(steps, connection="strong")
    entries = steps.tocoo()
    between = parts[entries.row] != parts[entries.col]
    closed = np.setdiff1d(np.arange(count), parts[entries.row[between]])
    if len(closed) > 1:
        raise UsageError(f"stationary is not given, but {len(closed)} parts of the chain are never left; weigh them")
    members = np.flatnonzero(parts == closed[0])
    matrix = steps[members][:, members].toarray()
    system = np.vstack([matrix.T - np.eye(len(members)), np.ones(len(members))])
    found = np.linalg.lstsq(system, np.append(np.zeros(len(members)), 1.0), rcond=None)[0].clip(min=0.0)
    law = np.zeros(len(parts))
    law[members] = found / found.sum()
    return law


def cyclic_classes(steps: csr_array, recurrent: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """The classes of contexts that a chain goes through in turn, one after another; one for each part without period.

    Parameters
    ----------
    steps : csr_array (C, C)
    recurrent : ndarray (C,), bool
        Contexts to which the chain comes back for certain; the others are in no class.

    Examples
    --------
    >>> swap = csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> [members.tolist() for members in cyclic_classes(swap, np.array([True, True]))]
    [[0], [1]]
    """
    _, parts = connected_components(steps, connection="strong")
    for part in np.unique(parts[recurrent]):
        members = np.flatnonzero(parts == part)
        inside = steps[members][:, members]
        level = _levels(inside)
        entries = inside.tocoo()
        period = math.gcd(*(level[entries.row] + 1 - level[entries.col]).tolist())
        phase = level % period
        yield from (members[phase == k] for k in range(period))


def _levels(steps: csr_array) -> NDArray[np.int64]:
    """Steps from the first context to each of the others, all of which can be reached."""
    level = np.full(steps.shape[0], -1)
    level[0], queue = 0, deque([0])
    while queue:
        a = queue.popleft()
        for b in steps.indices[steps.indptr[a] : steps.indptr[a + 1]]:
            if level[b] < 0:
                level[b] = level[a] + 1
                queue.append(int(b))
    return level
