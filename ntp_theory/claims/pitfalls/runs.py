"""The runs of training that claims on path-star graphs share."""

from __future__ import annotations

from ...sequence.models import LanguageModel, model_for
from ...sequence.objectives import Objective
from ...sequence.tasks import PathStar
from ...sequence.training import TrainResult, train
from ..registry import shared

__all__ = ["COUNT", "trained"]

COUNT = 10_000
"""Held-out graphs of the last word on a run."""


@shared
def trained(
    length: int,
    order: str,
    objective: Objective,
    steps: int,
    seed: int,
    until: float | None = None,
    *,
    architecture: str = "transformer",
    num_nodes: int | None = None,
    layers: int | None = None,
    encoding: str = "edge-packed",
) -> tuple[PathStar, LanguageModel, TrainResult]:
    """A model trained on G(2, l) with fresh examples: l layers and just enough labels, if nothing else is said."""
    task = PathStar(2, length, num_nodes or 2 * length - 1, order, encoding=encoding)
    model = model_for(task, architecture, layers=layers, seed=seed)
    result = train(model, task, objective, steps=steps, rng=seed, until=until, evaluate_every=125)
    return task, model, result
