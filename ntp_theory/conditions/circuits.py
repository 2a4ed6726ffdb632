"""Sparse relations among constraints: the proofs of "no" that use few contexts and few tokens.

Both proofs are multipliers c (m, V) with ``sum_j h_j c_j^T = 0``, rows that sum to 0 and a value ``<c, gain>`` that is
not 0; off the supports they may only be negative. Among the multipliers of value 1 a linear program finds those of
smallest l1 norm, and the simplex method ends at a vertex of them: a *circuit*, of which no entry can be left out.
Confined to two tokens the program has d equations and takes milliseconds, so many pairs of tokens are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.sparse
from numpy.typing import NDArray

__all__ = ["Circuit", "Circuits"]

# Programs of two tokens are solved for all pairs among this many tokens, those that follow the most contexts.
PAIRED = 16
# Unknowns times equations, summed over all linear programs: some seconds of work.
WORK = 20_000_000
# Entries of a vertex smaller than this, relative to the largest, are rounding of the simplex method.
SIGNIFICANT = 1e-9
# Smallest singular values, relative to the largest, of constraints with a relation among them and of those with none.
DEPENDENT, INDEPENDENT = 1e-13, 1e-11


class Circuit(NamedTuple):
    """Entries with their coefficients; (n,) each."""

    contexts: NDArray[np.int64]
    tokens: NDArray[np.int64]
    coefficients: NDArray[np.float64]


class Circuits:
    """Search for circuits with few entries.

    Parameters
    ----------
    embeddings : ndarray (m, d)
        The h_j, of comparable size.
    support : ndarray (m, V), bool
        The entries of either sign: row j is S_j.
    gain : ndarray (m, V)
        What a unit of each entry adds to the value.
    allowed : ndarray (m, V), bool
        The entries that may be used.

    Notes
    -----
    Source: ours. With a_j some token of S_j, ``c_j = sum_v x_{jv} (e_v - e_{a_j})`` has row sum 0 and the entry of a_j
    is free, so the program has the unknowns x alone, the generators of (4) and (6) for columns.

    Examples
    --------
    >>> h, support = np.array([[1.0], [2.0], [3.0]]), np.array([[True, False], [False, True], [True, True]])
    >>> found = Circuits(h, support, np.where(support, 0.0, -1.0), np.ones((3, 2), dtype=bool)).smallest()
    >>> sorted(set(found.contexts.tolist()))
    [0, 1]
    """

    def __init__(
        self,
        embeddings: NDArray[np.float64],
        support: NDArray[np.bool_],
        gain: NDArray[np.float64],
        allowed: NDArray[np.bool_],
    ) -> None:
        self._h, self._free, self._gain, self._allowed = embeddings, support & allowed, gain, allowed
        self._order = np.argsort(-self._free.sum(0), kind="stable")
        self._work = WORK

    def smallest(self) -> Circuit | None:
        """The circuit with the fewest entries among those found; None if the work is spent before there is one."""
        pairs = sorted(combinations(range(min(PAIRED, len(self._order))), 2), key=lambda pair: pair[::-1])
        found = [c for pair in pairs if (c := self._vertex(self._order[list(pair)])) is not None]
        found.sort(key=lambda circuit: (len(circuit.tokens), float(np.abs(circuit.coefficients).sum())))
        standing = (s for c in found if (s := self._polished(self._thinned(c))) is not None)
        return next(standing, None) or self.first()

    def first(self) -> Circuit | None:
        """A circuit on as few as possible of the tokens that follow the most contexts; None as above."""
        for count in _growing(len(self._order)):
            if (found := self._vertex(self._order[:count])) is not None:
                return self._polished(self._thinned(found))
        return None

    def _thinned(self, circuit: Circuit) -> Circuit:
        """A circuit with fewer entries, if there is one without some token or some context of the given one."""
        tokens, contexts = np.unique(circuit.tokens), np.arange(len(self._h))
        choices = [(np.delete(tokens, i), contexts) for i in range(len(tokens)) if len(tokens) > 2]
        choices += [(tokens, np.delete(contexts, j)) for j in np.unique(circuit.contexts)]
        for fewer in choices:
            less = self._vertex(*fewer)
            if less is not None and len(less.tokens) < len(circuit.tokens):
                return self._thinned(less)
        return circuit

    def _vertex(self, tokens: NDArray[np.int64], among: NDArray[np.int64] | None = None) -> Circuit | None:
        """Circuit of smallest l1 norm on these tokens, to the accuracy of the simplex method; None if there is none."""
        contexts = np.flatnonzero(self._free[:, tokens].any(1))
        if among is not None:
            contexts = np.intersect1d(contexts, among, assume_unique=True)
        free, gain = self._free[np.ix_(contexts, tokens)], self._gain[np.ix_(contexts, tokens)]
        anchor = free.argmax(1)
        used = self._allowed[np.ix_(contexts, tokens)]
        used[np.arange(len(contexts)), anchor] = False
        j, v = used.nonzero()
        a, signed = anchor[j], free[j, v]
        value = gain[j, v] - gain[j, a]
        d, equations = self._h.shape[1], self._h.shape[1] * (len(tokens) - 1) + 1
        self._work -= len(j) * equations
        if self._work < 0 or not value.any():
            return None
        # block v of the equations is sum_j h_j c_jv = 0; the last one follows from the others
        h = self._h[contexts[j]]
        rows = np.concatenate([v[:, None] * d + np.arange(d), a[:, None] * d + np.arange(d)]).ravel()
        columns = np.tile(np.repeat(np.arange(len(j)), d), 2)
        kept = rows < equations - 1
        entries = np.concatenate([h, -h]).ravel()[kept]
        matrix = scipy.sparse.csc_array((entries, (rows[kept], columns[kept])), shape=(equations - 1, len(j)))
        # x = rise - fall, and only free entries may rise
        matrix = scipy.sparse.hstack([-matrix, matrix[:, signed]])
        value = np.append(-value, value[signed])
        answer = scipy.optimize.linprog(
            np.ones(len(value)),
            A_eq=scipy.sparse.vstack([matrix, value[None]]),
            b_eq=np.eye(equations)[-1],
            method="highs-ds",
        )
        if answer.status != 0:
            return None
        c = np.zeros(used.shape)
        c[j, v] = -answer.x[: len(j)]
        c[j[signed], v[signed]] += answer.x[len(j) :]
        c[np.arange(len(contexts)), anchor] = -c.sum(1)
        c[np.abs(c) <= SIGNIFICANT * np.abs(c).max()] = 0.0
        j, v = c.nonzero()
        return Circuit(contexts[j], tokens[v], c[j, v])

    def _polished(self, circuit: Circuit) -> Circuit | None:
        """The one relation among these entries, to rounding; None if there is not exactly one, of the right signs."""
        contexts, tokens, _ = circuit
        row, column = (np.unique(index, return_inverse=True)[1] for index in (contexts, tokens))
        n, d = len(contexts), self._h.shape[1]
        stationary = np.zeros((n, column.max() + 1, d))
        stationary[np.arange(n), column] = self._h[contexts]
        system = np.concatenate([stationary.reshape(n, -1), np.eye(row.max() + 1)[row], np.zeros((n, n))], axis=1)
        u, sizes, _ = np.linalg.svd(system, full_matrices=False)
        if sizes[-1] > DEPENDENT * sizes[0] or sizes[-2] <= INDEPENDENT * sizes[0]:
            return None
        c = u[:, -1]
        value = float(c @ self._gain[contexts, tokens])
        if abs(value) <= SIGNIFICANT * np.abs(c).sum():
            return None
        c = c / value
        return Circuit(contexts, tokens, c) if (self._free[contexts, tokens] | (c < 0)).all() else None


def _growing(limit: int) -> Iterator[int]:
    """Sizes from 3 to a limit, half as much more each time."""
    count = min(3, limit)
    while count < limit:
        yield count
        count = min(limit, count + (count + 1) // 2)
    yield limit
