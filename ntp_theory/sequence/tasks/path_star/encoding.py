"""Graphs as tokens: the paper's, three tokens an edge, and the edge-packed one, one position an edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENCODINGS", "EdgePacked", "Encoding", "Labels", "Nodes", "Paper"]

Nodes = NDArray[np.int64]
Labels = NDArray[np.integer[Any]]
"""Nodes in an integer type that just holds them."""


@dataclass(frozen=True)
class Encoding:
    """Node ids 0 .. N-1, then the separators ``|``, ``=``, ``/``, and the dummy ``$`` of teacherless training.

    Attributes
    ----------
    num_nodes : int
        N.
    """

    num_nodes: int

    name = "?"
    slots = 1

    @property
    def bar(self) -> int:
        """``|``, between edges."""
        return self.num_nodes

    @property
    def equals(self) -> int:
        """``=``, the end of the question."""
        return self.num_nodes + 1

    @property
    def slash(self) -> int:
        """``/``, between edges and query."""
        return self.num_nodes + 2

    @property
    def dummy(self) -> int:
        """``$``, in place of answer tokens."""
        return self.num_nodes + 3

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self.num_nodes + 4

    @property
    def null(self) -> int | None:
        """What fills an empty slot; None where there is one slot."""
        return None

    def prompt_length(self, num_edges: int) -> int:
        """Positions of a question."""
        raise NotImplementedError

    def encode(self, edges: Labels, start: Labels, goal: Labels) -> Nodes:
        """Questions (b, p) or (b, p, s) from edges (b, E, 2) and query (b,)."""
        raise NotImplementedError

    def decode(self, prompts: Nodes) -> tuple[Nodes, Nodes, Nodes]:
        """Edges, start and goal of questions."""
        raise NotImplementedError


class Paper(Encoding):
    """``u v | u v | .. | u v / start goal =``, one token a position (`pitfalls/tokenisation`).

    Examples
    --------
    >>> code = Paper(9)
    >>> code.encode(np.array([[[3, 4], [3, 0]]]), np.array([3]), np.array([0]))
    array([[ 3,  4,  9,  3,  0, 11,  3,  0, 10]])
    """

    name = "paper"

    def prompt_length(self, num_edges: int) -> int:
        """``3 E + 3``."""
        return 3 * num_edges + 3

    def encode(self, edges: Labels, start: Labels, goal: Labels) -> Nodes:
        """Questions (b, 3 E + 3)."""
        count, num_edges, _ = edges.shape
        prompts = np.empty((count, self.prompt_length(num_edges)), dtype=np.int64)
        body = prompts[:, : 3 * num_edges].reshape(count, num_edges, 3)
        body[:, :, 0], body[:, :, 1], body[:, :, 2], body[:, -1, 2] = *np.moveaxis(edges, 2, 0), self.bar, self.slash
        prompts[:, -3], prompts[:, -2], prompts[:, -1] = start, goal, self.equals
        return prompts

    def decode(self, prompts: Nodes) -> tuple[Nodes, Nodes, Nodes]:
        """Edges (b, E, 2), start and goal (b,)."""
        body = prompts[:, :-3].reshape(len(prompts), -1, 3)
        return body[:, :, :2], prompts[:, -3], prompts[:, -2]


class EdgePacked(Encoding):
    """One position an edge, parent and child in slots of their own; then start, goal, ``=`` (`pitfalls/edge-packed`).

    Slots are (ordinary token, parent, child); empty ones hold the null id, the last of the vocabulary.

    Examples
    --------
    >>> code = EdgePacked(9)
    >>> code.encode(np.array([[[3, 4], [3, 0]]]), np.array([3]), np.array([0]))[0].tolist()
    [[13, 3, 4], [13, 3, 0], [3, 13, 13], [0, 13, 13], [10, 13, 13]]
    """

    name = "edge-packed"
    slots = 3

    @property
    def vocab_size(self) -> int:
        """With the null id."""
        return self.num_nodes + 5

    @property
    def null(self) -> int:
        """The empty slot."""
        return self.num_nodes + 4

    def prompt_length(self, num_edges: int) -> int:
        """``E + 3``."""
        return num_edges + 3

    def encode(self, edges: Labels, start: Labels, goal: Labels) -> Nodes:
        """Questions (b, E + 3, 3)."""
        count, num_edges, _ = edges.shape
        prompts = np.full((count, num_edges + 3, 3), self.null, dtype=np.int64)
        prompts[:, :num_edges, 1], prompts[:, :num_edges, 2] = edges[:, :, 0], edges[:, :, 1]
        prompts[:, num_edges, 0], prompts[:, num_edges + 1, 0], prompts[:, num_edges + 2, 0] = start, goal, self.equals
        return prompts

    def decode(self, prompts: Nodes) -> tuple[Nodes, Nodes, Nodes]:
        """Edges (b, E, 2), start and goal (b,)."""
        return prompts[:, :-3, 1:], prompts[:, -3, 0], prompts[:, -2, 0]


ENCODINGS: dict[str, type[Encoding]] = {code.name: code for code in (EdgePacked, Paper)}
"""Encodings by name."""
