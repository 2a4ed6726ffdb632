"""Decisions in rational arithmetic: floats are taken for the dyadic rationals that they are, and nothing is rounded.

The claims run without the extra ``exact``, and hold the library against code that it does not share: this is sympy on
small data, `ntp_theory.exact` is what users call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from sympy import GF, QQ
from sympy.polys.matrices import DomainMatrix
from torch import Tensor

from ..conditions import FarkasCertificate
from ..dataset import NTPDataset

__all__ = [
    "Rows",
    "generators",
    "is_compatible",
    "is_farkas",
    "is_full_rank",
    "log_odds_relations",
    "project",
    "rank",
    "separates",
    "snap",
    "to_fractions",
]

Rows = list[list[Fraction]]


def to_fractions(matrix: Tensor) -> Rows:
    """The entries of a matrix as the rationals that they are."""
    return [[Fraction(x) for x in row] for row in matrix.double().tolist()]


def rank(rows: Rows) -> int:
    """Rank over the rationals.

    Examples
    --------
    >>> rank([[Fraction(1), Fraction(2)], [Fraction(1, 3), Fraction(2, 3)]])
    1
    """
    return int(_matrix(rows).rank()) if rows else 0


def is_full_rank(rows: Rows) -> bool:
    """Whether the rows are independent modulo a large prime, which proves that they are; False decides nothing.

    Examples
    --------
    >>> is_full_rank([[Fraction(1, 2), Fraction(1)], [Fraction(1), Fraction(1)]])
    True
    """
    scale = math.lcm(*(x.denominator for row in rows for x in row))
    field = GF(2**61 - 1)
    entries = [[field(int(x * scale)) for x in row] for row in rows]
    return int(DomainMatrix(entries, (len(rows), len(rows[0])), field).rank()) == len(rows)


def snap(equations: Rows, point: Sequence[float]) -> list[Fraction]:
    """The exact solution of homogeneous equations that shares its free coordinates with a rounded one.

    Examples
    --------
    >>> snap([[Fraction(3), Fraction(-1)]], [0.333, 1.0])
    [Fraction(1, 3), Fraction(1, 1)]
    """
    solution = [Fraction(x) for x in point]
    if not equations:
        return solution
    reduced, pivots = _matrix(equations).rref()
    free = [i for i in range(len(solution)) if i not in pivots]
    for row, pivot in zip(_fractions(reduced), pivots, strict=False):
        solution[pivot] = -sum((row[i] * solution[i] for i in free), Fraction(0))
    return solution


def project(rows: Rows, vector: Sequence[Fraction]) -> list[Fraction]:
    """Orthogonal projection of a vector on the span of the rows.

    Examples
    --------
    >>> project([[Fraction(1), Fraction(1)]], [Fraction(1), Fraction(0)])
    [Fraction(1, 2), Fraction(1, 2)]
    """
    basis = [rows[i] for i in _matrix(rows).transpose().rref()[1]] if rows else []
    if not basis:
        return [Fraction(0)] * len(vector)
    b = _matrix(basis)
    target = b * _matrix([[x] for x in vector])
    coefficients = (b * b.transpose()).lu_solve(target)
    return [row[0] for row in _fractions(b.transpose() * coefficients)]


def generators(data: NTPDataset) -> Rows:
    """The flattened matrices ``(e_z - e_a) h_j^T``, z in S_j, a its first token; rows of the system (4)."""
    embeddings = to_fractions(data.embeddings)
    rows = []
    for j, z, a in _differences(data):
        row = [Fraction(0)] * (data.vocab_size * data.dim)
        row[z * data.dim : (z + 1) * data.dim] = embeddings[j]
        row[a * data.dim : (a + 1) * data.dim] = [-x for x in embeddings[j]]
        rows.append(row)
    return rows


def log_odds_relations(data: NTPDataset) -> list[tuple[list[int], Fraction]]:
    """Integer relations y among the `generators`, each with ``prod (p_z / p_a)^y``, for data made from counts.

    The data is compatible exactly if every product is 1 (`bias/compatibility-exact`). The products are written out, so
    the embeddings must be such that the relations are small.
    """
    rows = generators(data)
    if not rows:
        return []
    assert data.counts is not None
    entries = zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True)
    counts = dict(zip(entries, data.counts.tolist(), strict=True))
    odds = [Fraction(counts[j, z], counts[j, a]) for j, z, a in _differences(data)]
    relations = []
    for relation in _fractions(_matrix(rows).transpose().nullspace()):
        scale = math.lcm(*(x.denominator for x in relation))
        whole = [int(x * scale) for x in relation]
        y = [x // math.gcd(*whole) for x in whole]
        relations.append((y, math.prod((o**power for o, power in zip(odds, y, strict=True)), start=Fraction(1))))
    return relations


def is_compatible(data: NTPDataset) -> bool:
    """Solvability of (4), decided in integers."""
    return all(product == 1 for _, product in log_odds_relations(data))


def separates(data: NTPDataset, direction: Tensor) -> bool:
    """Whether the exact point of F_perp next to ``direction`` has positive margins: a proof of separability."""
    flat = snap(generators(data), direction.flatten().tolist())
    decoder = [flat[v * data.dim : (v + 1) * data.dim] for v in range(data.vocab_size)]
    for inside, h in zip(data.support.tolist(), to_fractions(data.embeddings), strict=True):
        logits = [sum((w * x for w, x in zip(row, h, strict=True)), Fraction(0)) for row in decoder]
        level = {logit for logit, kept in zip(logits, inside, strict=True) if kept}
        off = [logit for logit, kept in zip(logits, inside, strict=True) if not kept]
        if len(level) != 1 or (off and not max(off) < min(level)):
            return False
    return True


def is_farkas(data: NTPDataset, certificate: FarkasCertificate) -> bool:
    """Whether exact multipliers next to those of the certificate satisfy all its rules: a proof of non-separability."""
    contexts, tokens = certificate.contexts.tolist(), certificate.tokens.tolist()
    embeddings, zero = to_fractions(data.embeddings), Fraction(0)
    stationary = [
        [embeddings[j][i] if v == token else zero for j, v in zip(contexts, tokens, strict=True)]
        for token in set(tokens)
        for i in range(data.dim)
    ]
    row_sums = [[Fraction(j == context) for j in contexts] for context in set(contexts)]
    exact = snap(stationary + row_sums, certificate.coefficients.tolist())
    inside = data.support[certificate.contexts, certificate.tokens].tolist()
    off = [c for c, kept in zip(exact, inside, strict=True) if not kept]
    return bool(off) and all(c <= 0 for c in off) and any(c < 0 for c in off)


def _differences(data: NTPDataset) -> list[tuple[int, int, int]]:
    """The triples (j, z, a): z in S_j other than its first token a."""
    anchors = data.pattern.anchors.tolist()
    entries = zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True)
    return [(j, z, anchors[j]) for j, z in entries if z != anchors[j]]


def _matrix(rows: Rows) -> DomainMatrix:
    entries = [[QQ(x.numerator, x.denominator) for x in row] for row in rows]
    return DomainMatrix(entries, (len(rows), len(rows[0])), QQ)


def _fractions(matrix: DomainMatrix) -> Rows:
    return [[Fraction(int(x.numerator), int(x.denominator)) for x in row] for row in matrix.to_list()]
