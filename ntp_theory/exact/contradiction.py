"""Broken relations: integers y with ``sum y (h_j^T w_z + s_j) = 0`` for every decoder, but ``sum y log p`` not 0."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from torch import Tensor

from ..dataset import NTPDataset
from .multipliers import Entries, as_given, broken_rule, exact_multipliers
from .proof import Proof, document
from .rationals import NotExact, factors, log_sum, rational

__all__ = ["contradiction", "exponents", "is_broken", "prove_not_compatible", "relation_value"]

Exponents = Counter[int]
"""Prime to exponent."""


def prove_not_compatible(data: NTPDataset, contexts: Tensor, tokens: Tensor, coefficients: Tensor) -> Proof:
    """Whether an exact relation next to the given coefficients is broken by the conditionals.

    Parameters
    ----------
    data : NTPDataset
    contexts, tokens : Tensor (n,)
        Where the coefficients are not zero.
    coefficients : Tensor (n,)

    Returns
    -------
    Proof

    Notes
    -----
    Source: ours (`bias/compatibility-exact`).

    Examples
    --------
    >>> from ntp_theory import check_compatibility
    >>> c = check_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [3, 1]])).certificate
    >>> prove_not_compatible(c.data, c.contexts, c.tokens, c.coefficients).status
    'proved'
    """
    given, free = as_given(contexts, tokens, coefficients), [True] * len(contexts)
    outside = "" if bool(data.support[contexts, tokens].all()) else "an entry is off the supports"
    if broken := outside or broken_rule(data, given, free):
        return Proof("not compatible", "refuted", f"no relation of log-conditionals: {broken}", None)
    try:
        found = exact_multipliers(data, given, free)
    except NotExact as reason:
        return Proof("not compatible", "not certified", str(reason), None)
    if not is_broken(data, found):
        return Proof("not compatible", "refuted", "the conditionals satisfy the relation exactly", None)
    return Proof("not compatible", "proved", *contradiction(data, found))


def is_broken(data: NTPDataset, relation: Entries) -> bool:
    """Whether ``prod p^y`` is not 1, decided prime by prime."""
    product: dict[int, Any] = defaultdict(lambda: rational(0))
    for (_, _, y), powers in zip(relation, exponents(data, [(j, z) for j, z, _ in relation]), strict=True):
        for b, e in powers.items():
            product[b] += y * e
    return any(product.values())


def contradiction(data: NTPDataset, relation: Entries) -> tuple[str, dict[str, Any]]:
    """A broken relation in words, and as a certificate, in whole numbers."""
    common = math.lcm(*(int(y.q) for _, _, y in relation))
    whole = [int(y * common) for _, _, y in relation]
    divisor = math.gcd(*whole)
    coefficients = [[j, z, str(y // divisor)] for (j, z, _), y in zip(relation, whole, strict=True)]
    words = f"a relation of {len(relation)} log-conditionals that every decoder meets and the data does not"
    return words, document("not compatible", data, {"coefficients": coefficients}, masses=True)


def relation_value(document: dict[str, Any]) -> float:
    """``sum y log p`` of the relation in a "not compatible" certificate, divided by ``sum |y|``; nats.

    Examples
    --------
    >>> from ntp_theory import check_compatibility
    >>> answer = check_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [3, 1]]), exact=True)
    >>> round(abs(relation_value(answer.proof.document)), 6)
    0.047947
    """
    masses = {
        (j, z): Fraction(p)
        for j, (row, support) in enumerate(zip(document["data"]["masses"], document["data"]["supports"], strict=True))
        for p, z in zip(row, support, strict=True)
    }
    return log_sum([(int(y), masses[j, z]) for j, z, y in document["proof"]["coefficients"]])


def exponents(data: NTPDataset, entries: Sequence[tuple[int, int]]) -> list[Exponents]:
    """Exponents of the primes in the conditionals, up to a factor a context."""
    mass = data.masses.tolist()
    pairs = zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True)
    place = {pair: i for i, pair in enumerate(pairs)}
    out = []
    for entry in entries:
        ratio, powers = Fraction(mass[place[entry]]), Exponents()
        powers.update(factors(ratio.numerator))
        powers.subtract(factors(ratio.denominator))
        out.append(powers)
    return out
