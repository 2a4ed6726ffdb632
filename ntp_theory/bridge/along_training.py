"""`along_training`: the objects of the theory, followed while the features they are made of are learned."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..dataset import NTPDataset
from ..errors import CheckpointError, SolverError, UsageError
from ..loss import evaluate
from ..runs import load_arrays, save_arrays
from ..sequence.models import LanguageModel
from ..sequence.objectives import ExactLaws, Objective
from ..sequence.tasks import Batch, SparseContexts, Task
from ..sequence.training import Settings, TeacherForcing, train
from .features import exact_features, features_dataset, head_weights
from .last_layer import LastLayer, last_layer

__all__ = ["AlongTraining", "along_training"]

KIND = "along training"
UNDECIDED = "undecided"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AlongTraining:
    """The last layer of a model at n recorded steps of its training, each time with the limit of its features then.

    Attributes
    ----------
    steps : ndarray (n,), int64
        0 is the start.
    cases : tuple of str (n,)
        `Limit.case` of the features of the time; "undecided" where that could not be computed, with nan in all that
        needs it.
    compatible : ndarray (n,), bool
        Whether some head has the true log-odds; False if that is undecided too.
    in_support, tail : ndarray (n,)
        The two exact parts of the model's own loss above the entropy, nats (`bias/split`).
    excess : ndarray (n,)
        Its loss above the infimum over heads, nats.
    escaping : ndarray (n,)
        The share of off-support pairs that heads can drive to zero probability; 1 where separable.
    margin, share, cosine, finite_error : ndarray (n,)
        As in `LastLayer`: the largest margin over the size of the features, the own head's share of it, its alignment
        with W_mm, and its distance from W* on F, relative.
    embeddings : ndarray (n, m, d)
        The features.
    decoders : ndarray (n, V, d)
        The own heads.
    probabilities : ndarray (m, V)
        Conditionals.
    weights : ndarray (m,)
        pi.
    """

    steps: NDArray[np.int64]
    cases: tuple[str, ...]
    compatible: NDArray[np.bool_]
    in_support: Floats
    tail: Floats
    excess: Floats
    escaping: Floats
    margin: Floats
    share: Floats
    cosine: Floats
    finite_error: Floats
    embeddings: Floats
    decoders: Floats
    probabilities: Floats
    weights: Floats

    @property
    def gap(self) -> Floats:
        """Loss above the entropy, nats."""
        return self.in_support + self.tail

    @property
    def separable(self) -> NDArray[np.bool_]:
        """Whether some head tells all next tokens from all others."""
        return np.array([case.startswith("separable") for case in self.cases])

    def data(self, record: int = -1) -> NTPDataset:
        """The features of a record as a dataset."""
        return NTPDataset(self.embeddings[record], self.probabilities, self.weights)

    def summary(self) -> str:
        """A line a record."""
        lines = ["step     gap (nats)  escaping  margin   share    cosine   error on F  case"]
        for i, step in enumerate(self.steps.tolist()):
            lines.append(
                f"{step:<7d}  {self.gap[i]:<10.3g}  {self.escaping[i]:<8.4f}  {self.margin[i]:<7.4f}  "
                f"{self.share[i]:<7.3f}  {self.cosine[i]:<7.4f}  {self.finite_error[i]:<10.4f}  {self.cases[i]}"
                + ("" if self.compatible[i] else ", incompatible")
            )
        return "\n".join(line.rstrip() for line in lines)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to an npz file; no pickle."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "cases"}
        return save_arrays(path, KIND, arrays, {"cases": list(self.cases)}, compress=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AlongTraining:
        """Read a file written by `save`.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or something else.
        """
        arrays, meta = load_arrays(path, KIND)
        try:
            found = cls(cases=tuple(meta["cases"]), **arrays)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path}: not a record of training ({error})") from error
        n, (m, v) = len(found.steps), found.probabilities.shape
        lengths = {len(getattr(found, field.name)) for field in fields(found)[1:-2]}
        if lengths != {n} or found.embeddings.shape[:2] != (n, m) or found.decoders.shape[:2] != (n, v):
            raise CheckpointError(f"{path}: not a record of training (its arrays do not fit together)")
        return found


def along_training(
    model: LanguageModel,
    task: Task,
    *,
    steps: int,
    every: int,
    objective: Objective | None = None,
    batch: Batch | None = None,
    settings: Settings | None = None,
    optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] | None = None,
    rng: int = 0,
    progress: bool = False,
) -> AlongTraining:
    """Train a model in place, and hold its head against the limit of its features on the way.

    Parameters
    ----------
    model : LanguageModel
    task : Task
        On a `SparseContexts` the model is trained and judged on all contexts with their exact laws, so that losses are
        exact; on another task on what it samples, and judged on ``batch``.
    steps : int
    every : int
        Steps between two records; the start and the end are recorded too.
    objective : Objective, optional
        `ExactLaws` of a `SparseContexts`, with all its contexts in each step, and `TeacherForcing` for others, if None.
    batch : Batch, optional
        Questions whose contexts make the datasets (`features_dataset`); for other tasks than `SparseContexts`.
    settings : Settings, optional
        `ExactLaws` takes all contexts whatever its ``batch_size`` is.
    optimizer : callable, optional
        As for `train`: AdamW if None.
    rng : int
        Seed of the data.
    progress : bool
        Show progress and the time left on a terminal.

    Returns
    -------
    AlongTraining

    Raises
    ------
    UsageError
        If an argument is out of range, or ``batch`` is missing or not needed.
    DatasetError
        If two contexts with different laws come to the same hidden state.
    SolverError
        If the loss is not finite.

    Notes
    -----
    Source: 2402.18551 (`bias/nonlinear-extension`): features are learned, and (4) and (6) are asked of the features of
    each time. Nothing says that the head of a model is near W_mm of features that still move; `train_frozen` shows
    what holds once they do not. The NTP-SVM of each record starts at the multipliers of the last.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> task = SparseContexts(vocab_size=4, num_contexts=3, context_length=2)
    >>> run = along_training(model_for(task), task, steps=4, every=2)
    >>> run.steps.tolist(), bool(run.gap[-1] < run.gap[0]), run.separable.tolist()
    ([0, 2, 4], True, [True, True, True])
    """
    exact = isinstance(task, SparseContexts)
    if (batch is None) is not exact:
        rule = "is not needed: all contexts of the task are taken" if exact else "must be questions of the task"
        raise UsageError(f"batch is {'a Batch' if batch is not None else None}; for {task!r} it {rule}")
    if objective is None:
        objective = ExactLaws(task) if isinstance(task, SparseContexts) else TeacherForcing()
    settings = Settings() if settings is None else settings
    examples = None
    if isinstance(objective, ExactLaws):
        examples = Batch(objective.task.contexts, objective.task.counts.argmax(1)[:, None])
        options = {field.name: getattr(settings, field.name) for field in fields(settings)}
        settings = Settings(**options | {"batch_size": len(examples)})

    def features() -> NTPDataset:
        if isinstance(task, SparseContexts):
            return exact_features(model, task)
        assert batch is not None
        return features_dataset(model, task, objective, batch)

    found: list[dict[str, Any]] = []
    last: LastLayer | None = None

    def record(step: int, data: NTPDataset) -> None:
        nonlocal last
        row, now = _record(model, data, step, last)
        found.append(row)
        last = now or last

    data = features()
    record(0, data)
    train(
        model,
        task,
        objective,
        steps=steps,
        settings=settings,
        optimizer=optimizer,
        examples=examples,
        rng=rng,
        evaluate_every=every,
        evaluate_count=1,
        callback=lambda evaluation: record(evaluation.step, features()),
        progress=progress,
    )
    columns = {name: [record[name] for record in found] for name in found[0]}
    return AlongTraining(
        cases=tuple(columns.pop("cases")),
        probabilities=data.probabilities.to_dense().numpy(),
        weights=data.weights.numpy(),
        **{name: np.array(values) for name, values in columns.items()},
    )


def _record(
    model: LanguageModel, data: NTPDataset, step: int, start: LastLayer | None
) -> tuple[dict[str, Any], LastLayer | None]:
    """What is recorded at one step, by the names of `AlongTraining`; and the limit, where the next one may start."""
    weights = head_weights(model)
    loss = evaluate(weights, data)
    always = {
        "steps": step,
        "in_support": loss.in_support,
        "tail": loss.tail,
        "embeddings": data.embeddings.numpy(),
        "decoders": weights.numpy(),
    }
    names = ("excess", "escaping", "margin", "share", "cosine", "finite_error")
    try:
        found = last_layer(model, data, start=start)
    except SolverError:  # a limit that cannot be computed does not end the training
        return always | {"cases": UNDECIDED, "compatible": False} | dict.fromkeys(names, torch.nan), None
    limit = found.limit
    conditions = {"cases": limit.case, "compatible": limit.compatibility.compatible}
    return always | conditions | {name: getattr(found, name) for name in names}, found
