"""What happens on path-star graphs: the cheat, the guess, the cascade, and how long a plateau is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import chisquare
from torch import Tensor

from ...doors import instance, positive, share, whole
from ...errors import UsageError
from ..evaluation import CHUNK, Evaluation, confidence_interval
from ..models import LanguageModel
from ..tasks import Batch, PathStar
from ..training.result import TrainResult

__all__ = [
    "Cheating",
    "PositionLeak",
    "cheating",
    "compounded",
    "first_passage",
    "guessing_losses",
    "plateau",
    "position_leak",
]


@dataclass(frozen=True)
class Cheating:
    """What a model does when the answer so far, which it is shown, is a wrong one.

    Attributes
    ----------
    count : int
        Questions.
    forced : tuple of float
        For every answer token the share that is right after the true tokens before it.
    corrupted : tuple of tuple of float
        Entry k - 1: the same when the token at place k alone, of 1 .. l - 2, is replaced by the node of another arm at
        the same distance from the start. Tokens up to place k cannot see it. A model that looks up the child of the
        last token shown is never right at place k + 1; one that knows the way loses nothing.
    follows : float
        Shown the path along another arm, the share of inner answer tokens behind its branch that are the children of
        the tokens shown: the rule of one edge.
    returns : float
        Share of them that are on the way to the goal, as if the wrong branch had not been shown.
    ends_at_goal : float
        Share of last tokens that are then the goal. The question names it, so it can be copied without a look at any
        edge, and it is no child of what was shown.
    """

    count: int
    forced: tuple[float, ...]
    corrupted: tuple[tuple[float, ...], ...]
    follows: float
    returns: float
    ends_at_goal: float

    @property
    def interval(self) -> tuple[float, float]:
        """A 95 % interval for the share of questions on which it follows, as if tokens of one answer went together."""
        return confidence_interval(round(self.follows * self.count), self.count)


def cheating(
    model: LanguageModel, task: PathStar, *, count: int = 1000, rng: int | np.random.Generator = 0
) -> Cheating:
    """Show a model a wrong answer so far and see what it makes of it (`pitfalls/clever-hans`).

    Teacher forcing shows the answer so far, after which every token but the branch is a look-up of one edge. A model
    that has learned this rule and nothing else follows any branch that it is shown; the last token it may copy from the
    question.

    Parameters
    ----------
    model : LanguageModel
    task : PathStar
        In forward order, with paths of at least 4 nodes.
    count : int
    rng : int or numpy.random.Generator

    Returns
    -------
    Cheating

    Raises
    ------
    UsageError
        If the task is reversed, or its paths have no inner node behind the branch, or the model is too small for it.

    Notes
    -----
    Source: 2403.06963; the score is ours (`pitfalls/clever-hans`).
    """
    if task.order != "forward" or task.path_length < 4:
        raise UsageError(f"task is {task!r}; it must be in forward order with path_length >= 4")
    whole("count", count, at_least=1)
    model.check_fits(task)
    batch = task.sample(count, rng, split="test")
    wrong = _wrong_paths(task, batch)
    said = _after(model, batch, wrong)
    behind = slice(2, -1)
    follows = float((said[:, behind] == wrong[:, behind]).double().mean())
    returns = float((said[:, behind] == batch.answers[:, behind]).double().mean())
    goal = float((said[:, -1] == batch.answers[:, -1]).double().mean())
    corrupted = []
    for place in range(1, task.path_length - 1):
        shown = batch.answers.clone()
        shown[:, place] = wrong[:, place]
        corrupted.append(_right(_after(model, batch, shown), batch))
    forced = _right(_after(model, batch, batch.answers), batch)
    return Cheating(count, forced, tuple(corrupted), follows, returns, goal)


def _after(model: LanguageModel, batch: Batch, shown: Tensor) -> Tensor:
    """What the model says (b, l) at every place of the answer after the tokens shown before it."""
    parts = []
    with model.asked():
        for tokens in batch.with_tokens(shown[:, :-1]).split(CHUNK):
            parts.append(model(tokens.to(model.device))[:, batch.prompt_length - 1 :].argmax(-1).cpu())
    return torch.cat(parts)


def _right(said: Tensor, batch: Batch) -> tuple[float, ...]:
    """For every answer token the share that is right."""
    return tuple((said == batch.answers).double().mean(0).tolist())


def _wrong_paths(task: PathStar, batch: Batch) -> Tensor:
    """For every question the path from the start along another arm."""
    arms = torch.from_numpy(task.arms(batch))
    start, goal = batch.answers[:, :1], batch.answers[:, -1:]
    first_wrong = (arms[:, :, -1] != goal).int().argmax(1)
    return torch.cat([start, arms[torch.arange(len(arms)), first_wrong]], dim=1)


@dataclass(frozen=True)
class PositionLeak:
    """Whether questions give the answer away by the order of their edges.

    Attributes
    ----------
    ranks : tuple of int
        In how many questions the edge to take is the first, the second .. the d-th of the start's edges.
    p_value : float
        Probability of counts that are as uneven or more if the order is random.
    """

    ranks: tuple[int, ...]
    p_value: float


def position_leak(task: PathStar, batch: Batch) -> PositionLeak:
    """Is the order of the edges random, as far as the edge to take and the edge to the goal can tell?

    Two chi-square tests at once (the smaller p-value, doubled): of the rank of the edge to take among the start's
    edges, and of the places of that edge and of the one to the goal, all pairs of which are equally likely in a
    shuffled list. The first finds lists that begin with the right arm, the second also lists that go arm by arm.

    Parameters
    ----------
    task : PathStar
    batch : Batch
        Questions of any source; at least five for every pair of places.

    Returns
    -------
    PositionLeak

    Raises
    ------
    UsageError
        If there are too few questions.

    Notes
    -----
    Source: `pitfalls/no-leak`.

    Examples
    --------
    >>> task = PathStar(2, 3, 5)
    >>> position_leak(task, task.sample(1000, rng=0)).p_value > 0.01
    True
    """
    e = task.num_edges
    pairs = e * (e - 1) if task.path_length > 2 else e
    if len(batch) < 5 * pairs:
        raise UsageError(f"batch has {len(batch)} questions; it must have {5 * pairs}, five for every pair of places")
    edges, start, goal = task.encoding.decode(batch.prompts.cpu().numpy())
    arms = task.arms(batch)
    rank = (arms[:, :, -1] == goal[:, None]).argmax(1)
    branch = arms[np.arange(len(arms)), rank, 0]
    taken, last = ((edges[:, :, 1] == node[:, None]).argmax(1) for node in (branch, goal))
    ranks = np.bincount(rank, minlength=task.degree)
    places = np.bincount(taken * e + last, minlength=e * e).reshape(e, e)
    possible = ~np.eye(e, dtype=bool) if task.path_length > 2 else np.eye(e, dtype=bool)
    p_values = [float(chisquare(counts).pvalue) for counts in (ranks, places[possible])]
    return PositionLeak(tuple(ranks.tolist()), min(1.0, 2 * min(p_values)))


def guessing_losses(task: PathStar, *, teacherless: bool = False) -> tuple[float, ...]:
    """The loss in nats at every answer token of a model that guesses what it cannot look up (`pitfalls/chance-level`).

    Parameters
    ----------
    task : PathStar
        In forward order.
    teacherless : bool
        What is guessed: under teacher forcing the arm alone, one of d; without a teacher every inner node, one of
        ``d (l - 2)``.

    Examples
    --------
    >>> [f"{loss:.3f}" for loss in guessing_losses(PathStar(2, 5, 9))]
    ['0.000', '0.693', '0.000', '0.000', '0.000']
    >>> f"{guessing_losses(PathStar(2, 5, 9), teacherless=True)[1]:.3f}"
    '1.792'
    """
    if task.order != "forward":
        raise UsageError(f"task is {task!r}; it must be in forward order: backwards nothing need be guessed")
    inner = task.path_length - 2
    guess = math.log(task.degree * inner) if teacherless and inner else math.log(task.degree)
    middle = (guess,) * inner if teacherless else (guess, *(0.0,) * (inner - 1)) if inner else ()
    return (0.0, *middle, 0.0)


def compounded(evaluation: Evaluation) -> float:
    """The free accuracy of a model that is right at every token with its forced accuracy, independently.

    On the plateau that is 1/d, the branch alone: errors that pile up on each other, the *snowballing* of inference-time
    errors, would lie below it (`pitfalls/snowballing`).

    Examples
    --------
    >>> compounded(Evaluation(step=0, count=10, free=0.5, forced=(1.0, 0.5, 1.0), losses=()))
    0.5
    """
    instance("evaluation", evaluation, Evaluation)
    if not evaluation.forced:
        raise UsageError("evaluation has no forced accuracies; its task has no right answers")
    return math.prod(evaluation.forced)


def first_passage(result: TrainResult, level: float = 0.95) -> tuple[int | None, ...]:
    """For every answer token the examples seen at the first evaluation where its forced accuracy reached a level.

    Teacherless training learns them from the last to the first, the *reverse cascade* (`pitfalls/reverse-cascade`):
    the forced accuracy is then that of one parallel pass.

    Returns
    -------
    tuple of int or None
        None where it never did.
    """
    instance("result", result, TrainResult)
    share("level", level)
    reached = []
    for position in range(len(result.evaluations[0].forced)):
        steps = [one.step for one in result.evaluations if one.forced[position] >= level]
        reached.append(steps[0] * result.batch_size if steps else None)
    return tuple(reached)


def plateau(result: TrainResult, chance: float, width: float = 0.04) -> tuple[int, bool]:
    """How long the free accuracy stayed at chance, in examples, and whether the run left it (`pitfalls/plateau`).

    Parameters
    ----------
    result : TrainResult
    chance : float
        1/d.
    width : float
        How far from chance it may be.

    Returns
    -------
    examples : int
        Seen at the last evaluation within the width before the first above it; 0 if none is within it.
    left : bool
        Whether an evaluation is above it: the plateau is then that long, otherwise at least that long.
    """
    share("chance", chance)
    positive("width", width)
    examples = 0
    for one in result.evaluations:
        if one.free > chance + width:
            return examples, True
        if one.free >= chance - width:
            examples = one.step * result.batch_size
    return examples, False
