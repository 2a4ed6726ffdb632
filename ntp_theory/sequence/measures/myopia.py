"""What planning for later tokens is worth to trained models: losses of two of them, position by position.

The myopia gap and the local bonus of the theory are differences of least losses, which exist where training finds them
(`ntp_theory.planning`). Of trained networks only the difference between two models of stated budgets can be seen; it
bears the same names here, and can be negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student
from torch import Tensor

from ...doors import share, whole
from ...errors import UsageError
from ..evaluation import CHUNK
from ..models.embedding import LanguageModel
from ..models.myopic import Cut
from ..objectives import Example, Objective, TeacherForcing
from ..tasks.task import Task

__all__ = ["LossDifference", "local_bonus", "myopia_gap"]


@dataclass(frozen=True)
class LossDifference:
    """How much more one model loses than another on the same held-out sequences.

    Attributes
    ----------
    name : str
        What the difference is called.
    models : (str, str)
        What the two are called: the difference is the loss of the first minus that of the second.
    count : int
        Sequences.
    level : float
        Of the confidence intervals.
    first, second : tuple of float
        Mean losses at each judged position, in nats or what the objective says.
    by_position : tuple of float
        Their differences.
    half_widths : tuple of float
        Of the confidence interval of each difference, each position for itself.
    overall : float
        The mean difference over positions.
    half_width : float
        Of its confidence interval.

    Notes
    -----
    Intervals are Student's for paired differences, one number a sequence: what makes a sequence hard for both models
    drops out, and positions of one sequence may depend on each other. They speak of these two models, not of training
    again: another seed moves the difference as well, and only more seeds show by how much.
    """

    name: str
    models: tuple[str, str]
    count: int
    level: float
    first: tuple[float, ...]
    second: tuple[float, ...]
    by_position: tuple[float, ...]
    half_widths: tuple[float, ...]
    overall: float
    half_width: float

    @property
    def interval(self) -> tuple[float, float]:
        """The confidence interval of the mean difference."""
        return self.overall - self.half_width, self.overall + self.half_width

    @property
    def sign(self) -> int:
        """1 or -1 if the interval lies on one side of 0; 0 if it does not."""
        low, high = self.interval
        return int(low > 0) - int(high < 0)

    def summary(self) -> str:
        """A table of positions, and the mean in the last line."""
        one, other = self.models
        lines = [f"{'position':>8}  {one:>10}  {other:>10}  {self.name:>12}"]
        rows = zip(self.first, self.second, self.by_position, self.half_widths, strict=True)
        lines += [f"{k:>8}  {a:10.4f}  {b:10.4f}  {d:+12.4f} +- {h:.4f}" for k, (a, b, d, h) in enumerate(rows)]
        said = f"{self.name} {self.overall:+.4f} +- {self.half_width:.4f}"
        return "\n".join([*lines, f"{said}, {self.level:.0%} interval over {self.count} sequences"])


def myopia_gap(
    plain: LanguageModel,
    myopic: LanguageModel,
    task: Task,
    objective: Objective | None = None,
    *,
    count: int = 1000,
    rng: int | np.random.Generator = 0,
    level: float = 0.95,
) -> LossDifference:
    """The loss of a model trained myopically minus that of one trained plainly, on the same held-out sequences.

    Positive means that gradients across positions paid; whether for lack of time or in the limit, it does not say.

    Parameters
    ----------
    plain, myopic : LanguageModel
        Trained with and without gradients to other positions, otherwise alike.
    task : Task
    objective : Objective, optional
        By whose `Objective.losses` both are judged; teacher forcing if None.
    count : int
        Sequences, from the split "test".
    rng : int or numpy.random.Generator
    level : float
        Of the confidence intervals.

    Returns
    -------
    LossDifference

    Raises
    ------
    UsageError
        If an argument is out of range, a model is too small for the task, or the objective makes more or less than
        one row of losses of a sequence.

    Notes
    -----
    Source: 2404.00859 (`planning/myopia-gap`); of models, where the theory speaks of minima.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3)
    >>> found = myopia_gap(model_for(task, seed=0), model_for(task, seed=0), task, count=10)
    >>> found.overall, found.interval, found.sign
    (0.0, (0.0, 0.0), 0)
    """
    return _difference("myopia gap", ("myopic", "plain"), myopic, plain, task, objective, count, rng, level)


def local_bonus(
    plain: LanguageModel,
    reader: LanguageModel,
    task: Task,
    objective: Objective | None = None,
    *,
    cut: str = "hidden_states",
    count: int = 1000,
    rng: int | np.random.Generator = 0,
    level: float = 0.95,
) -> LossDifference:
    """The loss of a plainly trained model minus that of a reader on its frozen past, on the same sequences.

    Positive means that the model computes something for later positions at a cost to the present ones.

    Parameters
    ----------
    plain : LanguageModel
    reader : Transformer
        Trained by ``Myopic(objective, cut, past=plain)``; the past that it reads here is that of ``plain`` too.
    task, objective, count, rng, level
        As for `myopia_gap`.
    cut : {"hidden_states", "keys_values"}
        As of `Myopic`.

    Returns
    -------
    LossDifference

    Raises
    ------
    UsageError
        As `myopia_gap`, or if the reader cannot have such a past (`Cut`).

    Notes
    -----
    Source: 2404.00859 (`planning/local-bonus`); of models, where the theory speaks of minima. A reader that starts as
    a copy of ``plain`` starts at 0.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3)
    >>> plain, reader = model_for(task, seed=0), model_for(task, seed=0)
    >>> abs(local_bonus(plain, reader, task, count=10).overall) < 1e-6
    True
    """
    with reader.cut(Cut(cut, past=plain)):
        return _difference("local bonus", ("plain", "reader"), plain, reader, task, objective, count, rng, level)


def _difference(
    name: str,
    names: tuple[str, str],
    one: LanguageModel,
    other: LanguageModel,
    task: Task,
    objective: Objective | None,
    count: int,
    rng: int | np.random.Generator,
    level: float,
) -> LossDifference:
    whole("count", count, at_least=2)
    level = share("level", level, below_one=True)
    objective = TeacherForcing() if objective is None else objective
    for model in (one, other):
        model.check_fits(task)
    objective.check_fits(task)
    first, second = _losses((one, other), task, objective, count, rng)
    apart = first - second
    over = apart.mean(axis=1)
    quantile = float(student.ppf((1 + level) / 2, count - 1)) / math.sqrt(count)
    return LossDifference(
        name,
        names,
        count,
        level,
        first=tuple(first.mean(axis=0).tolist()),
        second=tuple(second.mean(axis=0).tolist()),
        by_position=tuple(apart.mean(axis=0).tolist()),
        half_widths=tuple((quantile * apart.std(axis=0, ddof=1)).tolist()),
        overall=float(over.mean()),
        half_width=quantile * float(over.std(ddof=1)),
    )


def _losses(
    models: tuple[LanguageModel, LanguageModel],
    task: Task,
    objective: Objective,
    count: int,
    rng: int | np.random.Generator,
) -> list[NDArray[np.float64]]:
    """Of both models (count, n), on one and the same example."""
    batch, generator = task.sample(count, rng, split="test"), torch.Generator().manual_seed(0)
    found: list[list[Tensor]] = [[], []]
    for begin in range(0, count, CHUNK):
        some = batch[begin : begin + CHUNK]
        made = objective.example(some, task, generator)
        for model, rows in zip(models, found, strict=True):
            with model.asked():
                placed = Example(made.tokens.to(model.device), made.labels.to(model.device))
                rows.append(objective.losses(model, placed).double().cpu())
            if len(rows[-1]) != len(some):
                raise UsageError(
                    f"objective is {objective.name}, which makes {len(rows[-1])} rows of losses of {len(some)} "
                    "sequences; it must make one of each, for the sequences to be independent"
                )
    return [torch.cat(rows).numpy() for rows in found]
