"""Losses of several heads at once, each for a token some places on; gradients of one head after another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..models.heads import ModelWithHeads
from .objective import IGNORED, Example, backward

__all__ = ["Ahead"]


class Ahead:
    """The weighted sum over heads of cross-entropies: head i, from 0 on, for the label i positions behind its own.

    Positions are those that have a label; a head is judged where there is a label so far ahead.

    Parameters
    ----------
    model : ModelWithHeads
    example : Example
    weights : sequence of float
        One for each head of the model; heads of weight 0 are not computed.
    frozen : bool
        Whether the trunk is left as it is.

    Raises
    ------
    UsageError
        If the model has not so many heads, or the labels end before one that is judged has seen any.
    """

    def __init__(
        self, model: LanguageModel, example: Example, weights: Sequence[float], *, frozen: bool = False
    ) -> None:
        if not isinstance(model, ModelWithHeads) or model.num_heads != len(weights):
            has = model.num_heads if isinstance(model, ModelWithHeads) else 1
            raise UsageError(f"model has {has} heads, next-token head among them; the objective is for {len(weights)}")
        self.model, self.tokens, self.weights, self.frozen = model, example.tokens, weights, frozen
        judged = example.labels[0] != IGNORED  # at the same positions in every row
        self.shape = (len(example.labels), int(judged.sum()))
        self.places: list[Tensor] = []  # (t,) of each head: where it is judged
        self.among: list[Tensor] = []  # (n,): which of the judged positions these are
        self.labels: list[Tensor] = []
        for head in range(len(weights)):
            labels = F.pad(example.labels[:, head:], (0, head), value=IGNORED)
            places = judged & (labels[0] != IGNORED)
            if not places.any():
                raise UsageError(f"model has {len(weights)} heads; no label is {head} positions behind another")
            self.places.append(places)
            self.among.append(places[judged])
            self.labels.append(labels[:, places])

    def by_head(self) -> list[Tensor | None]:
        """The losses (b, n_i) of every head, without weights; None for heads of weight 0."""
        states = self.model.states_of(self._trunk_states())
        return [self._loss(head, states[head]) if weight else None for head, weight in enumerate(self.weights)]

    def losses(self) -> Tensor:
        """The weighted sum over heads (b, n) at every judged position."""
        return self._sum(self.by_head())

    def backward(self) -> Tensor:
        """Add the gradient of the mean loss to those of the parameters, head by head; returns the losses (b, n).

        The logits of a head are gone when those of the next one come: of all heads together only the gradient at the
        trunk's states is kept. Heads come in reverse, as in the backward pass of `losses`, so that every sum has its
        terms in the same order: where parameters had no gradients before, they are the same bit for bit, in single and
        double precision.
        """
        found: list[Tensor | None] = [None] * len(self.weights)
        z_btd = self._trunk_states()
        z_leaf = _leaf(z_btd)
        for branch in reversed(self.model.branches):
            if not any(self.weights[head] for head in branch):
                continue
            states = dict(zip(branch, self.model.branch_states(branch, z_leaf), strict=True))
            leaves = {head: _leaf(states[head]) for head in sorted(branch, reverse=True) if self.weights[head]}
            for head, x_leaf in leaves.items():
                loss = self._loss(head, x_leaf)
                if loss.requires_grad:  # not of a head without parameters of its own on a trunk without gradients
                    backward((self.weights[head] * loss).sum() / (self.shape[0] * self.shape[1]))
                found[head] = loss.detach()
            reached = [head for head, x_leaf in leaves.items() if x_leaf.requires_grad]
            _send_back([states[head] for head in reached], [leaves[head] for head in reached])
        _send_back([z_btd] if z_leaf.requires_grad else [], [z_leaf])
        return self._sum(found)

    def _trunk_states(self) -> Tensor:
        with torch.no_grad() if self.frozen else nullcontext():
            return self.model.trunk_states(self.tokens)

    def _loss(self, head: int, x_btd: Tensor) -> Tensor:
        logits = self.model.unembeddings[head](x_btd[:, self.places[head]])
        labels = self.labels[head]
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)

    def _sum(self, by_head: Sequence[Tensor | None]) -> Tensor:
        total = torch.zeros(self.shape, device=self.tokens.device)
        for weight, among, loss in zip(self.weights, self.among, by_head, strict=True):
            if loss is not None:
                padded = loss.new_zeros(self.shape)
                padded[:, among] = weight * loss
                total = total + padded
        return total


def _leaf(x: Tensor) -> Tensor:
    """The same numbers; gradients come to them and go no further."""
    return x.detach().requires_grad_(x.requires_grad)


def _send_back(tensors: Sequence[Tensor], leaves: Sequence[Tensor]) -> None:
    """Go on with the gradients that have come to leaves, from what they are leaves of."""
    if tensors:
        with torch.autocast(tensors[0].device.type, enabled=False):
            torch.autograd.backward(tensors, [leaf.grad for leaf in leaves])
