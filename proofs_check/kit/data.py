"""Next-token data with rational entries and its exact objects: the subspace F, the margin constraints, W_mm."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import mpmath
import numpy as np

from .rational import Nearest, Vector, dot, nearest, null_space, project, rank

__all__ = ["Data", "as_matrix", "draw", "extensions", "sep_incompat", "standard"]

# Matrices (V, d) are flat lists here, row after row: entry (v, i) is at v * d + i.


@dataclass(frozen=True)
class Data:
    """Contexts with embeddings h_j (m, d), conditional probabilities p_j (m, V), and frequencies pi_j (m,)."""

    embeddings: Sequence[Sequence[Fraction]]
    probabilities: Sequence[Sequence[Fraction]]
    weights: Sequence[Fraction]

    @property
    def vocab_size(self) -> int:
        """V."""
        return len(self.probabilities[0])

    @property
    def dim(self) -> int:
        """d."""
        return len(self.embeddings[0])

    @cached_property
    def supports(self) -> list[list[int]]:
        """S_j."""
        return [[z for z, p in enumerate(row) if p] for row in self.probabilities]

    def lift(self, context: int, token: int, other: int) -> Vector:
        """``(e_token - e_other) h_context^T``, flat."""
        h, entries = self.embeddings[context], [Fraction(0)] * (self.vocab_size * self.dim)
        for i, x in enumerate(h):
            entries[token * self.dim + i] += x
            entries[other * self.dim + i] -= x
        return entries

    @cached_property
    def generators(self) -> list[Vector]:
        """``(e_z - e_z') h_j^T`` with one anchor z a context: they span F (`bias/data-subspace`)."""
        return [self.lift(j, s[0], z) for j, s in enumerate(self.supports) for z in s[1:]]

    @cached_property
    def margins(self) -> dict[tuple[int, int], Vector]:
        """``(e_z - e_v) h_j^T`` for the first z of each support and every v off it, under (j, v)."""
        off = [(j, v) for j, s in enumerate(self.supports) for v in range(self.vocab_size) if v not in s]
        return {(j, v): self.lift(j, self.supports[j][0], v) for j, v in off}

    @cached_property
    def dim_subspace(self) -> int:
        """dim F."""
        return rank(self.generators)

    @cached_property
    def complement(self) -> list[Vector]:
        """A basis of the orthogonal complement of F."""
        size = self.vocab_size * self.dim
        return null_space(self.generators or [[Fraction(0)] * size])

    def project(self, matrix: Sequence[Fraction]) -> Vector:
        """P_F of a flat matrix."""
        return project(self.generators, matrix)

    @cached_property
    def svm(self) -> Nearest:
        """The NTP-SVM, exactly: W_mm and its multipliers in the order of `margins`, or a Farkas vector."""
        rows = list(self.margins.values())
        return nearest([[a - b for a, b in zip(row, self.project(row), strict=True)] for row in rows])

    def logits(self, matrix: Sequence[Fraction]) -> list[Vector]:
        """``W h_j`` for every context."""
        rows = [matrix[v * self.dim : (v + 1) * self.dim] for v in range(self.vocab_size)]
        return [[dot(row, h) for row in rows] for h in self.embeddings]

    def loss(self, matrix: Sequence[Fraction]) -> mpmath.mpf:
        """CE(W) at the working precision of mpmath."""
        total = mpmath.mpf(0)
        for weight, row, logits in zip(self.weights, self.probabilities, self.logits(matrix), strict=True):
            values = [_mpf(x) for x in logits]
            level = mpmath.log(mpmath.fsum(mpmath.exp(x) for x in values))
            total += _mpf(weight) * mpmath.fsum(_mpf(p) * (level - x) for p, x in zip(row, values, strict=True) if p)
        return total

    @property
    def entropy(self) -> mpmath.mpf:
        """H in nats."""
        rows = zip(self.weights, self.probabilities, strict=True)
        return -mpmath.fsum(_mpf(w * p) * mpmath.log(_mpf(p)) for w, row in rows for p in row if p)


def draw(
    seed: int, vocab_size: int, dim: int, contexts: int, sizes: Sequence[int], *, entries: int = 3, uniform: bool = True
) -> Data:
    """Random data: integer embeddings up to ``entries``, distinct; supports of the given sizes; counts from 1 to 9.

    Examples
    --------
    >>> data = draw(0, vocab_size=4, dim=3, contexts=3, sizes=[2])
    >>> [len(s) for s in data.supports], data.dim_subspace
    ([2, 2, 2], 3)
    """
    rng = random.Random(seed)
    embeddings: list[list[Fraction]] = []
    while len(embeddings) < contexts:
        h = [Fraction(rng.randint(-entries, entries)) for _ in range(dim)]
        if any(h) and h not in embeddings:
            embeddings.append(h)
    rows = []
    for _ in range(contexts):
        support = rng.sample(range(vocab_size), rng.choice(list(sizes)))
        counts = [rng.randint(1, 9) if v in support else 0 for v in range(vocab_size)]
        rows.append([Fraction(c, sum(counts)) for c in counts])
    masses = [1 if uniform else rng.randint(1, 9) for _ in range(contexts)]
    return Data(embeddings, rows, [Fraction(c, sum(masses)) for c in masses])


def extensions(data: Data) -> list[Data]:
    """The data with ever larger supports, the last of them extended (`bias/any-data`); probabilities become uniform.

    While the NTP-SVM is infeasible, multipliers u >= 0, not all 0, make sum u_i a_i vanish modulo F. A matrix with
    <a_i, W> >= 0 throughout and W orthogonal to F then has <a_i, W> = 0 where u_i > 0: these tokens join the supports.
    In the end the NTP-SVM is feasible: its answer is strict wherever such a matrix can be.

    Examples
    --------
    >>> one = Fraction(1)
    >>> data = Data([[one], [-one]], [[one, 0, 0], [one, 0, 0]], [one / 2, one / 2])
    >>> [stage.supports for stage in extensions(data)]
    [[[0], [0]], [[0, 1], [0, 1]], [[0, 1, 2], [0, 1, 2]]]
    """
    chain = [data]
    while chain[-1].margins and chain[-1].svm.point is None:
        last = chain[-1]
        multipliers = zip(last.margins, last.svm.multipliers, strict=True)
        joining = {pair for pair, multiplier in multipliers if multiplier}
        rows = []
        for j, support in enumerate(last.supports):
            support = [v for v in range(data.vocab_size) if v in support or (j, v) in joining]
            rows.append([Fraction(v in support, len(support)) for v in range(data.vocab_size)])
        chain.append(Data(data.embeddings, rows, data.weights))
    return chain


def sep_incompat() -> Data:
    """The instance SEP-INCOMPAT: separable and not compatible."""
    embeddings = [(10, 3), (2, 10), (12, 13)]
    probabilities = [(16, 4, 0), (6, 14, 0), (7, 13, 0)]
    return Data(
        [[Fraction(x, 10) for x in row] for row in embeddings],
        [[Fraction(x, 20) for x in row] for row in probabilities],
        [Fraction(x, 10) for x in (3, 3, 4)],
    )


def standard(seed: int, vocab_size: int, dim: int, contexts: int, size: int, *, bits: int = 12) -> Data:
    """The standard recipe (Gaussian embeddings, then supports and gamma weights), rounded to multiples of 2**-bits.

    Probabilities are rounded to counts out of 2**bits, at least 1 on the support; TINY is (1, 5, 8, 6, 2), LEMMA5
    is (3, 5, 10, 8, 2), A2 is (0, 10, 60, 50, 6), up to that rounding.
    """
    rng, unit = np.random.default_rng(seed), 2**bits
    h = rng.standard_normal((dim, contexts)).T
    supports = [set(rng.choice(vocab_size, size, replace=False).tolist()) for _ in range(contexts)]
    gamma = rng.gamma(1.0, size=(vocab_size, contexts)).T + 0.05
    probabilities = []
    for support, masses in zip(supports, gamma, strict=True):
        total = math.fsum(masses[z] for z in support)
        counts = [max(1, round(masses[v] / total * unit)) if v in support else 0 for v in range(vocab_size)]
        probabilities.append([Fraction(c, sum(counts)) for c in counts])
    embeddings = [[Fraction(round(x * unit), unit) for x in row] for row in h.tolist()]
    return Data(embeddings, probabilities, [Fraction(1, contexts)] * contexts)


def as_matrix(flat: Sequence[Fraction], dim: int) -> list[Vector]:
    """The rows of a flat matrix."""
    return [list(flat[i : i + dim]) for i in range(0, len(flat), dim)]


def _mpf(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator
