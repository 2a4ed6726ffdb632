"""Exact multipliers: ``sum_j h_j c_j^T = 0`` and rows that sum to 0, in rationals next to those of a float certificate.

They prove that data is not separable (off-support entries negative), or not compatible (all entries in the supports).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..errors import UsageError
from .proof import Proof, document
from .rationals import NotExact, Row, primitive_rows, rational, snap

__all__ = [
    "Entries",
    "Given",
    "as_given",
    "broken_rule",
    "entries_in_words",
    "exact_multipliers",
    "prove_not_separable",
]

# A float certificate is taken for a rounding of an exact one up to this distance, relative to its largest entry.
ROUNDING = 1e-6

Given = tuple[int, int, float]
"""Context, token and coefficient in a float certificate."""
Entries = list[tuple[int, int, Any]]
"""Context, token and rational coefficient of what is not zero."""


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
    given = as_given(contexts, tokens, coefficients)
    free = data.support[contexts, tokens].tolist()
    broken = broken_rule(data, given, free) or ("all entries are in the supports" if all(free) else "")
    if broken:
        return Proof("not separable", "refuted", f"no Farkas certificate: {broken}", None)
    try:
        found = exact_multipliers(data, given, free)
    except NotExact as reason:
        return Proof("not separable", "not certified", str(reason), None)
    words = f"a combination of {len(found)} constraints that vanishes exactly"
    content = document("not separable", data, {"multipliers": entries_in_words(found)})
    return Proof("not separable", "proved", words, content)


def as_given(contexts: Tensor, tokens: Tensor, coefficients: Tensor) -> list[Given]:
    """The entries of a float certificate.

    Raises
    ------
    UsageError
        If an entry is given twice, or a coefficient is not finite.
    """
    given = list(zip(contexts.tolist(), tokens.tolist(), coefficients.double().tolist(), strict=True))
    if len({(j, v) for j, v, _ in given}) < len(given):
        raise UsageError("a certificate has two coefficients for one context and token; there must be one")
    if wrong := [c for _, _, c in given if not math.isfinite(c)]:
        raise UsageError(f"a certificate has the coefficient {wrong[0]}; every one must be finite")
    return given


def entries_in_words(entries: Entries) -> list[list[Any]]:
    """Entries with their values as strings, for a document."""
    return [[j, v, str(c)] for j, v, c in entries]


def broken_rule(data: NTPDataset, given: Sequence[Given], free: Sequence[bool]) -> str:
    """The rule that float multipliers break by more than rounding, if there is one: a sign, a row sum, stationarity."""
    c = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.float64)
    for j, v, value in given:
        c[j, v] = value
    h = data.embeddings.double().cpu()
    lengths = torch.where((norms := h.norm(dim=1)) > 0, norms, 1.0)
    slack = ROUNDING * float((c.abs().amax(1) * lengths).max())
    for (j, v, value), either in zip(given, free, strict=True):
        if not either and value * float(lengths[j]) > slack:
            return f"the entry of {data.token_name(v)} after {data.context_name(j)} is off the support and not negative"
    if bool((c.sum(1).abs() * lengths > slack).any()):
        return "the entries of a context do not sum to 0"
    if bool((c.T @ h).abs().amax() > slack):
        return "the combination of embeddings does not vanish"
    return ""


def exact_multipliers(data: NTPDataset, given: Sequence[Given], free: Sequence[bool]) -> Entries:
    """Exact multipliers next to the given ones.

    Parameters
    ----------
    data : NTPDataset
    given : sequence of (context, token, value)
    free : sequence of bool
        Which entries may have either sign; the others must be negative.

    Raises
    ------
    NotExact
        If none was found.
    """
    contexts = sorted({j for j, _, _ in given})
    embeddings, factors = primitive_rows(data.embeddings[contexts])
    rows, scale = dict(zip(contexts, embeddings, strict=True)), dict(zip(contexts, factors, strict=True))
    near = [c * float(scale[j]) for j, _, c in given]
    # entries are compared as terms of the sum, c ||h||
    length = [math.hypot(*rows[j]) or 1.0 for j, _, _ in given]
    terms = [abs(x) * y for x, y in zip(near, length, strict=True)]
    # Entries that are no pivots keep their value: try to keep those whose sign matters, then the large ones, whose
    # relative errors are small.
    orders = (
        sorted(range(len(given)), key=lambda i: (not free[i], -terms[i])),
        sorted(range(len(given)), key=terms.__getitem__),
    )
    equations = _equations(given, rows)
    reason = ""
    for order in orders:
        exact = snap(equations, [rational(0)] * len(equations), near, order)
        if exact is None:
            continue
        reason = _beyond(data, given, near, length, exact, free, ROUNDING * max(terms, default=0.0))
        if not reason:
            return [(j, v, c / scale[j]) for (j, v, _), c in zip(given, exact, strict=True) if c]
    raise NotExact(reason or "the equations are too hard for the primes at hand")


def _beyond(
    data: NTPDataset,
    given: Sequence[Given],
    near: Sequence[float],
    length: Sequence[float],
    exact: Sequence[Any],
    free: Sequence[bool],
    slack: float,
) -> str:
    """What keeps exact entries from standing for the given ones, if anything does."""
    for (j, v, _), x, size, c, either in zip(given, near, length, exact, free, strict=True):
        place = f"the entry of {data.token_name(v)} after {data.context_name(j)}"
        if abs(float(c) - x) * size > slack:
            return f"{place} would have to change by more than rounding"
        if not either and c >= 0:
            return f"{place} is off the support, and exactly it is not negative"
    return "" if any(exact) else "all entries are zero"


def _equations(given: Sequence[Given], rows: dict[int, list[int]]) -> list[Row]:
    """Rows of the linear system for the entries: d equations a token, one a context."""
    by_token: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    by_context: dict[int, dict[int, int]] = defaultdict(dict)
    for i, (j, v, _) in enumerate(given):
        by_context[j][i] = 1
        for k, x in enumerate(rows[j]):
            if x:
                by_token[v, k][i] = x
    return [*by_token.values(), *by_context.values()]
