"""Which candidates of a tree become text: those that the model would have said itself, or that are typical of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ...doors import one_of, positive
from .trees import Tree
from .typical import typical_threshold

__all__ = ["Acceptance", "Greedy", "Typical", "accepted_chain", "acceptance_for"]


@runtime_checkable
class Acceptance(Protocol):
    """A rule for the tokens behind one node."""

    def laws(self, logits_btv: Tensor) -> Tensor:
        """What the rule needs to know of the next token, (b, t, ...), in double precision."""

    def weights(self, law: Any, likeliest: int, tokens: Sequence[int]) -> list[float | None]:
        """For each token None if it is refused; of chains as long as each other that of the largest sum is kept."""


@dataclass(frozen=True)
class Greedy:
    """Only the likeliest token is accepted.

    Examples
    --------
    >>> Greedy().weights((), 3, [2, 3])
    [None, 0.0]
    """

    def laws(self, logits_btv: Tensor) -> Tensor:
        """Nothing."""
        return torch.empty(*logits_btv.shape[:2], 0, dtype=torch.float64)

    def weights(self, law: Any, likeliest: int, tokens: Sequence[int]) -> list[float | None]:
        """One of them may be the likeliest."""
        return [0.0 if token == likeliest else None for token in tokens]


@dataclass(frozen=True)
class Typical:
    """Tokens more likely than ``min(epsilon, delta exp(-H))`` are accepted, H the entropy of the law in nats.

    Of the longest chains that are accepted the likeliest is kept.

    Parameters
    ----------
    epsilon, delta : float
        0.09 and 0.3 in the public code; delta is the square root of epsilon. With delta < 1 the likeliest token is
        always accepted (`medusa/argmax-accepted`).
    temperature : float
        Of the law.

    Notes
    -----
    Source: Cai et al., 2401.10774 Sec. 2.3.1 (`medusa/typical-acceptance`).

    Examples
    --------
    >>> Typical().weights([0.8, 0.1, 0.1], 0, [0, 1])  # the threshold is 0.09
    [-0.2231435513142097, -2.3025850929940455]
    """

    epsilon: float = 0.09
    delta: float = 0.3
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epsilon", "delta", "temperature"):
            positive(name, getattr(self, name))

    def laws(self, logits_btv: Tensor) -> Tensor:
        """The laws at this temperature."""
        return (logits_btv.double() / self.temperature).softmax(-1)

    def weights(self, law: Any, likeliest: int, tokens: Sequence[int]) -> list[float | None]:
        """The logarithms of their probabilities."""
        threshold = typical_threshold(law, epsilon=self.epsilon, delta=self.delta)
        return [math.log(law[token]) if law[token] > threshold else None for token in tokens]


def acceptance_for(acceptance: str | Acceptance) -> Acceptance:
    """A rule by its name, or as it is."""
    if isinstance(acceptance, Acceptance):
        return acceptance
    rules: dict[str, Acceptance] = {"greedy": Greedy(), "typical": Typical()}
    one_of("acceptance", acceptance, rules)
    return rules[acceptance]


def accepted_chain(
    tree: Tree, tokens: Sequence[int], said: Sequence[Any], rule: Acceptance, eos: int | None
) -> list[int]:
    """The numbers of the nodes that are kept: the longest chain of accepted ones, none behind an end of sequence.

    Parameters
    ----------
    tree : Tree
    tokens : sequence of int
        The last token of the text, and those of the first nodes.
    said : sequence
        What the model says after each: ``next``, the likeliest token, and ``law``.
    rule : Acceptance
    eos : int, optional
    """
    weights, depths = {0: 0.0}, {0: 0}
    for parent in range(len(tokens)):
        children = [number for number in tree.children[parent] if number < len(tokens)]
        if parent not in weights or tokens[parent] == eos or not children:
            continue
        found = rule.weights(said[parent]["law"], int(said[parent]["next"]), [tokens[number] for number in children])
        for number, weight in zip(children, found, strict=True):
            if weight is not None:
                weights[number], depths[number] = weights[parent] + weight, depths[parent] + 1
    return tree.chain(max(weights, key=lambda number: (depths[number], weights[number])))
