"""Instances that several claims of 2402.18551 look at, with their predictions and runs: computed once a process."""

from __future__ import annotations

import numpy as np

from ...checks import Check
from ...compare import Comparison, compare
from ...construct import instances
from ...dataset import NTPDataset
from ...descent import Trajectory, descend
from ...errors import UsageError
from ...paths import Path
from ...predict import Limit, predict
from ..registry import Budget, shared

__all__ = ["a2", "a2_comparison", "a2_run", "integer_data", "lemma5", "read", "tiny"]

A2_STEPS: dict[Budget, int] = {"quick": 100_000, "standard": 1_000_000, "full": 1_000_000}


@shared
def a2() -> Limit:
    """The replica of the paper's experiment, and its prediction."""
    return predict(instances.a2())


@shared
def tiny() -> Limit:
    """Six contexts and five tokens, and the prediction."""
    return predict(instances.tiny())


@shared
def lemma5() -> Limit:
    """Eight contexts and five tokens, and the prediction."""
    return predict(instances.lemma5())


@shared
def a2_run(budget: Budget) -> Trajectory:
    """Gradient descent on the replica with the paper's step size, from zero."""
    return descend(a2().data, steps=A2_STEPS[budget], step_size=0.5)


@shared
def a2_comparison(budget: Budget) -> Comparison:
    """That run against the prediction."""
    return compare(a2_run(budget), a2())


def read(run: Trajectory | Path, limit: Limit, label: str) -> list[Check]:
    """What `compare` says under one label; none is an error, since a law that was not read was not met."""
    found = compare(run, limit)
    chosen = [check for check in found.checks if check.label == label]
    if not chosen:
        raise UsageError(f"{label} was not read: {found.note}")
    return chosen


@shared
def integer_data(count: int = 24, seed: int = 0) -> tuple[NTPDataset, ...]:
    """Small datasets of integer counts on integer embeddings, of every kind that chance makes."""
    r = np.random.default_rng(seed)
    found: list[NTPDataset] = []
    while len(found) < count:
        m, v, d = (int(r.integers(lo, hi)) for lo, hi in ((2, 5), (2, 5), (1, 4)))
        embeddings = r.integers(-2, 3, (m, d))
        counts = r.integers(1, 5, (m, v)) * (r.random((m, v)) < 0.6)
        if len(np.unique(embeddings, axis=0)) == m and counts.any(1).all():
            found.append(NTPDataset.from_counts(embeddings, counts))
    return tuple(found)
