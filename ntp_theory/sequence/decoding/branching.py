"""What a model says at all nodes of trees of continuations, a tree a text, in one pass.

Nodes are numbered from 1, those of smaller depths first; number 0 is the last token of the text before them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models.embedding import LanguageModel
from ..models.transformer import Branches
from .reading import Cached
from .trees import Tree

__all__ = ["BranchReader", "Chains", "TreeAttention", "branch_reader"]

Trunk = Callable[[Tensor, Any], Tensor]
Say = Callable[[Tensor], NDArray[Any]]


class BranchReader(Protocol):
    """What a model says after the nodes of trees."""

    @property
    def passes(self) -> int:
        """Calls of the model."""

    def first(self) -> list[Any]:
        """What is said after each prompt."""

    def after(self, asked: Sequence[Sequence[int] | None]) -> list[Sequence[Any]]:
        """For each text what is said after its last token and after the nodes.

        Parameters
        ----------
        asked : sequence of sequences of int, or None
            The last token, which has not been read, and those of the first nodes of the tree; None for a text of which
            nothing is asked any more.
        """

    def keep(self, chains: Sequence[Sequence[int]]) -> None:
        """Go on behind these nodes, a chain of them for each text, perhaps none: their tokens are text now."""


def branch_reader(model: LanguageModel, prompts: Tensor, tree: Tree, trunk: Trunk, say: Say) -> BranchReader:
    """Tree attention where the model has it, chains where it has not."""
    return (TreeAttention if model.reads_branches else Chains)(model, prompts, tree, trunk, say)


class TreeAttention:
    """Each node attends to its text and its ancestors, at the position that is its depth (`medusa/tree`).

    The cache holds the keys and values of each text in its first positions, as many as the text has; behind them are
    those of longer texts' width, to which nothing attends.

    Parameters
    ----------
    model : LanguageModel
        With a cache that has ``branches`` and ``gather``.
    prompts : Tensor (b, p) or (b, p, s)
    tree : Tree
    trunk : callable
        From tokens and a cache to states (b, t, ...).
    say : callable
        From states to arrays (b, t, ...): what is handed on.
    """

    def __init__(self, model: LanguageModel, prompts: Tensor, tree: Tree, trunk: Trunk, say: Say) -> None:
        self.model, self.prompts, self.trunk, self.say = model, prompts, trunk, say
        self.passes = 0
        self.cache: Any = None
        self.lengths = torch.full(prompts.shape[:1], prompts.shape[1])
        self.asked: list[bool] = []  # of each text, in the last pass
        self.fresh = 0  # where in the cache the last pass began
        self.depth_t = torch.tensor([0, *map(len, tree.paths)])
        self.related_tt = torch.eye(len(tree) + 1, dtype=torch.bool)  # a node sees itself and its ancestors
        for number, parent in enumerate(tree.parents, 1):
            self.related_tt[number] |= self.related_tt[parent]

    def first(self) -> list[Any]:
        """What is said after each prompt."""
        self.cache = self.model.new_cache()
        return [said[-1] for said in self._pass(self.prompts, last=True)]

    def after(self, asked: Sequence[Sequence[int] | None]) -> list[Sequence[Any]]:
        """For each text what is said after its last token and after the nodes."""
        device, s = self.prompts.device, self.cache.length
        self.asked = [tokens is not None for tokens in asked]
        counts = torch.tensor([len(tokens or ()) for tokens in asked])
        t = int(counts.max())
        # what fills up is read as the tokens 0 that it is, at position 0, and nothing that is asked attends to it
        rows = [list(tokens or ()) + [0] * (t - len(tokens or ())) for tokens in asked]
        place_bt = torch.where(torch.arange(t) < counts[:, None], self.lengths[:, None] + self.depth_t[:t], 0)
        text_bs = torch.arange(s) < self.lengths[:, None]
        shape = (len(rows), t, -1)
        seen_bts = torch.cat([text_bs[:, None].expand(shape), self.related_tt[:t, :t].expand(shape)], dim=2)
        self.cache.branches = Branches(place_bt.to(device), seen_bts.to(device))
        said = self._pass(torch.tensor(rows, device=device))
        self.cache.branches = None
        return [answers[:count] for answers, count in zip(said, counts.tolist(), strict=True)]

    def keep(self, chains: Sequence[Sequence[int]]) -> None:
        """Go on behind these nodes."""
        kept = [
            [*range(length), *(self.fresh + number for number in (0, *chain) if asked)]
            for length, chain, asked in zip(self.lengths.tolist(), chains, self.asked, strict=True)
        ]
        self.lengths = torch.tensor([len(row) for row in kept])
        width = int(self.lengths.max())
        self.cache.gather(torch.tensor([row + [0] * (width - len(row)) for row in kept], device=self.prompts.device))

    def _pass(self, tokens: Tensor, last: bool = False) -> NDArray[Any]:
        self.passes += 1
        self.fresh = self.cache.length
        with self.model.asked():
            states = self.trunk(tokens, self.cache)
            return self.say(states[:, -1:] if last else states)


class Chains:
    """Each path from the text to a leaf is a text of its own in the batch, so that any model can read it.

    Texts that share a beginning share what the cache holds of it: the state at which the kept chain ends is copied to
    all chains of the text, and recurrent states go back to one that they kept. A batch goes on from where its slowest
    text is (`Cached`).

    Parameters
    ----------
    model : LanguageModel
        With a cache that has ``truncate`` and ``pick``.
    prompts : Tensor (b, p) or (b, p, s)
    tree : Tree
    trunk, say : callable
        As of `TreeAttention`.
    """

    def __init__(self, model: LanguageModel, prompts: Tensor, tree: Tree, trunk: Trunk, say: Say) -> None:
        self.cached = Cached(model, prompts, trunk, say)
        self.texts: list[list[int]] = [[] for _ in range(len(prompts))]  # what has been read of each, for good
        self.asked: Sequence[Sequence[int] | None] = []
        leaves = [number for number in range(1, len(tree) + 1) if not tree.children[number]]
        self.chains = [tree.chain(leaf) for leaf in leaves]
        self.place = {0: (0, 0)}  # of each node: a chain that it is on, and where
        for i, chain in enumerate(self.chains):
            self.place |= {number: (i, depth) for depth, number in enumerate(chain, 1)}

    @property
    def passes(self) -> int:
        """Calls of the model."""
        return self.cached.passes

    def first(self) -> list[Any]:
        """What is said after each prompt."""
        said = self.cached.first()
        self._spread([(r, 0) for r in range(len(self.texts))], copies=1)
        return said

    def after(self, asked: Sequence[Sequence[int] | None]) -> list[Sequence[Any]]:
        """For each text what is said after its last token and after the nodes."""
        self.asked = asked
        since = [len(text) + 1 for text in self.texts for _ in self.chains]
        rows = [
            None if tokens is None else [*text, tokens[0], *(tokens[n] for n in chain if n < len(tokens))]
            for text, tokens in zip(self.texts, asked, strict=True)
            for chain in self.chains
        ]
        settled = min(first for first, row in zip(since, rows, strict=True) if row is not None)
        said = self.cached.after(rows, since, settled)
        of_text = [said[r * len(self.chains) :][: len(self.chains)] for r in range(len(asked))]
        return [
            [answers[i][depth] for i, depth in (self.place[n] for n in range(len(tokens or ())))]
            for answers, tokens in zip(of_text, asked, strict=True)
        ]

    def keep(self, chains: Sequence[Sequence[int]]) -> None:
        """Go on behind these nodes."""
        for text, tokens, chain in zip(self.texts, self.asked, chains, strict=True):
            if tokens is not None:
                text += [tokens[0], *(tokens[n] for n in chain)]
        ends = [(r, self.place[chain[-1] if chain else 0][0]) for r, chain in enumerate(chains)]
        self._spread(ends, copies=len(self.chains))

    def _spread(self, ends: Sequence[tuple[int, int]], copies: int) -> None:
        """All chains of a text go on from what one of its copies in the cache has read."""
        self.cached.pick([r * copies + i for r, i in ends for _ in self.chains])
