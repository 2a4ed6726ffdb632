"""Supports of two tokens as a graph: its edges fit into d forests exactly if every conditional is compatible."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..doors import instance, whole
from ..errors import UsageError
from ..support import SupportPattern

__all__ = ["ForestDecomposition", "forest_decomposition", "generic_rank"]

Edge = tuple[int, int]


@dataclass(frozen=True)
class ForestDecomposition:
    """Answer of `forest_decomposition`; what it says of the graph is proved by `verify`.

    Attributes
    ----------
    edges : tuple of (int, int)
        The two tokens of every context.
    dim : int
        d, the number of forests.
    forests : tuple of d tuples of int
        Contexts whose edges make each forest. No d forests hold more contexts altogether.
    leftover : tuple of int
        Contexts in none of the forests.
    crowd : tuple of int
        Contexts T that fill up the forests wherever they are: ``d r(T) + |E - T| = rank``, which bounds the rank of the
        whole from above. Empty if nothing is left over.
    crowded_tokens : tuple of int
        Tokens X with more than ``d (|X| - 1)`` contexts among them, so that these cannot be independent. Empty if
        nothing is left over.
    """

    edges: tuple[Edge, ...]
    dim: int
    forests: tuple[tuple[int, ...], ...]
    leftover: tuple[int, ...]
    crowd: tuple[int, ...]
    crowded_tokens: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Dimension of F for generic embeddings, ``min_T d r(T) + |E - T|``."""
        return len(self.edges) - len(self.leftover)

    @property
    def independent(self) -> bool:
        """Whether every conditional on these supports is compatible with generic embeddings."""
        return not self.leftover

    def verify(self) -> bool:
        """Check both proofs by counting: the forests give the rank from below, T from above, X says why not all."""
        placed = [context for forest in self.forests for context in forest]
        packed = (
            len(self.forests) == self.dim
            and sorted([*placed, *self.leftover]) == list(range(len(self.edges)))
            and all(_graphic_rank(self._select(forest)) == len(forest) for forest in self.forests)
        )
        crowd = set(self.crowd)
        bound = self.dim * _graphic_rank(self._select(crowd)) + len(self.edges) - len(crowd)
        tokens = set(self.crowded_tokens)
        among = sum(a in tokens and b in tokens for a, b in self.edges)
        crowded = among > self.dim * max(len(tokens) - 1, 0) if self.leftover else not tokens
        return packed and bound == self.rank and crowded

    def summary(self) -> str:
        """The answer in words."""
        if self.independent:
            return f"independent: {len(self.edges)} contexts decompose into {self.dim} forests"
        tokens, most = len(self.crowded_tokens), self.dim * (len(self.crowded_tokens) - 1)
        return (
            f"dependent: generic rank {self.rank} of {len(self.edges)} contexts; "
            f"more than {most} contexts lie among {tokens} tokens"
        )

    def _select(self, contexts: Iterable[int]) -> list[Edge]:
        return [self.edges[context] for context in contexts]


def forest_decomposition(edges: SupportPattern | Sequence[Edge], dim: int) -> ForestDecomposition:
    """Pack the contexts of a support pattern into d forests, or prove that they do not fit.

    Every context has two tokens: an edge of a graph on the tokens, where several contexts may share a pair. For generic
    embeddings of dimension d the generators of F are independent, so that *every* conditional is compatible, exactly if
    the edges decompose into d forests.

    Parameters
    ----------
    edges : SupportPattern or sequence of (int, int)
        The supports, ``S_j = 2`` for all j, or the two tokens of every context.
    dim : int
        d.

    Returns
    -------
    ForestDecomposition
        The forests, or tokens X with more than ``d (|X| - 1)`` contexts among them; and the generic rank.

    Raises
    ------
    UsageError
        If a context does not have two different tokens, or ``dim`` is not a whole number >= 1.

    Notes
    -----
    Source: ours (`bias/compatibility-count`). The condition on X is that of C. St. J. A. Nash-Williams (1964), the
    algorithm J. Edmonds' matroid partition (1965): an edge that closes a cycle in every forest asks edges of those
    cycles to move to other forests, along a shortest chain.

    Examples
    --------
    >>> triangle = [(0, 1), (1, 2), (0, 2)]
    >>> forest_decomposition(triangle, dim=2).forests
    ((0, 1), (2,))
    >>> found = forest_decomposition(triangle, dim=1)
    >>> found.rank, found.crowded_tokens, found.verify()
    (2, (0, 1, 2), True)
    """
    edges, dim = _two_tokens(edges), whole("dim", dim, at_least=1)
    packing, leftover = _Packing(edges, dim), []
    crowds: list[tuple[set[int], set[int]]] = []  # contexts, and the tokens between which no more fit
    for context, (a, b) in enumerate(edges):
        crowd = next((crowd for crowd, tokens in crowds if a in tokens and b in tokens), None)
        if crowd is None:
            if not (crowd := packing.place(context)):
                continue
            crowds.append((crowd, {token for other in crowd for token in edges[other]}))
        crowd.add(context)
        leftover.append(context)
    return ForestDecomposition(
        edges,
        dim,
        tuple(tuple(i for i in range(len(edges)) if packing.home[i] == forest) for forest in range(dim)),
        tuple(leftover),
        tuple(sorted(set().union(*(crowd for crowd, _ in crowds)))),
        tuple(sorted(crowds[0][1])) if crowds else (),
    )


def generic_rank(edges: SupportPattern | Sequence[Edge], dim: int) -> int:
    """Dimension of F for supports of two tokens and generic embeddings, ``min_T d r(T) + |E - T|``.

    Parameters
    ----------
    edges, dim
        As in `forest_decomposition`.

    Returns
    -------
    int
        The largest number of contexts that d forests hold. r is the rank of the graphic matroid.

    Raises
    ------
    UsageError
        If a context does not have two different tokens, or ``dim`` is not a whole number >= 1.

    Notes
    -----
    Source: ours (`bias/compatibility-count`); the formula is matroid union, J. Edmonds (1968).

    Examples
    --------
    >>> generic_rank([(0, 1), (0, 1), (0, 1)], dim=2)
    2
    """
    return forest_decomposition(edges, dim).rank


class _Packing:
    """Edges in d disjoint forests: one edge more is placed by moving others along a shortest chain."""

    def __init__(self, edges: Sequence[Edge], dim: int) -> None:
        self._edges = edges
        self.home: list[int | None] = [None] * len(edges)  # the forest of each edge
        self._at: list[defaultdict[int, set[int]]] = [defaultdict(set) for _ in range(dim)]  # edges at a token

    def place(self, edge: int) -> set[int]:
        """Place this edge too. If that cannot be: the edges, itself among them, that all forests are full of.

        No chain from any of those ends in a free place. So every forest joins all their tokens by edges among them, and
        as no later chain passes through, it stays so.
        """
        asked_by, free = self._chains(edge)
        if free is None:
            return set(asked_by)
        mover, forest = free
        while (left := self._move(mover, forest)) is not None:
            mover, forest = asked_by[mover], left
        return set()

    def _chains(self, edge: int) -> tuple[dict[int, int], tuple[int, int] | None]:
        """Edges reached by chains of moves from this one, by who asks them; and one that fits into another forest."""
        asked_by, queue = {edge: edge}, deque([edge])
        while queue:
            asking = queue.popleft()
            for forest in range(len(self._at)):
                if self.home[asking] == forest:
                    continue
                cycle = self._path(forest, *self._edges[asking])
                if cycle is None:
                    return asked_by, (asking, forest)
                for other in cycle:
                    if other not in asked_by:
                        asked_by[other] = asking
                        queue.append(other)
        return asked_by, None

    def _path(self, forest: int, start: int, end: int) -> list[int] | None:
        """Edges of the forest that join two tokens; None if they lie in different trees."""
        at, came = self._at[forest], {start: -1}
        queue = deque([start])
        while queue and end not in came:
            token = queue.popleft()
            for edge in at[token]:
                a, b = self._edges[edge]
                if (other := b if a == token else a) not in came:
                    came[other] = edge
                    queue.append(other)
        if end not in came:
            return None
        path = []
        while end != start:
            path.append(came[end])
            a, b = self._edges[path[-1]]
            end = b if a == end else a
        return path

    def _move(self, edge: int, forest: int) -> int | None:
        """Put an edge into a forest; returns the one it came from."""
        left = self.home[edge]
        for token in self._edges[edge]:
            if left is not None:
                self._at[left][token].remove(edge)
            self._at[forest][token].add(edge)
        self.home[edge] = forest
        return left


def _graphic_rank(edges: Iterable[Edge]) -> int:
    """Number of edges of a spanning forest."""
    parent: dict[int, int] = {}

    def root(token: int) -> int:
        while (above := parent.setdefault(token, token)) != token:
            token = above
        return token

    rank = 0
    for a, b in edges:
        if (top := root(a)) != (other := root(b)):
            parent[top] = other
            rank += 1
    return rank


def _two_tokens(edges: SupportPattern | Sequence[Edge]) -> tuple[Edge, ...]:
    if isinstance(edges, SupportPattern):
        if bool((wrong := edges.sizes != 2).any()):
            j = int(wrong.nonzero()[0])
            raise UsageError(f"edges has {int(edges.sizes[j])} tokens in support {j}; every support must have two")
        pairs = edges.tokens.view(-1, 2).tolist()
    else:
        instance("edges", edges, Sequence)
        pairs = list(edges)
    found = []
    for j, pair in enumerate(pairs):
        if not isinstance(pair, Sequence) or len(pair) != 2 or pair[0] == pair[1]:
            raise UsageError(f"edges[{j}] is {pair!r}; it must be a pair of different tokens")
        a, b = (whole(f"edges[{j}][{i}]", token, at_least=0) for i, token in enumerate(pair))
        found.append((a, b))
    return tuple(found)
