"""How often a model is right about expressions with more and more operators."""

from __future__ import annotations

import numpy as np

from ...doors import generator
from ...errors import UsageError
from ..evaluation import Evaluation, evaluate
from ..models.embedding import LanguageModel
from ..objectives import Objective
from ..tasks.polynomials import PolynomialArithmetic

__all__ = ["by_operators"]


def by_operators(
    model: LanguageModel,
    task: PolynomialArithmetic,
    objective: Objective | None = None,
    *,
    count: int = 2000,
    rng: int | np.random.Generator = 0,
) -> dict[int, Evaluation]:
    """Accuracies on held-out expressions with m operators, for every m that questions have room for.

    Parameters
    ----------
    model : LanguageModel
    task : PolynomialArithmetic
        As it was trained on: numbers of operators from ``fewest`` to ``most`` are in its domain, others out of it.
    objective : Objective, optional
        As it was trained; teacher forcing if None.
    count : int
        Expressions for every m; 2,000 in the paper.
    rng : int or numpy.random.Generator

    Returns
    -------
    dict of int to Evaluation

    Raises
    ------
    UsageError
        If an argument is out of range, the task is another one, or the model is too small for it.

    Notes
    -----
    Source: 2404.19737 Sec. 4.2 (`multitoken/arithmetic`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PolynomialArithmetic
    >>> task = PolynomialArithmetic(1, room=2)
    >>> list(by_operators(model_for(task, layers=1), task, count=10))
    [1, 2]
    """
    if not isinstance(task, PolynomialArithmetic):
        raise UsageError(f"task is {task!r}; it must be a PolynomialArithmetic task")
    random = generator(rng)
    return {m: evaluate(model, task.only(m), objective, count=count, rng=random) for m in range(1, task.room + 1)}
