"""Trees of candidates for what comes next: which of the best tokens of each head are verified behind which."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...doors import instance, whole
from ...errors import UsageError

__all__ = ["Path", "Tree", "checked_ranks"]

Path = tuple[int, ...]
"""The node below the text whose k-th token is the best of head k, number 0, or its second, or another."""


@dataclass(frozen=True)
class Tree:
    """Candidates for the tokens behind the next one, as paths of ranks.

    Parameters
    ----------
    paths : iterable of tuple of int
        The path (i_1, .. i_k) is a node: token number i_1 of head 1, the best being 0, and so on, behind it number i_k
        of head k. Ancestors that are missing are added, so leaves are enough. Nodes may be of any depths.

    Attributes
    ----------
    paths : tuple of tuple of int
        All nodes, by depth.

    Raises
    ------
    UsageError
        If there is no node, or a rank is no whole number from 0 on.

    Notes
    -----
    Source: Cai et al., 2401.10774 Sec. 2.1 and 2.3.3; `medusa/tree`, `medusa/sparse-tree`.

    Examples
    --------
    >>> Tree([(0, 0), (1,)])
    Tree(paths=((0,), (1,), (0, 0)))
    >>> len(Tree.from_widths(2, 3))
    8
    """

    paths: tuple[Path, ...]

    def __init__(self, paths: Iterable[Sequence[int]]) -> None:
        instance("paths", paths, Iterable)
        given = []
        for path in paths:
            if not isinstance(path, Sequence) or not path or any(type(rank) is not int or rank < 0 for rank in path):
                raise UsageError(f"paths has {path!r}; it must be of ranks, whole numbers from 0 on, at least one")
            given.append(tuple(path))
        nodes = {path[:k] for path in given for k in range(1, len(path) + 1)}
        if not nodes:
            raise UsageError("paths is empty; a tree must have at least one node")
        object.__setattr__(self, "paths", tuple(sorted(nodes, key=lambda path: (len(path), path))))

    @classmethod
    def from_widths(cls, *widths: int) -> Tree:
        """The ``widths[k]`` best tokens of head k behind all those of the head before.

        It has ``sum_k prod_(i <= k) widths[i]`` nodes (`medusa/tree`).

        Examples
        --------
        >>> Tree.from_widths(1, 1, 1).paths  # a chain
        ((0,), (0, 0), (0, 0, 0))
        """
        for width in widths:
            whole("widths", width, at_least=1)
        return cls(itertools.product(*map(range, widths)))

    @classmethod
    def from_accuracies(cls, accuracies: Sequence[Sequence[Any]] | Tensor, nodes: int) -> Tree:
        """The tree with the largest expected length if heads are right or wrong independently.

        Parameters
        ----------
        accuracies : sequence (n, w)
            How often the token of each rank of each head is right: a_k^(i). Fractions are exact.
        nodes : int
            The most nodes. Fewer are taken if no others are ever right.

        Raises
        ------
        UsageError
            If they are no such shares, or none is positive for the first head.

        Notes
        -----
        Source: 2401.10774 Sec. 2.3.3 (`medusa/sparse-tree`). The node of the largest product is added again and again;
        none is larger than its parent's, so no tree of as many nodes has a larger sum.

        Examples
        --------
        >>> Tree.from_accuracies([[0.5, 0.2], [0.3, 0.1]], 3).paths
        ((0,), (1,), (0, 0))
        """
        rows = _rows(accuracies)

        def value(path: Path) -> Any:
            return np.prod([rows[k][rank] for k, rank in enumerate(path)])

        return cls(_grown(value, [len(row) for row in rows], nodes))

    @classmethod
    def from_ranks(cls, ranks: Tensor, nodes: int) -> Tree:
        """The tree with the largest mean length on texts, with whatever dependence there is between heads.

        Parameters
        ----------
        ranks : Tensor (N, n), int64
            Those of the right tokens (`head_ranks`).
        nodes : int
            The most nodes.

        Examples
        --------
        >>> Tree.from_ranks(torch.tensor([[0, 1], [0, 1], [1, 0]]), 3).paths
        ((0,), (1,), (0, 1))
        """
        rows = [tuple(row) for row in checked_ranks(ranks).tolist()]
        counts: dict[Path, int] = {}
        for row in rows:
            for k in range(1, len(row) + 1):
                counts[row[:k]] = counts.get(row[:k], 0) + 1
        return cls(_grown(lambda path: counts.get(path, 0), [int(ranks.max()) + 1] * ranks.shape[1], nodes))

    def __len__(self) -> int:
        """Nodes."""
        return len(self.paths)

    @property
    def depth(self) -> int:
        """Heads that it needs."""
        return len(self.paths[-1])

    @property
    def width(self) -> int:
        """Tokens of a head that it needs."""
        return 1 + max(rank for path in self.paths for rank in path)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The number of each node's parent: 0 for the token before the tree, i + 1 for node i."""
        number = {(): 0} | {path: i for i, path in enumerate(self.paths, 1)}
        return tuple(number[path[:-1]] for path in self.paths)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """By the same numbers the children of the token before the tree, and of each node."""
        found: list[list[int]] = [[] for _ in range(len(self) + 1)]
        for number, parent in enumerate(self.parents, 1):
            found[parent].append(number)
        return tuple(map(tuple, found))

    def chain(self, number: int) -> list[int]:
        """The numbers of the nodes down to this one."""
        found: list[int] = []
        while number:
            found.append(number)
            number = self.parents[number - 1]
        return found[::-1]

    def size_to(self, depth: int) -> int:
        """How many nodes there are down to a depth: they come first."""
        return sum(len(path) <= depth for path in self.paths)

    def expected_length(self, accuracies: Sequence[Sequence[Any]] | Tensor) -> Any:
        """How many tokens behind the next one are right, if heads are right or wrong independently.

        Examples
        --------
        >>> from fractions import Fraction
        >>> Tree.from_widths(2, 1).expected_length([[Fraction(1, 2), Fraction(1, 4)], [Fraction(1, 3)]])
        Fraction(1, 1)
        """
        rows = _rows(accuracies)
        for path in self.paths:
            if len(path) > len(rows) or any(rank >= len(row) for rank, row in zip(path, rows, strict=False)):
                raise UsageError(f"accuracies has rows of {[len(row) for row in rows]} ranks; the tree needs {path}")
        return sum(np.prod([rows[k][rank] for k, rank in enumerate(path)]) for path in self.paths)

    def lengths(self, ranks: Tensor) -> Tensor:
        """How many tokens behind the next one the tree has right, (N,), by the ranks of the right ones (N, n).

        Examples
        --------
        >>> Tree([(0, 1), (1,)]).lengths(torch.tensor([[0, 1], [0, 0], [1, 0], [2, 0]])).tolist()
        [2, 1, 1, 0]
        """
        checked_ranks(ranks, self.depth)
        # at every depth at most one node is right
        right = [(ranks[:, : len(path)] == torch.tensor(path, device=ranks.device)).all(1) for path in self.paths]
        return torch.stack(right).sum(0)


def _grown(value: Callable[[Path], Any], widths: Sequence[int], nodes: int) -> list[Path]:
    """The most valuable nodes, ancestors first; a node is worth no more than its parent."""
    whole("nodes", nodes, at_least=1)
    heap: list[tuple[Any, int, Path]] = []
    found: list[Path] = [()]
    while len(found) <= nodes:
        last = found[-1]
        if len(last) < len(widths):
            for rank in range(widths[len(last)]):
                path = (*last, rank)
                heapq.heappush(heap, (-value(path), len(path), path))
        if not heap or heap[0][0] == 0:
            break
        found.append(heapq.heappop(heap)[2])
    if len(found) == 1:
        raise UsageError("no token of the first head is ever right; there is no tree to grow")
    return found[1:]


def checked_ranks(ranks: Tensor, heads: int = 1) -> Tensor:
    """Ranks of one text position or more, under so many heads or more."""
    if not isinstance(ranks, Tensor) or ranks.dtype != torch.int64 or ranks.dim() != 2 or 0 in ranks.shape:
        found = f"{tuple(ranks.shape)}, {ranks.dtype}" if isinstance(ranks, Tensor) else type(ranks).__name__
        raise UsageError(f"ranks is {found}; it must be a Tensor (N, n) with N >= 1 and n >= {heads}, torch.int64")
    if ranks.shape[1] < heads:
        raise UsageError(f"ranks has shape {tuple(ranks.shape)}; it must be (N, n) with n >= {heads}")
    if ranks.min() < 0:
        raise UsageError(f"ranks has {int(ranks.min())}; they count from 0, the likeliest token")
    return ranks


def _rows(accuracies: Sequence[Sequence[Any]] | Tensor) -> list[list[Any]]:
    rows: list[Any] = accuracies.tolist() if isinstance(accuracies, Tensor | np.ndarray) else list(accuracies)
    # each row is a mean of indicators of which one at most is 1
    if not rows or not all(
        isinstance(row, Sequence) and row and all(share >= 0 for share in row) and sum(row) <= 1 + 1e-9 for row in rows
    ):
        raise UsageError(f"accuracies is {accuracies}; it must be rows of shares, each with a sum of at most 1")
    return rows
