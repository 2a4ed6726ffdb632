"""Path-star graphs, their texts and encodings: d arms of l nodes that share the centre, one goal at an arm's end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

__all__ = ["SIZES", "Star", "labelled", "pack", "parse", "parse_arrows", "relabel", "stars", "text", "tokens", "unpack"]

SIZES = [(d, length) for d in range(1, 5) for length in range(2, 6)]
"""All (d, l) with d <= 4 arms of l <= 5 nodes."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class Star:
    """The edges (parent, child) in their order, and the path from the start to the goal."""

    edges: tuple[Edge, ...]
    target: tuple[int, ...]

    @property
    def nodes(self) -> set[int]:
        """All nodes of edges."""
        return {node for edge in self.edges for node in edge}

    def children(self, node: int) -> list[int]:
        """The ends of the edges out of a node."""
        return [child for parent, child in self.edges if parent == node]

    def parents(self, node: int) -> list[int]:
        """The origins of the edges into a node."""
        return [parent for parent, child in self.edges if child == node]


def stars(d: int, length: int) -> Iterator[Star]:
    """One graph with the centre 0 and its arms numbered one after the other, and each of its d goals; edges by arms."""
    arms = [[0, *range(1 + a * (length - 1), 1 + (a + 1) * (length - 1))] for a in range(d)]
    edges = tuple(edge for arm in arms for edge in zip(arm, arm[1:], strict=False))
    for arm in arms:
        yield Star(edges, tuple(arm))


def relabel(star: Star, names: Sequence[int], order: Sequence[int] | None = None) -> Star:
    """The node k named ``names[k]``, the edges in the given order."""
    edges = [star.edges[e] for e in (order if order is not None else range(len(star.edges)))]
    return Star(tuple((names[a], names[b]) for a, b in edges), tuple(names[k] for k in star.target))


def labelled(d: int, length: int, ids: int) -> Iterator[Star]:
    """Every labelling with the given number of ids, for the goal on the first arm; edges by arms.

    Examples
    --------
    >>> len(list(labelled(1, 2, 3)))
    6
    """
    star = next(stars(d, length))
    for names in permutations(range(ids), d * (length - 1) + 1):
        yield relabel(star, names)


def text(star: Star) -> str:
    """``u,v|u,v/start,goal=start,..,goal``.

    Examples
    --------
    >>> text(next(stars(2, 2)))
    '0,1|0,2/0,1=0,1'
    """
    graph = "|".join(f"{a},{b}" for a, b in star.edges)
    return f"{graph}/{star.target[0]},{star.target[-1]}={','.join(map(str, star.target))}"


def parse(line: str) -> Star:
    """The instance of a text; ValueError if start or goal of the query and the target differ."""
    prefix, answer = line.split("=")
    graph, query = prefix.split("/")
    edges = [edge.split(",") for edge in graph.split("|")]
    return _checked([(int(a), int(b)) for a, b in edges], [int(x) for x in answer.split(",")], query.split(","))


def parse_arrows(prompt: str, answer: str) -> Star:
    """The instance of ``u → v | u → v / start goal`` and ``start → .. → goal``."""
    graph, query = prompt.split("/")
    edges = [edge.split("→") for edge in graph.split("|")]
    return _checked([(int(a), int(b)) for a, b in edges], [int(x) for x in answer.split("→")], query.split())


def _checked(edges: list[Edge], target: list[int], query: Sequence[str]) -> Star:
    if [int(x) for x in query] != [target[0], target[-1]]:
        raise ValueError("the query names another start or goal than the target")
    return Star(tuple(edges), tuple(target))


def tokens(line: str, ids: int) -> list[int]:
    """One token a node id, then ``|``, ``=``, ``/`` as N, N + 1, N + 2; commas are dropped.

    Examples
    --------
    >>> tokens("0,1|0,2/0,1=0,1", 3)
    [0, 1, 3, 0, 2, 5, 0, 1, 4, 0, 1]
    """
    for mark, token in (("|", ids), ("=", ids + 1), ("/", ids + 2)):
        line = line.replace(mark, f",{token},")
    return [int(word) for word in line.split(",")]


Place = tuple[str, tuple[int, ...]]


def pack(star: Star, ids: int, *, teacherless: bool = False) -> list[Place]:
    """The inputs of the edge-packed encoding: every place with the embedding tables it reads, and at which rows."""
    inputs: list[Place] = [("from to", edge) for edge in star.edges]
    inputs += [("tok", (star.target[0],)), ("tok", (star.target[-1],)), ("tok", (ids + 1,))]
    inputs += [("tok", (ids + 3 if teacherless else node,)) for node in star.target[:-1]]
    return inputs


def unpack(places: Sequence[Place]) -> Star:
    """The instance of a packed input (not teacherless)."""
    edges = [(rows[0], rows[1]) for table, rows in places if table == "from to"]
    start, goal, _, *path = [rows[0] for table, rows in places if table == "tok"]
    if path[0] != start:
        raise ValueError("the path does not begin at the start")
    return Star(tuple(edges), (*path, goal))
