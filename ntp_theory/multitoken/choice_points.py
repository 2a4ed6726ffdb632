"""Choice points: how often a wrong expectation costs the loss of several heads, counted on trajectories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..doors import instance, whole
from ..errors import UsageError

__all__ = ["WrongPredictions", "choice_terms", "two_branches", "wrong_predictions"]

Trajectory = Sequence[Hashable]


@dataclass(frozen=True)
class WrongPredictions:
    """The terms of the n-head loss at which the likeliest token is not the one that comes.

    Attributes
    ----------
    taken : tuple
        The tokens that come.
    num_heads : int
        n.
    pairs : tuple of (int, int)
        Position and head: head i at position t has read ``taken[: t + 1]`` and predicts ``taken[t + i]``.
    """

    taken: tuple[Any, ...]
    num_heads: int
    pairs: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """Number of wrong predictions."""
        return len(self.pairs)

    @cached_property
    def by_head(self) -> list[int]:
        """Number of wrong predictions of head 1, 2 .. n."""
        heads = Counter(head for _, head in self.pairs)
        return [heads[head] for head in range(1, self.num_heads + 1)]

    def named(self) -> list[str]:
        """Each as the token that it is made at, an arrow, and the token that is missed."""
        return [f"{self.taken[t]}->{self.taken[t + head]}" for t, head in self.pairs]


def wrong_predictions(
    taken: Trajectory, trajectories: Sequence[Trajectory] | Mapping[tuple[Any, ...], float], num_heads: int
) -> WrongPredictions:
    """Count the terms of the n-head loss that a model gets wrong which says what is likeliest, along one trajectory.

    Head i reads a prefix and says the token that is most often i places behind it, among the trajectories with this
    prefix. This is the smallest 0-1 loss that parallel heads can have; nothing is said about cross-entropy.

    Parameters
    ----------
    taken : sequence
        The trajectory of tokens that is read and is to be predicted. It may be missing among the trajectories: where
        none goes on from what was read, the choice has been seen and the predictions are right.
    trajectories : sequence of sequences, or mapping from tuples to numbers
        What the model expects: trajectories, once for each time that they occur, or with their weights. Those that
        share a prefix are branches of a tree.
    num_heads : int
        n.

    Returns
    -------
    WrongPredictions
        Where several tokens are likeliest, saying one of them is right if it is the one that comes.

    Raises
    ------
    UsageError
        If there is no trajectory, a weight is negative or none is positive, or ``num_heads`` is no whole number >= 1.

    Notes
    -----
    Source: 2404.19737 Sec. 5.1 and App. L.3, where a model prefers the other of two branches
    (`multitoken/choice-points`, `multitoken/rejoin`).

    Examples
    --------
    >>> wrong_predictions("12345ABC", ["12345XYZ"], 3).named()
    ['3->A', '4->A', '4->B', '5->A', '5->B', '5->C']
    >>> wrong_predictions("12345ABC", ["12345XBC"], 3).named()  # the branches rejoin after one token
    ['3->A', '4->A', '5->A']
    """
    instance("taken", taken, Iterable)
    n, taken = whole("num_heads", num_heads, at_least=1), tuple(taken)
    expected = _weights(trajectories)
    pairs = []
    for t in range(len(taken) - 1):
        expected = {branch: weight for branch, weight in expected.items() if branch[t : t + 1] == taken[t : t + 1]}
        for head in range(1, min(n, len(taken) - 1 - t) + 1):
            mass: Counter[Any] = Counter()
            for branch, weight in expected.items():
                if len(branch) > t + head:
                    mass[branch[t + head]] += weight  # type: ignore[assignment]  # weights may be fractions
            if mass and mass[taken[t + head]] < max(mass.values()):
                pairs.append((t, head))
    return WrongPredictions(taken, n, tuple(pairs))


def two_branches(num_heads: int, rejoin: int | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two trajectories that part once: n tokens before the choice, n after, all their own or the first j of them.

    Parameters
    ----------
    num_heads : int
        n.
    rejoin : int, optional
        j, the number of tokens after which the branches are the same again; never if not given.

    Returns
    -------
    tuple of str, tuple of str
        The better branch, and the other.

    Raises
    ------
    UsageError
        If a number is no whole number >= 1.

    Examples
    --------
    >>> two_branches(2, 1)
    (('1', '2', 'A', 'B'), ('1', '2', 'a', 'B'))
    """
    n = whole("num_heads", num_heads, at_least=1)
    apart = n if rejoin is None else min(n, whole("rejoin", rejoin, at_least=1))
    before = tuple(str(k + 1) for k in range(n))
    better = tuple(chr(ord("A") + k) if n <= 26 else f"A{k}" for k in range(n))
    return before + better, before + tuple(token.lower() for token in better[:apart]) + better[apart:]


def choice_terms(num_heads: int, rejoin: int | None = None) -> int:
    """``sum_i min(i, j)``: the loss terms of a choice whose branches rejoin after j tokens; ``n (n + 1) / 2`` if never.

    Parameters
    ----------
    num_heads : int
        n.
    rejoin : int, optional
        j; never if not given.

    Raises
    ------
    UsageError
        If a number is no whole number >= 1.

    Notes
    -----
    Source: derived; `multitoken/rejoin`. `wrong_predictions` counts the same on trajectories.

    Examples
    --------
    >>> [choice_terms(4, j) for j in (1, 2, 3, 4, 5)], choice_terms(4)
    ([4, 7, 9, 10, 10], 10)
    """
    n = whole("num_heads", num_heads, at_least=1)
    apart = n if rejoin is None else whole("rejoin", rejoin, at_least=1)
    return sum(min(head, apart) for head in range(1, n + 1))


def _weights(trajectories: Sequence[Trajectory] | Mapping[tuple[Any, ...], float]) -> dict[tuple[Any, ...], float]:
    if isinstance(trajectories, str):
        raise UsageError(f"trajectories is {trajectories!r}; it must be a sequence of trajectories, not one of them")
    if isinstance(trajectories, Mapping):
        found = {tuple(branch): weight for branch, weight in trajectories.items()}
    else:
        found = dict(Counter(tuple(branch) for branch in trajectories))
    for branch, weight in found.items():
        if not weight >= 0:
            raise UsageError(f"trajectories has weight {weight!r} for {branch!r}; every weight must be at least 0")
    if not any(found.values()):
        raise UsageError("trajectories has no trajectory of positive weight; there must be at least one")
    return {branch: weight for branch, weight in found.items() if weight}
