"""`PathStar`: find the way from the centre of a star to one of its leaves; whole batches at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....doors import generator, one_of, whole
from ....errors import UsageError
from ..batch import Batch
from ..splits import drawn_in_split, hashed, held_out
from ..task import SPLITS, Task
from .encoding import ENCODINGS, Labels, Nodes
from .graph import PathStarGraph

__all__ = ["ORDERS", "PathStar"]

ORDERS = ("forward", "reversed")
# Nodes of the graphs that are made at once: enough to make up for what a call costs, few enough for the cache.
CHUNK = 100_000
# Random bits that are read off one number of 53: of 2^20 outcomes, whose ends rounding moves by 2^-52 at most, none is
# likelier than another by more than a part in 10^9.
DIGIT_BITS = 20


class PathStar(Task):
    """The path-star task: a shuffled list of edges, a start and a goal; the answer is the path between them.

    Parameters
    ----------
    degree : int
        d, the number of arms; at least 2, since one arm leaves nothing to choose.
    path_length : int
        l, the number of nodes of an arm with the centre; at least 2.
    num_nodes : int
        N, how many labels there are; at least ``d (l - 1) + 1``, the nodes of a graph, and at most 2^20.
    order : {"forward", "reversed"}
        Whether answers go from start to goal or back.
    encoding : {"edge-packed", "paper"}, optional
        How questions are written: one position an edge, or the paper's three tokens an edge.

    Raises
    ------
    UsageError
        If a number is out of range, or a name unknown.

    Notes
    -----
    Source: 2403.06963 (`pitfalls/path-star`, `pitfalls/generator`). Which of the N! / ((N - d(l-1) - 1)! (d-1)!)
    labelled instances are held out for tests is decided by a hash of the graph, so training and test graphs are
    disjoint however many are drawn (`pitfalls/data`). The goal does not count: a model that has seen a graph only with
    its other goals has learned that this one is not asked for.

    Examples
    --------
    >>> task = PathStar(degree=2, path_length=3, num_nodes=5)
    >>> batch = task.sample(1000, rng=0)
    >>> batch.prompts.shape, batch.answers.shape
    (torch.Size([1000, 7, 3]), torch.Size([1000, 3]))
    >>> bool(task.is_correct(batch, batch.answers).all())
    True
    """

    def __init__(
        self, degree: int, path_length: int, num_nodes: int, order: str = "forward", *, encoding: str = "edge-packed"
    ) -> None:
        self.degree = whole("degree", degree, at_least=2)
        self.path_length = whole("path_length", path_length, at_least=2)
        # beyond that labels would not be drawn as evenly as `DIGIT_BITS` promises
        self.num_nodes = whole("num_nodes", num_nodes, at_least=1, at_most=2**DIGIT_BITS)
        if self.num_nodes < self.graph_size:
            raise UsageError(
                f"num_nodes is {num_nodes}; it must be at least degree * (path_length - 1) + 1 = {self.graph_size}, "
                "the nodes of one graph"
            )
        one_of("order", order, ORDERS)
        one_of("encoding", encoding, ENCODINGS)
        self.order = order
        self.encoding = ENCODINGS[encoding](self.num_nodes)
        self.slots, self.null = self.encoding.slots, self.encoding.null
        self._first = self._keys(np.arange(self.graph_size)[:, None])

    @property
    def graph_size(self) -> int:
        """Nodes of a graph, ``d (l - 1) + 1``."""
        return self.degree * (self.path_length - 1) + 1

    @property
    def num_edges(self) -> int:
        """Edges of a graph, ``d (l - 1)``."""
        return self.graph_size - 1

    @property
    def vocab_size(self) -> int:
        """Token ids."""
        return self.encoding.vocab_size

    @property
    def max_length(self) -> int:
        """Positions of a question with its answer."""
        return self.encoding.prompt_length(self.num_edges) + self.path_length

    @property
    def depth(self) -> int:
        """As many layers as the path has nodes; whether fewer do depends on the encoding (`pitfalls/depth-match`)."""
        return self.path_length

    @property
    def dummy(self) -> int:
        """The token ``$`` that stands for answer tokens which are not to be seen."""
        return self.encoding.dummy

    @property
    def chance(self) -> float:
        """1/d, the accuracy of one who guesses the arm (`pitfalls/chance-level`)."""
        return 1.0 / self.degree

    def __repr__(self) -> str:
        return (
            f"PathStar(degree={self.degree}, path_length={self.path_length}, num_nodes={self.num_nodes}, "
            f"order={self.order!r}, encoding={self.encoding.name!r})"
        )

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n graphs, drawn independently and uniformly.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            Draw from the graphs for training, or from those that are held out; from all if None.

        Returns
        -------
        Batch
            Int64 tensors on the CPU.

        Raises
        ------
        UsageError
            If an argument is out of range.

        Examples
        --------
        >>> task = PathStar(2, 2, 3)
        >>> task.sample(1, rng=1).answers.shape
        torch.Size([1, 2])
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        if split is not None:
            one_of("split", split, SPLITS)
        rounds = drawn_in_split(
            n,
            split,
            lambda count: _drawn(random, count, self.num_nodes, self.graph_size),
            lambda drawn: self._held_out(drawn[0]),
            most=max(1, CHUNK // self.graph_size),
        )
        parts = [self._batch(nodes[:, chosen], listed[:, chosen]) for (nodes, listed), chosen in rounds]
        if len(parts) == 1:
            return parts[0]
        prompts, answers = (torch.cat([getattr(part, name) for part in parts]) for name in ("prompts", "answers"))
        return Batch(prompts, answers, self.null)

    def instances(self) -> int:
        """The number of labelled instances, ``N! / ((N - |G|)! (d - 1)!)``, not counting orders of the edges."""
        count = 1
        for k in range(self.graph_size):
            count *= self.num_nodes - k
        for k in range(2, self.degree):
            count //= k
        return count

    def graphs(self, batch: Batch) -> list[PathStarGraph]:
        """The graphs of a batch as objects."""
        edges, start, goal = self._decoded(batch)
        return [
            PathStarGraph(tuple((int(u), int(v)) for u, v in pairs), int(a), int(b))
            for pairs, a, b in zip(edges, start, goal, strict=True)
        ]

    def arms(self, batch: Batch) -> Nodes:
        """The nodes (b, d, l - 1) of all arms without the centre, arms in the order in which the questions list them.

        An arm is listed where the edge from the start to it is; the one to take ends in the goal.

        Examples
        --------
        >>> task = PathStar(2, 3, 5)
        >>> task.arms(task.batch([task.parse("0 → 1 | 2 → 3 | 0 → 2 | 1 → 4 / 0 3")])).tolist()
        [[[1, 4], [2, 3]]]
        """
        edges, start, goal = self._decoded(batch)
        first = edges[:, :, 0] == start[:, None]
        star = first.sum(axis=1) == self.degree
        if star.all():
            children = np.full((len(edges), self.num_nodes), -1, dtype=np.int64)
            np.put_along_axis(children, edges[:, :, 0], edges[:, :, 1], axis=1)
            steps = [edges[:, :, 1][first].reshape(len(edges), self.degree)]
            for _ in range(self.path_length - 2):
                steps.append(np.take_along_axis(children, steps[-1], axis=1))
            arms = np.stack(steps, axis=2)
            # on the arms there is every child once, and not the start
            listed = np.sort(edges[:, :, 1], axis=1)
            star = (np.sort(arms.reshape(listed.shape), axis=1) == listed).all(axis=1)
            star &= (np.diff(listed, axis=1) > 0).all(axis=1) & (listed != start[:, None]).all(axis=1)
            star &= (arms[:, :, -1] == goal[:, None]).any(axis=1)
        if not star.all():
            raise UsageError(f"batch has a question that is no graph of {self!r}, the first at {int(star.argmin())}")
        return arms

    def held_out(self, batch: Batch) -> Tensor:
        """Which questions are of the split "test"; bool (b,).

        Examples
        --------
        >>> task = PathStar(2, 5, 9)
        >>> [bool(task.held_out(task.sample(100, split=split)).any()) for split in SPLITS]
        [False, True]
        """
        arms = self.arms(batch).reshape(len(batch), -1)
        _, start, _ = self._decoded(batch)
        return torch.from_numpy(self._held_out(np.concatenate([start[:, None], arms], axis=1).T))

    def batch(self, graphs: Sequence[PathStarGraph]) -> Batch:
        """Graphs as a batch; `graphs` turns it back.

        Raises
        ------
        UsageError
            If there is none, or one is of another degree or length, or has a label of N or more.
        """
        if not graphs:
            raise UsageError("graphs is empty; it must have at least one")
        for i, graph in enumerate(graphs):
            if (graph.degree, graph.path_length) != (self.degree, self.path_length):
                raise UsageError(f"graphs[{i}] is G({graph.degree}, {graph.path_length}); it must be of {self!r}")
            if max(max(edge) for edge in graph.edges) >= self.num_nodes:
                raise UsageError(f"graphs[{i}] has a node above num_nodes - 1 = {self.num_nodes - 1}")
        edges = np.array([graph.edges for graph in graphs], dtype=np.int64)
        paths = np.array([graph.path for graph in graphs], dtype=np.int64)
        return self._encoded(edges, paths)

    def parse(self, text: str) -> PathStarGraph:
        """One graph from its text, in either dialect; it must be one of this task.

        Examples
        --------
        >>> task = PathStar(2, 3, 5)
        >>> task.parse("0 → 1 | 2 → 3 | 0 → 2 | 1 → 4 / 0 3").path
        (0, 2, 3)
        """
        graph = PathStarGraph.parse(text)
        self.batch([graph])
        return graph

    def format(self, graph: PathStarGraph, dialect: str = "arrow") -> str:
        """Question and answer as text."""
        return graph.format(dialect)

    def solve(self, batch: Batch) -> Tensor:
        """The answers (b, l), found from the questions alone by going back from the goal (`pitfalls/solvable`)."""
        self.arms(batch)  # refuses what is no path-star
        edges, _, goal = self._decoded(batch)
        parents = np.full((len(edges), self.num_nodes), -1, dtype=np.int64)
        np.put_along_axis(parents, edges[:, :, 1], edges[:, :, 0], axis=1)
        path = [goal]
        for _ in range(self.path_length - 1):
            path.append(np.take_along_axis(parents, path[-1][:, None], axis=1)[:, 0])
        found = np.stack(path if self.order == "reversed" else path[::-1], axis=1)
        return torch.from_numpy(found)

    def is_correct(self, batch: Batch, answers: Tensor) -> Tensor:
        """Which answers (b, l) are the path, in the order of the task; bool (b,)."""
        path = self.solve(batch)
        if not isinstance(answers, Tensor) or answers.shape != path.shape:
            found = tuple(answers.shape) if isinstance(answers, Tensor) else type(answers).__name__
            raise UsageError(f"answers is {found}; it must be a Tensor {tuple(path.shape)}")
        return (answers.cpu() == path).all(dim=1)

    def _decoded(self, batch: Batch) -> tuple[Nodes, Nodes, Nodes]:
        """Edges, start and goal of the questions of a caller, which must be of this task as far as tokens tell."""
        self.check("batch", batch)
        edges, start, goal = self.encoding.decode(batch.prompts.cpu().numpy())
        for name, nodes in (("edges", edges), ("start", start), ("goal", goal)):
            if nodes.size and nodes.max() >= self.num_nodes:
                raise UsageError(
                    f"batch has {name} with token {nodes.max()}; in {self!r} it must be a node, below {self.num_nodes}"
                )
        return edges, start, goal

    def _batch(self, nodes: Labels, listed: Labels) -> Batch:
        """Questions from the labels (|G|, b) of nodes, arm by arm, and the order (E, b) in which they are listed.

        An edge is called by the node that it leads to.
        """
        count, arm = nodes.shape[1], self.path_length - 1
        # a node hangs on the one before it on the arm, or on the centre
        before = np.arange(-1, self.num_edges)
        before[1::arm] = 0
        place = listed * np.int64(count) + np.arange(count)
        edges = np.empty((2, self.num_edges, count), dtype=nodes.dtype)
        nodes[before].take(place, out=edges[0], mode="clip")  # places are in range; to check it would copy
        nodes.take(place, out=edges[1], mode="clip")
        # labels are exchangeable, so the goal may be on the first arm
        return self._encoded(edges.T, nodes[: arm + 1].T)

    def _encoded(self, edges: Labels, paths: Labels) -> Batch:
        prompts = self.encoding.encode(edges, paths[:, 0], paths[:, -1])
        answers = np.array(paths[:, ::-1] if self.order == "reversed" else paths, dtype=np.int64, order="C")
        return Batch(torch.from_numpy(prompts), torch.from_numpy(answers), self.encoding.null)

    def _held_out(self, nodes: Labels) -> NDArray[np.bool_]:
        """Which graphs (|G|, b) belong to the tests: by a hash of the centre and of the set of arms, whatever the goal.

        The graph whose labels are 0, 1, 2 .. is always one of them, so that there is one.
        """
        keys = self._keys(nodes)
        chosen: NDArray[np.bool_] = held_out(keys) | (keys == self._first)
        return chosen

    def _keys(self, nodes: Labels) -> NDArray[np.uint64]:
        arms = nodes[1:].reshape(self.degree, self.path_length - 1, -1)
        order = np.argsort(arms[:, :1], axis=0)
        in_order = np.take_along_axis(arms, order, axis=0).reshape(self.num_edges, -1)
        return hashed(np.concatenate([nodes[:1], in_order]).T)


def _drawn(random: np.random.Generator, count: int, num_nodes: int, size: int) -> tuple[Labels, Labels]:
    """For each of many graphs different labels (size, count), and a permutation (size - 1, count) of 1 .. size - 1.

    Row i begins as a number below how many are left to choose from. From the last row but one to the first, all that
    follow a row and are not below it move up by one: they are then different from it, and any numbers that differ come
    from one beginning alone. The permutation is one of 0 .. size - 1 that leaves 0 where it is.
    """
    left = _left(num_nodes, size)
    drawn = np.empty((size, 2, count), dtype=np.min_scalar_type(num_nodes - 1))
    # so many digits are read off one fraction, the first of rows 0, each, 2 each ..
    each = max(1, int(DIGIT_BITS / math.log2(num_nodes)))
    fractions = random.random((-(-size // each), 2, count))
    for k in range(each):
        rows = drawn[k::each]
        some = fractions[: len(rows)]
        some *= left[k::each]
        rows[...] = some  # rounded down
        some -= rows
    above = np.empty(drawn.shape, dtype=bool)
    steps = above.view(np.uint8)
    for i in range(size - 1, 0, -1):
        rest = drawn[i:]
        np.greater_equal(rest, drawn[i - 1], out=above[i:])
        rest += steps[i:]
    return drawn[:, 0], drawn[1:, 1]


@lru_cache
def _left(num_nodes: int, size: int) -> NDArray[np.float64]:
    """How many values each row of `_drawn` has to begin with, (size, 2, 1)."""
    left = np.stack([num_nodes - np.arange(size), size - np.arange(size)], axis=1).astype(np.float64)
    left[0, 1] = 1
    return left[:, :, None]
