"""Exact multipliers: ``sum_j h_j c_j^T = 0`` and rows that sum to 0, in rationals next to those of a float certificate.

They prove that data is not separable (off-support entries negative), or not compatible (all entries in the supports).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..dataset import NTPDataset
from .proof import Proof, document
from .rationals import Row, primitive_rows, rational, snap

__all__ = ["Entries", "exact_multipliers", "prove_not_separable"]

# A float certificate is taken for a rounding of an exact one up to this distance, relative to its largest entry.
ROUNDING = 1e-6

Entries = list[tuple[int, int, Any]]
"""Context, token and value of what is not zero."""


def prove_not_separable(data: NTPDataset, contexts: Tensor, tokens: Tensor, coefficients: Tensor) -> Proof:
    """Whether some exact Farkas certificate rounds to the given multipliers.

    Parameters
    ----------
    data : NTPDataset
    contexts, tokens : Tensor (n,)
        Where the multipliers are not zero.
    coefficients : Tensor (n,)

    Returns
    -------
    Proof
        "refuted" if no exact certificate with these entries is within rounding of them.

    Notes
    -----
    Source: Farkas' lemma on 2402.18551 Definition 2 (`bias/definition-2`).

    Examples
    --------
    >>> from ntp_theory import check_separability
    >>> c = check_separability(NTPDataset([[0.1], [0.3]], [[1.0, 0.0], [0.0, 1.0]])).certificate
    >>> proof = prove_not_separable(c.data, c.contexts, c.tokens, c.coefficients)
    >>> proof.status, len(proof.document["proof"]["multipliers"])
    ('proved', 4)
    """
    inside = data.support[contexts, tokens].tolist()
    if all(inside):
        return Proof("not separable", "refuted", "no Farkas certificate: all entries are in the supports", None)
    given = list(zip(contexts.tolist(), tokens.tolist(), coefficients.double().tolist(), strict=True))
    found = exact_multipliers(data, given, inside)
    if isinstance(found, str):
        return Proof("not separable", "refuted", f"no Farkas certificate: {found}", None)
    words = f"a combination of {len(found)} constraints that vanishes exactly"
    return Proof("not separable", "proved", words, document("not separable", data, {"multipliers": in_words(found)}))


def in_words(entries: Entries) -> list[list[Any]]:
    """Entries with their values as strings, for a document."""
    return [[j, v, str(c)] for j, v, c in entries]


def exact_multipliers(data: NTPDataset, given: Sequence[tuple[int, int, float]], free: Sequence[bool]) -> Entries | str:
    """Exact multipliers next to the given ones, or the rule that none meets.

    Parameters
    ----------
    data : NTPDataset
    given : sequence of (context, token, value)
    free : sequence of bool
        Which entries may have either sign; the others must be negative, and there must be some if not all are free.
    """
    contexts = sorted({j for j, _, _ in given})
    embeddings, factors = primitive_rows(data.embeddings[contexts])
    rows, scale = dict(zip(contexts, embeddings, strict=True)), dict(zip(contexts, factors, strict=True))
    near = [c * float(scale[j]) for j, _, c in given]
    # entries are compared as terms of the sum, c ||h||
    length = [math.hypot(*rows[j]) or 1.0 for j, _, _ in given]
    largest = max((abs(x) * y for x, y in zip(near, length, strict=True)), default=0.0)
    # signs are decided by entries that keep their value, so make the others pivots
    order = sorted(range(len(given)), key=lambda i: (not free[i], -abs(near[i]) * length[i]))
    equations = _equations(given, rows)
    exact = snap(equations, [rational(0)] * len(equations), near, order)
    assert exact is not None, "a homogeneous system has a solution"
    entries: Entries = []
    for (j, v, value), x, size, c, either in zip(given, near, length, exact, free, strict=True):
        place = f"the entry of {data.token_name(v)} after {data.context_name(j)}"
        if abs(float(c) - x) * size > ROUNDING * largest:
            return f"{place} is {value:.6g}, but {float(c / scale[j]):.6g} makes the combination vanish"
        if not either and c >= 0:
            return f"{place} is off the support and not negative"
        if c:
            entries.append((j, v, c / scale[j]))
    return entries or "all entries are zero"


def _equations(given: Sequence[tuple[int, int, float]], rows: dict[int, list[int]]) -> list[Row]:
    """Rows of the linear system for the entries: d equations a token, one a context."""
    by_token: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    by_context: dict[int, dict[int, int]] = defaultdict(dict)
    for i, (j, v, _) in enumerate(given):
        by_context[j][i] = 1
        for k, x in enumerate(rows[j]):
            if x:
                by_token[v, k][i] = x
    return [*by_token.values(), *by_context.values()]
