"""One path-star graph as a Python object, its answer, and the texts that people write it in."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ....doors import one_of
from ....errors import DatasetError

__all__ = ["DIALECTS", "PathStarGraph"]

DIALECTS = ("arrow", "paper")
"""``3 → 4 | 5 → 1 / 3 7`` and ``3,4|5,1/3,7=``."""

DIGITS = 18  # what fits into 64 bits

_ARROW = re.compile(r"→|->")


@dataclass(frozen=True)
class PathStarGraph:
    """A centre with arms of equal length, and the leaf to go to.

    Attributes
    ----------
    edges : tuple of (int, int)
        Parent and child, in the order in which the question lists them.
    start, goal : int
        The centre, and one of the leaves.

    Raises
    ------
    DatasetError
        If the edges are not those of a path-star with that centre and that leaf; the message names the offence.

    Notes
    -----
    Source: 2403.06963 (`pitfalls/path-star`).

    Examples
    --------
    >>> graph = PathStarGraph.parse("0 → 1 | 2 → 3 | 0 → 2 | 1 → 4 / 0 3")
    >>> graph.degree, graph.path_length, graph.path
    (2, 3, (0, 2, 3))
    """

    edges: tuple[tuple[int, int], ...]
    start: int
    goal: int

    def __post_init__(self) -> None:
        try:
            edges = tuple((operator.index(u), operator.index(v)) for u, v in self.edges)
            ends = operator.index(self.start), operator.index(self.goal)
        except (TypeError, ValueError):
            raise DatasetError(
                f"graph has edges {_short(repr(self.edges))}, start {self.start!r} and goal {self.goal!r}; "
                "edges are pairs of nodes, and nodes are whole numbers"
            ) from None
        for name, value in zip(("edges", "start", "goal"), (edges, *ends), strict=True):
            object.__setattr__(self, name, value)
        self._arms()

    @property
    def degree(self) -> int:
        """d, the number of arms."""
        return len(self._arms())

    @property
    def path_length(self) -> int:
        """l, the number of nodes of an arm with the centre."""
        return 1 + len(self._arms()[0])

    @property
    def path(self) -> tuple[int, ...]:
        """The answer: the nodes from the start to the goal, found by going back from the goal (`pitfalls/solvable`)."""
        parents = {child: parent for parent, child in self.edges}
        path = [self.goal]
        while path[-1] != self.start:
            path.append(parents[path[-1]])
        return tuple(reversed(path))

    @classmethod
    def parse(cls, text: str) -> PathStarGraph:
        """Read a question in either dialect; an answer after it must be right.

        Parameters
        ----------
        text : str
            ``3 → 4 | 5 → 1 / 3 7`` (or ``->``), with the answer ``3 → 0 → 7`` on a further line or after ``=``; or
            ``3,4|5,1/3,7=3,0,7``.

        Raises
        ------
        DatasetError
            If a part is malformed or missing, the graph is none, or the answer is wrong.

        Examples
        --------
        >>> PathStarGraph.parse("3,4|3,5/3,5=3,4")
        Traceback (most recent call last):
        ...
        ntp_theory.errors.DatasetError: answer is (3, 4); it must be (3, 5), the path from start 3 to goal 5
        """
        if not isinstance(text, str):
            raise DatasetError(f"text is of type {type(text).__name__}; it must be a str")
        question, _, answer = _ARROW.sub(",", text.strip()).replace("\n", "=", 1).partition("=")
        edges, slash, query = question.partition("/")
        if not slash:
            raise DatasetError(f"text has no '/' between the edges and the query: {_short(text)}")
        ends = re.split(r"[,\s]+", query.strip())
        if len(ends) != 2:
            raise DatasetError(f"query is {query.strip()!r}; it must be a start and a goal, as '3 7' or '3,7'")
        pairs = [_nodes(edge, "edge") for edge in edges.split("|")]
        for pair in pairs:
            if len(pair) != 2:
                raise DatasetError(f"edge is {pair}; it must be a parent and a child")
        graph = cls(tuple((u, v) for u, v in pairs), _node(ends[0], "start"), _node(ends[1], "goal"))
        if answer.strip():
            graph.check(_nodes(answer, "answer"))
        return graph

    def check(self, answer: Sequence[int]) -> None:
        """Refuse an answer other than the path.

        Raises
        ------
        DatasetError
            Naming the first offence: an unknown node, a repeated one, or a wrong path.
        """
        nodes = {node for edge in self.edges for node in edge}
        counts = Counter(answer)
        unknown, repeated = [x for x in answer if x not in nodes], [x for x in answer if counts[x] > 1]
        if unknown:
            raise DatasetError(f"answer has node {unknown[0]}, which is not in the graph")
        if repeated:
            raise DatasetError(f"answer has node {repeated[0]} more than once")
        if tuple(answer) != self.path:
            raise DatasetError(
                f"answer is {tuple(answer)}; it must be {self.path}, "
                f"the path from start {self.start} to goal {self.goal}"
            )

    def format(self, dialect: str = "arrow", *, answer: bool = True) -> str:
        """The question, and the answer on a line of its own (arrow) or after ``=`` (paper); `parse` reads both.

        Examples
        --------
        >>> print(PathStarGraph(((3, 4), (3, 5)), 3, 5).format())
        3 → 4 | 3 → 5 / 3 5
        3 → 5
        """
        one_of("dialect", dialect, DIALECTS)
        if dialect == "arrow":
            edges = " | ".join(f"{u} → {v}" for u, v in self.edges)
            found = " → ".join(map(str, self.path))
            return f"{edges} / {self.start} {self.goal}" + (f"\n{found}" if answer else "")
        edges = "|".join(f"{u},{v}" for u, v in self.edges)
        return f"{edges}/{self.start},{self.goal}=" + (",".join(map(str, self.path)) if answer else "")

    def _arms(self) -> list[list[int]]:
        """The nodes of every arm without the centre; DatasetError if this is no path-star."""
        if self.edges and min(map(min, self.edges)) < 0:
            raise DatasetError(f"edges have node {min(map(min, self.edges))}; nodes are whole numbers >= 0")
        children: dict[int, list[int]] = {}
        for parent, child in self.edges:
            children.setdefault(parent, []).append(child)
        all_children: set[int] = set()
        for _, child in self.edges:
            if child in all_children:
                raise DatasetError(f"edges reach node {child} more than once")
            all_children.add(child)
        if self.start in all_children or self.start not in children:
            raise DatasetError(f"start is {self.start}; it must be the centre, a parent and nobody's child")
        arms = [[node] for node in children[self.start]]
        for arm in arms:
            while arm[-1] in children:
                if len(children[arm[-1]]) > 1:
                    raise DatasetError(f"edges branch at node {arm[-1]}; only the start may have several children")
                arm.append(children[arm[-1]][0])
        if sum(map(len, arms)) != len(self.edges):
            raise DatasetError("edges are not all reached from the start")
        if len(arms) < 2:
            raise DatasetError("edges have one arm; a path-star has two or more")
        if len(set(map(len, arms))) > 1:
            raise DatasetError(f"arms have lengths {sorted(map(len, arms))}; they must be equal")
        if self.goal not in [arm[-1] for arm in arms]:
            raise DatasetError(f"goal is {self.goal}; it must be a leaf")
        return arms


def _nodes(text: str, what: str) -> list[int]:
    return [_node(word, what) for word in text.strip().split(",")]


def _node(word: str, what: str) -> int:
    word = word.strip()
    if not (word.isascii() and word.isdigit() and len(word) <= DIGITS):
        raise DatasetError(f"{what} has {_short(word)} for a node; nodes are whole numbers of at most {DIGITS} digits")
    return int(word)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
