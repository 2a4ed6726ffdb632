"""What is measured, and mistakes of the public code that ours must not make."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ...checks import Check
from ...sequence.decoding import greedy
from ...sequence.measures import evaluate, position_leak
from ...sequence.models import LanguageModel, model_for
from ...sequence.objectives import TeacherForcing
from ...sequence.tasks import Batch, PathStar, Task
from ...sequence.training import Settings, train
from ..registry import at_most, claim, same


@claim("pitfalls/metrics", source="Next-Token-Failures b925a1e; recalled", evidence="exact")
def metrics() -> Iterator[Check]:
    """Free and forced accuracies and losses by position are what their definitions say, each by itself.

    Question by question and token by token, on a model of G(2, 3) after a few steps of training.
    """
    task = PathStar(2, 3, 5)
    model = model_for(task)
    train(model, task, TeacherForcing(), steps=150, evaluate_count=10)
    found = evaluate(model, task, count=200, rng=1)
    batch = task.sample(200, 1, split="test")
    free, forced, losses = 0, [0] * 3, [0.0] * 3
    with model.asked():
        for i in range(len(batch)):
            one = batch[i : i + 1]
            free += torch.equal(greedy(model, one, 3), one.answers)
            for k in range(3):
                logits = model(one.with_tokens(one.answers[:, :k]))[0, -1].double()
                forced[k] += int(logits.argmax() == one.answers[0, k])
                losses[k] -= float(logits.log_softmax(0)[one.answers[0, k]])
    yield same(free, round(found.free * 200), statement="questions answered freely")
    for k in range(3):
        yield same(forced[k], round(found.forced[k] * 200), statement=f"questions with r_{k} right when forced")
        # single precision in batches of another size
        off = abs(found.losses[k] - losses[k] / 200)
        yield at_most(0.0, off, slack=1e-4, evidence="measured", statement=f"loss at r_{k}")


@claim("pitfalls/issues", source="Next-Token-Failures #1", evidence="measured")
def issues() -> Iterator[Check]:
    """A list of edges that begins with the path gives the answer away, and is flagged; a shuffled one is not.

    `measures.position_leak` on 2,000 graphs of G(3, 4), and on the same graphs with the path first.
    """
    task = PathStar(3, 4, 10)
    batch = task.sample(2000, rng=3)
    told = task.batch(
        [replace(g, edges=tuple(sorted(g.edges, key=lambda e: e[1] not in g.path))) for g in task.graphs(batch)]
    )
    for name, some, leaks in (("shuffled", batch, False), ("path first", told, True)):
        p_value = position_leak(task, some).p_value
        yield same(leaks, p_value < 1e-6, evidence="measured", statement=f"{name}: p = {p_value:.2g}")


@claim("pitfalls/public-code-defects", source="Next-Token-Failures b925a1e", evidence="exact")
def public_code_defects() -> Iterator[Check]:
    """Evaluations come every so many steps, the cosine decays to its end, weight decay acts, metrics stay apart.

    Each on a run of a few steps: what the public code got wrong, checked on ours.
    """
    task = PathStar(2, 3, 5)
    settings = Settings(warmup=2, schedule="cosine", batch_size=8)
    result = train(
        model_for(task), task, TeacherForcing(), steps=6, settings=settings, evaluate_every=2, evaluate_count=10
    )
    yield same(str([2, 4, 6]), str([one.step for one in result.evaluations]), statement="steps of the evaluations")
    rates = [settings.rate(step, 6) for step in range(1, 7)]
    falling = all(a > b for a, b in zip(rates[1:], rates[2:], strict=False))
    ends = math.isclose(rates[-1], settings.learning_rate / 10)
    yield same(True, falling and ends, statement="the learning rate falls to a tenth at the last step")
    norms = []
    for decay in (0.0, 10.0):
        model = model_for(task)
        decayed = replace(settings, weight_decay=decay)
        train(model, task, TeacherForcing(), steps=3, settings=decayed, evaluate_count=10)
        norms.append(float(model.head.weight.detach().norm()))
    yield same(True, norms[1] < norms[0], statement="weights are smaller with weight decay")
    found = evaluate(model, task, _MadeUp(), count=50)
    apart = (found.free, found.forced) == (0.0, (1.0, 0.0, 1.0))
    yield same(True, apart, statement="free answers that are all wrong and forced tokens but one that are all right")


class _MadeUp(TeacherForcing):
    """Answers that no model gave, wrong in ways that are told apart if nothing is mixed up."""

    def answer(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """Wrong from the branch on."""
        return torch.cat([batch.answers[:, :1], torch.full_like(batch.answers[:, 1:], task.dummy)], dim=1)

    def forced(self, model: LanguageModel, batch: Batch, task: Task) -> Tensor:
        """Wrong at the branch alone."""
        said = batch.answers.clone()
        said[:, 1] = task.dummy
        return said
