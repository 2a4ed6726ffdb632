"""`train`: the one loop that trains sequence models."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from ...doors import number, whole
from ...errors import CheckpointError, SolverError, UsageError
from ...runs import Progress, digest
from ..evaluation import Evaluation, evaluate
from ..models import LanguageModel
from ..objectives import Example, Objective
from ..tasks.batch import Batch
from ..tasks.task import Task
from .checkpoint import TrainingCheckpoint
from .result import TrainResult
from .settings import Settings

__all__ = ["train"]


def train(
    model: LanguageModel,
    task: Task,
    objective: Objective,
    *,
    steps: int,
    settings: Settings | None = None,
    optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] | None = None,
    examples: Batch | None = None,
    rng: int = 0,
    evaluate_every: int = 250,
    evaluate_count: int = 1000,
    until: float | None = None,
    callback: Callable[[Evaluation], object] | None = None,
    progress: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
) -> TrainResult:
    """Train a model on a task, in place.

    Parameters
    ----------
    model : LanguageModel
        On the device on which it is to be trained.
    task : Task
    objective : Objective
        What the model sees and is judged by.
    steps : int
        Steps of the optimiser, each on ``settings.batch_size`` examples.
    settings : Settings, optional
    optimizer : callable, optional
        Makes an optimiser of groups of parameters, such as `NormSteps` or ``torch.optim.SGD``; its learning rate is set
        before each step by ``settings``. AdamW as ``settings`` say if None.
    examples : Batch, optional
        A fixed training set with right answers, gone through in a new order each time and without the questions of the
        split "test" (`Task.held_out`); fresh examples from the split "train" if None.
    rng : int
        Seed of the data. Step k draws from a generator of its own, so a run that is resumed sees the same.
    evaluate_every : int
        Steps between two evaluations; there is one at the end in any case.
    evaluate_count : int
        Held-out questions of an evaluation.
    until : float, optional
        Stop at the first evaluation with such a free accuracy.
    callback : callable, optional
        Called with every `Evaluation`; a true answer ends the run, which goes on if it is resumed from a checkpoint.
    progress : bool
        Show progress and the time left on a terminal.
    checkpoint : path, optional
        A file in which the run is kept on the way and at its end; if it holds this run, it goes on from there, to the
        same weights bit for bit on the CPU.
    checkpoint_every : float
        Seconds between two saves.

    Returns
    -------
    TrainResult

    Raises
    ------
    UsageError
        If an argument is out of range, or the model is too small for the task.
    SolverError
        If the loss or its gradient is not finite; the weights are those before that step.
    CheckpointError
        If the checkpoint is damaged, or of another run.

    Notes
    -----
    Under ``torchrun`` every process takes its share of each batch and gradients are averaged, so that all keep the
    same weights, at first those of process 0; the batch size must be a multiple of the number of processes. The
    checkpoint must be on a disk that all of them see.

    A checkpoint holds the state between two steps, also when the run ends by an exception. If an exception or a signal
    falls into the moment in which weights are updated, the file stays as it was.

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> from ntp_theory.sequence.training import TeacherForcing
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> task = PathStar(2, 2, 3)
    >>> model = Transformer(TransformerConfig(task.vocab_size, task.max_length, slots=task.slots, null=task.null))
    >>> result = train(model, task, TeacherForcing(), steps=3, evaluate_count=10)
    >>> result.losses.shape, result.evaluations[-1].step
    ((3, 2), 3)
    """
    whole("steps", steps, at_least=1)
    whole("rng", rng, at_least=0)
    whole("evaluate_every", evaluate_every, at_least=1)
    whole("evaluate_count", evaluate_count, at_least=1)
    settings = Settings() if settings is None else settings
    kinds = {"model": LanguageModel, "task": Task, "objective": Objective, "settings": Settings}
    for (name, kind), value in zip(kinds.items(), (model, task, objective, settings), strict=True):
        if not isinstance(value, kind):
            raise UsageError(f"{name} is {value!r}; it must be of type {kind.__name__}")
    if until is not None:
        number("until", until, "above 0 and at most 1, an accuracy", lambda x: 0.0 < x <= 1.0)
        if not task.right_answers:
            raise UsageError(f"until is {until!r}; {task!r} has no right answers to stop at")
    if callback is not None and not callable(callback):
        raise UsageError(f"callback is {callback!r}; it must be callable")
    run = _Run(model, task, objective, settings, optimizer, examples, rng, steps)
    file = None if checkpoint is None else TrainingCheckpoint(checkpoint, run.description(), checkpoint_every)
    step = 0
    losses: list[NDArray[np.float32]] = []
    evaluations: list[Evaluation] = []
    if file is not None and file.exists:
        step, losses, evaluations = file.load(model, run.optimiser)
    run.begin(step)
    if step > steps:
        raise CheckpointError(f"{checkpoint}: is at step {step} already; steps is {steps}")
    model.train()
    whole_step, begun = True, time.perf_counter()
    with Progress(steps, f"{objective.name}", done=step, enabled=progress and run.rank == 0) as shown:
        try:
            while True:
                evaluated = bool(evaluations) and evaluations[-1].step == step
                if step and not evaluated and (step % evaluate_every == 0 or step == steps):
                    held_out = np.random.default_rng([rng, 1])  # the same questions each time
                    evaluations.append(evaluate(model, task, objective, count=evaluate_count, rng=held_out, step=step))
                    evaluated = True
                    if callback is not None and callback(evaluations[-1]):
                        break
                if step == steps or (evaluated and until is not None and evaluations[-1].free >= until):
                    break
                found = run.gradient(step + 1)
                whole_step = False
                run.update(step + 1)
                losses.append(found)
                step += 1
                whole_step = True
                shown.update(step, f"loss {losses[-1].mean():.4f}" + _free(evaluations))
                if file is not None and run.rank == 0 and file.due():
                    file.save(step, losses, evaluations, model, run.optimiser)
        finally:
            if file is not None and run.rank == 0 and whole_step:
                file.save(step, losses, evaluations, model, run.optimiser)
    return TrainResult(
        objective=objective.name,
        task=repr(task),
        batch_size=settings.batch_size,
        losses=np.stack(losses),
        evaluations=tuple(evaluations),
        seconds=time.perf_counter() - begun,
    )


def _free(evaluations: list[Evaluation]) -> str:
    if not evaluations or math.isnan(evaluations[-1].free):
        return ""
    return f", free {evaluations[-1].free:.3f}"


def _check_examples(examples: Batch, task: Task) -> None:
    """They must be questions of the task with right answers, and none of those that are kept for tests."""
    task.check("examples", examples)
    if task.right_answers and not (right := task.is_correct(examples, examples.answers)).all():
        raise UsageError(
            f"examples has {int((~right).sum())} answers that are wrong for {task!r}, the first at "
            f"{int(right.int().argmin())}"
        )
    held_out = task.held_out(examples)
    if held_out.any():
        raise UsageError(
            f"examples has {int(held_out.sum())} questions that are held out for tests, the first at "
            f"{int(held_out.int().argmax())}; drop them with examples[~task.held_out(examples)]"
        )


def _digest(examples: Batch) -> str:
    return digest({"prompts": examples.prompts.cpu().numpy(), "answers": examples.answers.cpu().numpy()})


def _groups(model: LanguageModel, objective: Objective, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters by their weight decay and by the factor of their learning rate."""
    groups: dict[tuple[float, float], list[Tensor]] = {(weight_decay, 1.0): [], (0.0, 1.0): []}
    for name, p in model.named_parameters():
        if p.requires_grad:
            decayed = p.dim() > 1 and not getattr(p, "_no_weight_decay", False)
            groups.setdefault((weight_decay if decayed else 0.0, objective.rate_factor(name)), []).append(p)
    return [{"params": ps, "weight_decay": decay, "factor": factor} for (decay, factor), ps in groups.items() if ps]


def _made(
    optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer], groups: list[dict[str, Any]]
) -> torch.optim.Optimizer:
    try:
        made: object = optimizer(groups)
    except Exception as error:  # whatever a callable may raise
        raise UsageError(f"optimizer is {optimizer!r}; it makes no optimiser: {error}") from error
    if not isinstance(made, torch.optim.Optimizer):
        raise UsageError(f"optimizer is {optimizer!r}; it must make a torch.optim.Optimizer, not {made!r}")
    return made


class _Run:
    """One step at a time: examples, loss, gradient, update."""

    def __init__(
        self,
        model: LanguageModel,
        task: Task,
        objective: Objective,
        settings: Settings,
        optimizer: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] | None,
        examples: Batch | None,
        rng: int,
        steps: int,
    ) -> None:
        self.model, self.task, self.objective, self.settings = model, task, objective, settings
        self.examples, self.rng, self.steps = examples, rng, steps
        self.world = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        self.rank = dist.get_rank() if self.world > 1 else 0
        if settings.batch_size % self.world:
            raise UsageError(
                f"batch_size is {settings.batch_size}; it must be a multiple of the number of processes, {self.world}"
            )
        model.check_fits(task)
        objective.check_fits(task)
        if examples is not None:
            _check_examples(examples, task)
            if len(examples) < settings.batch_size:
                raise UsageError(
                    f"examples has {len(examples)}; it must have a batch of {settings.batch_size} at least"
                )
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise UsageError("model has no parameter that requires a gradient; there is nothing to train")
        self.device = model.device
        groups = _groups(model, objective, settings.weight_decay)
        usual = partial(torch.optim.AdamW, lr=settings.learning_rate, betas=settings.betas, fused=True)
        self.optimiser = _made(usual if optimizer is None else optimizer, groups)
        self.chosen = None if optimizer is None else repr(self.optimiser)  # its settings, as they were made

    def description(self) -> dict[str, Any]:
        """What makes a run this run and no other."""
        return {
            "task": repr(self.task),
            "objective": repr(self.objective),
            "settings": repr(self.settings),
            "optimizer": self.chosen,
            "model": repr(getattr(self.model, "config", type(self.model).__name__)),
            "weights": sorted({str(p.dtype).removeprefix("torch.") for p in self.model.parameters()}),
            "rng": self.rng,
            # a cosine that ends elsewhere is another run from the start
            "steps": self.steps if self.settings.schedule == "cosine" else None,
            "examples": None if self.examples is None else _digest(self.examples),
        }

    def begin(self, step: int) -> None:
        """All processes begin at one step, with the weights of process 0."""
        if self.world == 1:
            return
        steps: list[Any] = [None] * self.world
        dist.all_gather_object(steps, step)
        if len(set(steps)) > 1:
            raise CheckpointError(f"processes begin at steps {steps}; all of them must see the same checkpoint")
        for value in self.model.state_dict().values():
            dist.broadcast(value, 0)

    def gradient(self, number: int) -> NDArray[np.float32]:
        """Leaves the gradient of a step with the parameters; returns the mean loss at every judged position."""
        example = self._example(number)
        half = self.settings.precision == "bfloat16"
        self.optimiser.zero_grad(set_to_none=True)
        with (
            torch.random.fork_rng([self.device] if self.device.type == "cuda" else []),
            torch.autocast(self.device.type, torch.bfloat16) if half else nullcontext(),
        ):
            torch.manual_seed(self._seed(number, self.rank + 1))  # for models with dropout
            losses = self.objective.at(number).backward(self.model, example)
        means = self._averaged(losses.float().mean(0))
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        found: NDArray[np.float32] = torch.cat([means, norm.float()[None]]).cpu().numpy()
        if not np.isfinite(found).all():
            raise SolverError(
                f"loss or its gradient is not finite at step {number}; take a smaller learning_rate",
                status="not finite",
            )
        return found[:-1]

    def update(self, number: int) -> None:
        """Move the weights along the gradient."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["factor"] * self.settings.rate(number, self.steps)
        self.optimiser.step()

    def _seed(self, number: int, what: int) -> int:
        return int(np.random.default_rng([self.rng, 2, number, what]).integers(2**63))

    def _example(self, number: int) -> Example:
        """What this process does of a step: its rows of the example that one process would have."""
        generator = torch.Generator().manual_seed(self._seed(number, 0))
        whole = self.objective.example(self._examples(number), self.task, generator)
        size = len(whole.labels) // self.world
        rows = slice(self.rank * size, (self.rank + 1) * size)
        return Example(whole.tokens[rows].to(self.device), whole.labels[rows].to(self.device))

    def _examples(self, number: int) -> Batch:
        size = self.settings.batch_size
        if self.examples is None:
            return self.task.sample(size, np.random.default_rng([self.rng, 0, number]), split="train")
        rounds = len(self.examples) // size
        order = np.random.default_rng([self.rng, 0, (number - 1) // rounds]).permutation(len(self.examples))
        first = (number - 1) % rounds * size
        return self.examples[torch.from_numpy(order[first : first + size])]

    def _averaged(self, losses: Tensor) -> Tensor:
        """Gradients and losses averaged over the processes."""
        if self.world == 1:
            return losses
        flat = torch.cat([losses, *(p.grad.flatten() for p in self.parameters if p.grad is not None)])
        dist.all_reduce(flat)
        flat /= self.world
        begin = len(losses)
        for p in self.parameters:
            if p.grad is not None:
                p.grad.copy_(flat[begin : begin + p.numel()].view_as(p))
                begin += p.numel()
        return flat[: len(losses)]
