"""NTP-compatibility decided in integers, for the conditionals as they are given: counts, or floats as dyadic rationals.

``log p_{j,z} = sum_b e_{jz,b} log b`` over the primes b that divide the numbers, and the logarithms of primes are
independent over the rationals. So (4) is solvable exactly if it is with the exponents of each prime on its right-hand
side, which are integers (`bias/compatibility-exact`). Where the constraints are independent every right-hand side is
met, whatever the conditionals.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from ..dataset import NTPDataset
from ..errors import SolverError
from .contradiction import contradiction, exponents, is_broken
from .multipliers import Entries
from .proof import Proof, document
from .rationals import PRIMES, NotExact, Row, echelon, primitive_rows, rank, rational, solve

__all__ = ["decide_compatibility"]


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
    for prime in PRIMES:
        try:
            return _Constraints(data, prime).decide()
        except NotExact:
            continue
    raise SolverError("ranks modulo the primes at hand are not those over the rationals", status="bad primes")


class _Constraints:
    """The equations ``h_j^T w_z + s_j = log p_{j,z}``, with ranks read off modulo one prime and then checked.

    Columns are the entries of W and then the levels; h_j is replaced by the primitive k_j, ``h_j = g_j k_j``, so that
    right-hand sides are divided by g_j.
    """

    def __init__(self, data: NTPDataset, prime: int) -> None:
        self._data, self._prime = data, prime
        self._embeddings, self._scale = primitive_rows(data.embeddings)
        self._entries = list(zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True))
        self._width = data.vocab_size * data.dim + data.num_contexts

    def decide(self) -> Proof:
        """Look for a broken relation among few contexts first, then among more, in the end among all."""
        relations = 0
        for chosen in self._growing():
            relations = 0
            for relation in self._relations(self._tied(chosen)):
                relations += 1
                if is_broken(self._data, relation):
                    return Proof("compatible", "refuted", *contradiction(self._data, relation))
        if relations:
            words = f"all {relations} relations of log-conditionals hold, prime by prime"
            return Proof("compatible", "proved", words, self._solved())
        words = "the constraints are independent, so all conditionals can be met"
        proof = {"independent_mod": str(self._prime)}
        return Proof("compatible", "proved", words, document("compatible", self._data, proof, masses=True))

    def _growing(self) -> Iterator[set[int]]:
        """Growing sets of contexts, large supports first."""
        order = self._data.pattern.sizes.argsort(descending=True, stable=True).tolist()
        count = 8
        while 2 * count <= len(order):
            yield set(order[:count])
            count *= 2
        yield set(order)

    def _tied(self, chosen: set[int]) -> list[tuple[int, int]]:
        """Entries that some relation may use: not those of tokens with independent contexts, nor single ones."""
        left, before = [entry for entry in self._entries if entry[0] in chosen], -1
        while len(left) != before:
            before = len(left)
            count = Counter(j for j, _ in left)
            left = [(j, z) for j, z in left if count[j] > 1]
            contexts_of: dict[int, list[int]] = defaultdict(list)
            for j, z in left:
                contexts_of[z].append(j)
            loose = {z for z, contexts in contexts_of.items() if self._independent(contexts)}
            left = [(j, z) for j, z in left if z not in loose]
        return left

    def _independent(self, contexts: list[int]) -> bool:
        rows = [dict(enumerate(self._embeddings[j])) for j in contexts]
        return rank(rows, self._data.dim) == len(rows)

    def _rows(self, entries: list[tuple[int, int]]) -> list[Row]:
        d, levels = self._data.dim, self._data.vocab_size * self._data.dim
        return [{levels + j: 1} | {z * d + k: x for k, x in enumerate(self._embeddings[j])} for j, z in entries]

    def _relations(self, entries: list[tuple[int, int]]) -> Iterator[Entries]:
        """A basis of the relations among the equations: each of the others as a sum of independent ones."""
        rows = self._rows(entries)
        independent, pivots = echelon(rows, self._width, self._prime)
        others = sorted(set(range(len(rows))) - set(independent))
        transposed = [{k: rows[i].get(c, 0) for k, i in enumerate(independent)} for c in pivots]
        done = 0
        while done < len(others):  # one at first, which is often enough, then in batches that grow
            batch = others[done : 2 * done + 1]
            right = [[rational(rows[i].get(c, 0)) for i in batch] for c in pivots]
            numerators, denominator = solve(transposed, range(len(independent)), right)
            for n, other in enumerate(batch):
                relation = {i: y[n] for i, y in zip(independent, numerators, strict=True) if y[n]}
                relation[other] = -denominator
                self._check_vanishes(rows, relation)
                yield [
                    (*entries[i], rational(1) * y / denominator / self._scale[entries[i][0]])
                    for i, y in relation.items()
                ]
            done += len(batch)

    def _check_vanishes(self, rows: list[Row], relation: dict[int, Any]) -> None:
        total: dict[int, Any] = defaultdict(int)
        for i, y in relation.items():
            for c, x in rows[i].items():
                total[c] += y * x
        if any(total.values()):
            raise NotExact("the rank is higher than it is modulo the prime")

    def _solved(self) -> dict[str, Any]:
        """Certificate with one rational decoder for each prime in the conditionals."""
        data, rows, powers = self._data, self._rows(self._entries), exponents(self._data, self._entries)
        base = sorted(set().union(*powers))
        right = [[e[b] / self._scale[j] for b in base] for e, (j, _) in zip(powers, self._entries, strict=True)]
        independent, pivots = echelon(rows, self._width, self._prime)
        numerators, denominator = solve([rows[i] for i in independent], pivots, [right[i] for i in independent])
        solution, zero = dict(zip(pivots, numerators, strict=True)), [0] * len(base)
        for row, wanted in zip(rows, right, strict=True):
            if any(
                sum(x * solution.get(c, zero)[n] for c, x in row.items()) != value * denominator
                for n, value in enumerate(wanted)
            ):
                raise NotExact("the rank is higher than it is modulo the prime")
        decoders = [
            [
                [str(rational(1) * solution.get(v * data.dim + k, zero)[n] / denominator) for k in range(data.dim)]
                for v in range(data.vocab_size)
            ]
            for n in range(len(base))
        ]
        rest = iter(powers)
        by_context = [[[e[b] for b in base] for e in (next(rest) for _ in tokens)] for tokens in data.pattern.rows()]
        proof = {"base": base, "exponents": by_context, "solutions": decoders}
        return document("compatible", data, proof, masses=True)
