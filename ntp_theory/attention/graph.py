"""Token-priority graphs: which tokens the labels put before which others, for every last token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..errors import UsageError
from .sequences import TokenSequences

__all__ = ["PriorityGraph", "priority_graphs"]

# Entries of all adjacency matrices together.
LARGEST = 10**8


@dataclass(frozen=True, eq=False)
class PriorityGraph:
    """The graph of one last token k: an edge from the label of an input to every other token of that input.

    Attributes
    ----------
    query : int
        k.
    adjacency : Tensor (V, V), bool
        Whether there is an edge from the row's token to the column's.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`).

    Examples
    --------
    >>> [graph] = priority_graphs(TokenSequences([[0, 1, 2], [1, 0, 2]], [0, 1]))
    >>> graph.components
    ((0, 1), (2,))
    >>> graph.priority[0].tolist()
    [False, False, True]
    """

    query: int
    adjacency: Tensor

    @cached_property
    def reach(self) -> Tensor:
        """Whether the row's token reaches the column's by edges, or is it; (V, V), bool."""
        reach = self.adjacency | torch.eye(len(self.adjacency), dtype=torch.bool)
        while True:  # ways of twice the length
            longer = reach.double() @ reach.double() > 0
            if torch.equal(longer, reach):
                return reach
            reach = longer

    @cached_property
    def together(self) -> Tensor:
        """Whether two tokens are strongly connected: each reaches the other; (V, V), bool."""
        return self.reach & self.reach.T

    @cached_property
    def priority(self) -> Tensor:
        """``i => j``: i reaches j, and j does not reach i; (V, V), bool."""
        return self.reach & ~self.reach.T

    @cached_property
    def components(self) -> tuple[tuple[int, ...], ...]:
        """Strongly connected components, by their smallest tokens."""
        rows = [tuple(row.nonzero().flatten().tolist()) for row in self.together]
        return tuple(row for token, row in enumerate(rows) if row[0] == token)

    @cached_property
    def reach_counts(self) -> Tensor:
        """How many tokens each reaches, itself among them; (V,), int64.

        Equal within components, and larger by at least 1 across every edge between them: integers that prove which
        tokens can be driven to probability zero (`attention/unification`).
        """
        return self.reach.sum(1)


def priority_graphs(data: TokenSequences) -> tuple[PriorityGraph, ...]:
    """The token-priority graph of every last token that occurs, in order of tokens.

    Parameters
    ----------
    data : TokenSequences

    Returns
    -------
    tuple of PriorityGraph

    Raises
    ------
    UsageError
        If ``data`` is something else, or graphs of V^2 entries have more than 10^8 together: number tokens compactly.

    Notes
    -----
    Source: 2403.08081 (`attention/graph-svm`).

    Examples
    --------
    >>> [graph.query for graph in priority_graphs(TokenSequences([[0, 1], [1, 0]], [1, 0]))]
    [0, 1]
    """
    as_sequences(data)
    if (size := len(set(data.queries)) * data.vocab_size**2) > LARGEST:
        raise UsageError(
            f"data has {data.vocab_size} tokens, of which {len(set(data.queries))} come last, {size} entries; "
            f"there must be at most {LARGEST} (number the tokens that occur from 0)"
        )
    graphs = {k: torch.zeros(data.vocab_size, data.vocab_size, dtype=torch.bool) for k in sorted(set(data.queries))}
    for k, ((label, _), *others) in zip(data.queries, data.distinct, strict=True):
        for token, _ in others:
            graphs[k][label, token] = True
    return tuple(PriorityGraph(k, adjacency) for k, adjacency in graphs.items())


def as_sequences(data: object) -> TokenSequences:
    """The sequences themselves; anything else is refused."""
    if not isinstance(data, TokenSequences):
        raise UsageError(f"data is {data!r}; it must be a TokenSequences")
    return data
