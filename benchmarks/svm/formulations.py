"""The NTP-SVM as a quadratic program that any solver takes, in three formulations.

Embeddings are first scaled to root-mean-square norm 1 and rotated into their own span: ``H = scale * T Q^T`` with T
(m, r) lower trapezoidal. No formulation lists a variable that another one of it determines: in all of them a context
has one *level* for the logits of its support, and the constraints are sparse rows or plain bounds.

=========  ============================  =====================================================  =================
name       variables                     objective                                              applies
=========  ============================  =====================================================  =================
weights    W (V, r), levels (m,)         1/2 ||W||^2                                            always
logits     L off support, levels (m,)    1/2 tr(L^T K^-1 L), K = T T^T, a block a token         rank H = m
dual       C (m, V)                      1/2 tr(C^T K C) - sum of C on support, a block a token  always
=========  ============================  =====================================================  =================

Blocks of a token are contiguous and come before the levels, so that elimination orders find the arrow in the matrix:
eliminating the tokens leaves an m by m matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ntp_theory import NTPDataset

__all__ = ["FORMULATIONS", "Program", "Reduced", "reduce"]

Array = np.ndarray


@dataclass(frozen=True)
class Reduced:
    """Data in the coordinates of the formulations: ``H = scale * T Q^T``, Q (d, r) with orthonormal columns."""

    factor: Array
    basis: Array
    scale: float
    support: Array

    @property
    def full_rank(self) -> bool:
        """Whether the m embeddings are independent, with a condition number below 1e12."""
        values = np.linalg.svd(self.factor, compute_uv=False)
        return self.factor.shape[0] == self.factor.shape[1] and values[-1] > 1e-12 * values[0]

    def weights(self, coordinates: Array) -> Array:
        """W (V, d) from its coordinates (V, r)."""
        return coordinates @ self.basis.T / self.scale


@dataclass(frozen=True)
class Program:
    """``min 1/2 x^T P x + q^T x`` subject to ``A x = b``, ``G x <= h``, ``x <= upper``.

    Attributes
    ----------
    quadratic : csc_matrix
        Upper triangle of P.
    linear : Array
        q.
    equal : tuple
        A, b.
    below : tuple
        G, h.
    upper : Array
        +inf where there is no bound.
    decode : callable
        From x to W (V, d).
    refutation : callable or None
        From the ray that a solver gives when it finds no solution (its part for x, its multipliers of A and of G) to
        multipliers C (m, V) that prove it. None if the formulation applies to data that has a solution only.
    """

    quadratic: Any
    linear: Array
    equal: tuple[Any, Array]
    below: tuple[Any, Array]
    upper: Array
    decode: Callable[[Array], Array]
    refutation: Callable[[Array, Array, Array], Array] | None = None


def reduce(data: NTPDataset) -> Reduced:
    """The data in the coordinates of the formulations."""
    h = data.embeddings.numpy()
    scale = float(np.linalg.norm(h)) / len(h) ** 0.5
    basis, triangle = np.linalg.qr(h.T / scale)
    return Reduced(np.ascontiguousarray(triangle.T), basis, scale, data.support.numpy())


def weights(data: Reduced) -> Program:
    """Variables W and the levels: ``h_j.w_v = level_j`` on support, ``<= level_j - 1`` off it."""
    on, (m, r) = data.support.T.ravel(), data.factor.shape
    vocab = data.support.shape[1]
    levels = sp.vstack([sp.identity(m, format="csr")] * vocab)
    rows = sp.hstack([_diagonal([data.factor] * vocab), -levels], format="csr")
    size = vocab * r

    def refutation(x: Array, equal: Array, below: Array) -> Array:
        c = np.empty(len(on))
        c[on], c[~on] = -equal, -below
        return c.reshape(vocab, m).T

    return Program(
        sp.csc_matrix(sp.diags_array(np.append(np.ones(size), np.zeros(m)))),
        np.zeros(size + m),
        (rows[on].tocsc(), np.zeros(on.sum())),
        (rows[~on].tocsc(), -np.ones((~on).sum())),
        np.full(size + m, np.inf),
        lambda x: data.weights(x[:size].reshape(vocab, r)),
        refutation,
    )


def logits(data: Reduced) -> Program:
    """Variables the off-support logits, token by token, and the levels: ``L_jv <= level_j - 1``."""
    (m, vocab), factor = data.support.shape, data.factor
    inverse = scipy.linalg.solve_triangular(factor, np.identity(m), lower=True)
    inverse = inverse.T @ inverse
    off = [np.flatnonzero(~column) for column in data.support.T]
    own = _diagonal([np.triu(inverse[np.ix_(rows, rows)]) for rows in off])
    # the levels stand in for the logits on support
    cross = sp.vstack([sp.csr_array(inverse[rows] * data.support[:, v]) for v, rows in enumerate(off)])
    shared = inverse * (data.support.astype(float) @ data.support.T)
    contexts = np.concatenate(off)
    size = len(contexts)
    selected = sp.csr_array((np.ones(size), (np.arange(size), contexts)), shape=(size, m))
    places = contexts, np.repeat(np.arange(vocab), [len(rows) for rows in off])

    def decode(x: Array) -> Array:
        values = np.repeat(x[size:, None], vocab, axis=1)
        values[places] = x[:size]
        return data.weights(scipy.linalg.solve_triangular(factor, values, lower=True).T)

    return Program(
        sp.csc_matrix(sp.block_array([[own, cross], [None, sp.csr_array(np.triu(shared))]])),
        np.zeros(size + m),
        (sp.csc_array((0, size + m)), np.zeros(0)),
        (sp.hstack([sp.identity(size), -selected], format="csc"), -np.ones(size)),
        np.full(size + m, np.inf),
        decode,
    )


def dual(data: Reduced) -> Program:
    """Variables C, token by token: rows sum to 0, entries off support at most 0; ``W = C^T H``."""
    (m, vocab), factor = data.support.shape, data.factor
    on = data.support.T.ravel()
    sums = sp.hstack([sp.identity(m, format="csr")] * vocab, format="csc")
    return Program(
        sp.csc_matrix(_diagonal([np.triu(factor @ factor.T)] * vocab)),
        -on.astype(float),
        (sums, np.zeros(m)),
        (sp.csc_array((0, m * vocab)), np.zeros(0)),
        np.where(on, np.inf, 0.0),
        lambda x: data.weights(x.reshape(vocab, m) @ factor),
        lambda x, equal, below: x.reshape(vocab, m).T,
    )


def _diagonal(blocks: list[Array]) -> Any:
    """Sparse matrix with these dense blocks on its diagonal; structural zeros of triangles are dropped."""
    return sp.block_diag([sp.csr_array(block) for block in blocks], format="csr")


FORMULATIONS: dict[str, Callable[[Reduced], Program]] = {"weights": weights, "logits": logits, "dual": dual}
