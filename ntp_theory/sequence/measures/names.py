"""Whether a model completes names from their first mention: which of the names it has seen, and the right one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...doors import whole
from ...errors import UsageError
from ..evaluation import confidence_interval
from ..models.embedding import LanguageModel
from ..tasks.induction import Induction

__all__ = ["InductionAccuracy", "induction"]

# Pairs of positions that are compared at once.
CHUNK = 4_000_000


@dataclass(frozen=True)
class InductionAccuracy:
    """The likeliest token where the second token of a name comes that has been mentioned before.

    Attributes
    ----------
    count : int
        Such places; first mentions are none.
    right : float
        The share of them with the right token: the metric of the paper.
    copied : float
        The share with the second token of any name mentioned before. A model that copies one of them, whichever, is at
        1 here, at `Induction.guessing_accuracy` in ``right`` and low in ``told_apart``.
    choices : int
        Places where at least two second tokens have been mentioned, so that there is a choice.
    told_apart : float
        The share of these with the right token: induction. nan if there are none.
    first_mention : float
        The share of right second tokens at first mentions, where they cannot be known; nan if there are none.

    Notes
    -----
    `right_interval` and `told_apart_interval` take places as independent; those of one sequence are not quite.
    """

    count: int
    right: float
    copied: float
    choices: int
    told_apart: float
    first_mention: float

    @property
    def right_interval(self) -> tuple[float, float]:
        """A 95 % confidence interval."""
        return confidence_interval(round(self.right * self.count), self.count)

    @property
    def told_apart_interval(self) -> tuple[float, float]:
        """A 95 % confidence interval."""
        return confidence_interval(round(self.told_apart * self.choices), self.choices)


def induction(
    model: LanguageModel,
    task: Induction,
    *,
    count: int = 1000,
    rng: int | np.random.Generator = 0,
    split: str | None = "test",
) -> InductionAccuracy:
    """Judge a model by the second tokens of names.

    Parameters
    ----------
    model : LanguageModel
        It reads the true tokens and is asked for the next one.
    task : Induction
    count : int
        Sequences.
    rng : int or numpy.random.Generator
    split : {"train", "test"}, optional
        Of the names; any if None.

    Returns
    -------
    InductionAccuracy

    Raises
    ------
    UsageError
        If an argument is out of range, the task is another one, the model is too small for it, or no name comes again.

    Notes
    -----
    Source: 2404.19737 Sec. 4.1; the two stages are those of `multitoken/induction-toy`.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import Induction
    >>> task = Induction()
    >>> found = induction(model_for(task, layers=1), task, count=100)
    >>> found.count > 300, found.told_apart < 0.2
    (True, True)
    """
    if not isinstance(task, Induction):
        raise UsageError(f"task is {task!r}; it must be an Induction task")
    model.check_fits(task)
    batch = task.sample(whole("count", count, at_least=1), rng, split=split)
    seconds = task.second_tokens(batch)
    hits = torch.zeros(7, dtype=torch.int64)
    rows = max(1, CHUNK // task.length**2)
    with model.asked():
        for begin in range(0, count, rows):
            tokens, second = (x[begin : begin + rows] for x in (batch.with_tokens(batch.answers), seconds))
            said = torch.zeros_like(tokens)
            said[:, 1:] = model(tokens[:, :-1].to(model.device)).argmax(-1).cpu()
            first = tokens.roll(1, dims=1)
            earlier = (second[:, :, None] & second[:, None, :]).tril(-1)
            again = (earlier & (first[:, :, None] == first[:, None, :])).any(2)
            copied = (earlier & (said[:, :, None] == tokens[:, None, :])).any(2)
            choice = again & (earlier & (tokens[:, :, None] != tokens[:, None, :])).any(2)
            right, new = said == tokens, second & ~again
            kinds = (again, again & right, again & copied, choice, choice & right, new, new & right)
            hits = hits + torch.stack([kind.sum() for kind in kinds])
    places, right_ones, copies, choices, told_apart, firsts, first_right = hits.tolist()
    if not places:
        raise UsageError(f"task is {task!r}; no name comes again in {count} sequences: take more, or longer ones")
    return InductionAccuracy(
        count=places,
        right=right_ones / places,
        copied=copies / places,
        choices=choices,
        told_apart=told_apart / choices if choices else float("nan"),
        first_mention=first_right / firsts if firsts else float("nan"),
    )
