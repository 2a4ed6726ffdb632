"""NTP-compatibility decided in integers, for the conditionals as they are given: counts, or floats as dyadic rationals.

``log p_{j,z} = sum_b e_{jz,b} log b`` over the primes b that divide the numbers, and the logarithms of primes are
independent over the rationals. So (4) is solvable exactly if it is with the exponents of each prime on its right-hand
side, which are integers (`bias/compatibility-exact`). Where the constraints are independent every right-hand side is
met, whatever the conditionals.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from ..dataset import NTPDataset
from .multipliers import Entries, exact_multipliers
from .proof import Proof, document
from .rationals import PRIME, Row, echelon, factors, log_sum, primitive_rows, rank, rational, solve

__all__ = ["decide_compatibility", "prove_not_compatible", "relation_value"]

Exponents = Counter[int]
"""Prime to exponent."""


def decide_compatibility(data: NTPDataset) -> Proof:
    """Whether (4) has a solution: "compatible" is proved or refuted.

    Parameters
    ----------
    data : NTPDataset

    Returns
    -------
    Proof
        Its document is a certificate of "compatible" or of "not compatible".

    Raises
    ------
    SolverError
        If more than 1500 independent constraints are tied together.

    Notes
    -----
    Source: ours (`bias/compatibility-exact`).

    Examples
    --------
    >>> decide_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [4, 1]])).status
    'proved'
    >>> decide_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [3, 1]])).status
    'refuted'
    """
    embeddings, scale = primitive_rows(data.embeddings)
    columns = data.vocab_size * data.dim + data.num_contexts
    ties = 0
    for chosen in _growing(data):
        entries = _tied([entry for entry in _entries(data) if entry[0] in chosen], embeddings)
        rows = _rows(entries, embeddings, data)
        independent, pivots = echelon(rows, columns)
        ties = len(rows) - len(independent)
        if not ties:
            continue
        exponents = _exponents(data, entries)
        base = sorted(set().union(*exponents))
        right = [[e[b] / scale[j] for b in base] for (j, _), e in zip(entries, exponents, strict=True)]
        for relation in _relations(rows, independent, pivots):
            if any(sum(y * right[i][k] for i, y in relation.items()) for k in range(len(base))):
                places = ((*entries[i], y) for i, y in relation.items())
                words, content = _contradiction(data, [(j, z, y / scale[j]) for j, z, y in places])
                return Proof("compatible", "refuted", words, content)
    if not ties:
        words = "the constraints are independent, so all conditionals can be met"
        proof = {"independent_mod": str(PRIME)}
        return Proof("compatible", "proved", words, document("compatible", data, proof, masses=True))
    words = f"all {ties} relations of log-conditionals hold, prime by prime"
    return Proof("compatible", "proved", words, _solved(data, embeddings, scale))


def prove_not_compatible(data: NTPDataset, given: Sequence[tuple[int, int, float]]) -> Proof:
    """Whether an exact relation next to the given coefficients contradicts the conditionals.

    Parameters
    ----------
    data : NTPDataset
    given : sequence of (context, token, coefficient)

    Returns
    -------
    Proof
        "refuted" if there is no such relation; that does not make the data compatible.

    Notes
    -----
    Source: ours (`bias/compatibility-exact`).

    Examples
    --------
    >>> data = NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [3, 1]])
    >>> prove_not_compatible(data, [(0, 0, 0.4), (0, 1, -0.4), (1, 0, -0.2), (1, 1, 0.2)]).status
    'proved'
    """
    found = exact_multipliers(data, given, [True] * len(given))
    if isinstance(found, str):
        return Proof("not compatible", "refuted", f"no relation of log-conditionals: {found}", None)
    product: dict[int, Any] = defaultdict(lambda: rational(0))
    for (_, _, y), powers in zip(found, _exponents(data, [(j, z) for j, z, _ in found]), strict=True):
        for b, e in powers.items():
            product[b] += y * e
    if not any(product.values()):
        return Proof("not compatible", "refuted", "the relation holds for the conditionals", None)
    return Proof("not compatible", "proved", *_contradiction(data, found))


def relation_value(document: dict[str, Any]) -> float:
    """``sum y log p`` of the relation in a "not compatible" certificate, divided by ``sum |y|``; nats.

    Examples
    --------
    >>> round(relation_value(decide_compatibility(NTPDataset.from_counts([[1], [2]], [[2, 1], [3, 1]])).document), 6)
    -0.047947
    """
    masses = {
        (j, z): Fraction(p)
        for j, (row, support) in enumerate(zip(document["data"]["masses"], document["data"]["supports"], strict=True))
        for p, z in zip(row, support, strict=True)
    }
    return log_sum([(int(y), masses[j, z]) for j, z, y in document["proof"]["coefficients"]])


def _contradiction(data: NTPDataset, relation: Entries) -> tuple[str, dict[str, Any]]:
    """A broken relation in words, and as a certificate, in whole numbers."""
    common = math.lcm(*(int(y.q) for _, _, y in relation))
    whole = [int(y * common) for _, _, y in relation]
    divisor = math.gcd(*whole)
    coefficients = [[j, z, str(y // divisor)] for (j, z, _), y in zip(relation, whole, strict=True)]
    words = f"a relation of {len(relation)} log-conditionals that every decoder meets and the data does not"
    return words, document("not compatible", data, {"coefficients": coefficients}, masses=True)


def _relations(rows: list[Row], independent: list[int], pivots: list[int]) -> Iterator[dict[int, Any]]:
    """For each other row, how it is a sum of the independent ones: coefficients that make 0."""
    others = sorted(set(range(len(rows))) - set(independent))
    transposed = [{k: rows[i][c] for k, i in enumerate(independent) if c in rows[i]} for c in pivots]
    done = 0
    while done < len(others):  # one at first, which is often enough, then in batches that grow
        batch = others[done : 2 * done + 1]
        right = [[rational(rows[i].get(c, 0)) for i in batch] for c in pivots]
        numerators, denominator = solve(transposed, range(len(independent)), right)
        for n, row in enumerate(batch):
            used = ((i, y[n]) for i, y in zip(independent, numerators, strict=True) if y[n])
            yield {i: rational(1) * y / denominator for i, y in used} | {row: rational(-1)}
        done += len(batch)


def _solved(data: NTPDataset, embeddings: list[list[int]], scale: list[Any]) -> dict[str, Any]:
    """Certificate with one rational decoder for each prime in the conditionals."""
    entries = _entries(data)
    rows, exponents = _rows(entries, embeddings, data), _exponents(data, entries)
    base = sorted(set().union(*exponents))
    independent, pivots = echelon(rows, data.vocab_size * data.dim + data.num_contexts)
    right = [[exponents[i][b] / scale[entries[i][0]] for b in base] for i in independent]
    numerators, denominator = solve([rows[i] for i in independent], pivots, right)
    solution = dict(zip(pivots, numerators, strict=True))
    zero = [0] * len(base)
    decoders = [
        [
            [str(rational(1) * solution.get(v * data.dim + k, zero)[n] / denominator) for k in range(data.dim)]
            for v in range(data.vocab_size)
        ]
        for n in range(len(base))
    ]
    starts = [*data.pattern.starts.tolist(), len(entries)]
    by_context = [
        [[exponents[i][b] for b in base] for i in range(a, z)] for a, z in zip(starts, starts[1:], strict=False)
    ]
    proof = {"base": base, "exponents": by_context, "solutions": decoders}
    return document("compatible", data, proof, masses=True)


def _entries(data: NTPDataset) -> list[tuple[int, int]]:
    """Context and token of each entry of the supports."""
    return list(zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True))


def _rows(entries: list[tuple[int, int]], embeddings: list[list[int]], data: NTPDataset) -> list[Row]:
    """The equations ``h_j^T w_z + s_j = right``: columns are the entries of W, then the levels."""
    levels = data.vocab_size * data.dim
    return [{levels + j: 1} | {z * data.dim + k: x for k, x in enumerate(embeddings[j]) if x} for j, z in entries]


def _tied(entries: list[tuple[int, int]], embeddings: list[list[int]]) -> list[tuple[int, int]]:
    """Entries that some relation may use: not those of tokens with independent contexts, nor single ones."""
    left, before = entries, -1
    while len(left) != before:
        before = len(left)
        single = Counter(j for j, _ in left)
        left = [(j, z) for j, z in left if single[j] > 1]
        contexts_of: dict[int, list[int]] = defaultdict(list)
        for j, z in left:
            contexts_of[z].append(j)
        loose = {
            z
            for z, contexts in contexts_of.items()
            if rank([dict(enumerate(embeddings[j])) for j in contexts], len(embeddings[0])) == len(contexts)
        }
        left = [(j, z) for j, z in left if z not in loose]
    return left


def _growing(data: NTPDataset) -> Iterator[set[int]]:
    """Growing sets of contexts, large supports first: a relation among few of them refutes the whole."""
    order = data.pattern.sizes.argsort(descending=True, stable=True).tolist()
    count = 8
    while 2 * count <= len(order):
        yield set(order[:count])
        count *= 2
    yield set(order)


def _exponents(data: NTPDataset, entries: Sequence[tuple[int, int]]) -> list[Exponents]:
    """Exponents of the primes in the conditionals, up to a factor a context."""
    mass = (data.conditionals.double() if data.counts is None else data.counts).tolist()
    place = {entry: i for i, entry in enumerate(_entries(data))}
    out = []
    for entry in entries:
        ratio, powers = Fraction(mass[place[entry]]), Exponents()
        powers.update(factors(ratio.numerator))
        powers.subtract(factors(ratio.denominator))
        out.append(powers)
    return out
