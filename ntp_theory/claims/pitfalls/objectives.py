"""What each objective shows and asks, and what guessing costs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...checks import Check
from ...sequence.measures import Evaluation, compounded, guessing_losses
from ...sequence.objectives import (
    IGNORED,
    FirstTokenOnly,
    MaskedTeacherForcing,
    Objective,
    TeacherForcing,
    Teacherless,
    WholeSequenceReversed,
)
from ...sequence.tasks import PathStar
from ..registry import claim, same


@claim("pitfalls/objectives", source="derived", evidence="exact")
def objectives() -> Iterator[Check]:
    """Every regime is a triple: what hides the answer from the input, the order of the target, which losses count.

    Tensor by tensor on 50 graphs of G(2, 5), in the paper's encoding: teacher forcing, teacherless, masked at 0 and 1,
    the branch alone, and the reversed task.
    """
    task = PathStar(2, 5, 9, encoding="paper")
    batch = task.sample(50, rng=0)
    prompt, answer = batch.prompts, batch.answers
    dummies = torch.full_like(answer[:, :-1], task.dummy)
    nothing = torch.full_like(prompt[:, :-1], IGNORED)
    labels = torch.cat([nothing, answer], dim=1)
    branch = torch.full_like(labels, IGNORED)
    branch[:, prompt.shape[1]] = answer[:, 1]
    triples: dict[Objective, tuple[torch.Tensor, torch.Tensor]] = {
        TeacherForcing(): (answer[:, :-1], labels),
        Teacherless(): (dummies, labels),
        MaskedTeacherForcing(0.0): (answer[:, :-1], labels),
        MaskedTeacherForcing(1.0): (dummies, labels),
        FirstTokenOnly(): (answer[:, :-1], branch),
    }
    for objective, (shown, asked) in triples.items():
        made = objective.example(batch, task, torch.Generator())
        equal = torch.equal(made.tokens, torch.cat([prompt, shown], dim=1)) and torch.equal(made.labels, asked)
        yield same(True, equal, statement=f"{objective!r} is its triple")
    backwards = PathStar(2, 5, 9, "reversed", encoding="paper").sample(50, rng=0)
    yield same(
        True,
        torch.equal(backwards.prompts, prompt) and torch.equal(backwards.answers, answer.flip(1)),
        statement="the reversed task has the same questions and the answers backwards",
    )


@claim("pitfalls/whole-sequence-reverse", source="Kitouni et al. 2024", evidence="exact")
def whole_sequence_reverse() -> Iterator[Check]:
    """Training on the reversed whole sequence is not the reversed answer: it runs from the goal to the edges.

    The inputs of both for 20 graphs of G(2, 5).
    """
    task, back = (PathStar(2, 5, 9, order, encoding="paper") for order in ("forward", "reversed"))
    batch, other = task.sample(20, rng=1), back.sample(20, rng=1)
    made = WholeSequenceReversed().example(batch, task, torch.Generator())
    whole = torch.cat([batch.prompts, batch.answers], dim=1)
    yield same(True, torch.equal(made.tokens[20:], whole.flip(1)[:, :-1]), statement="the mirrored half of the inputs")
    answer_backwards = torch.cat([other.prompts, other.answers], dim=1)[:, :-1]
    yield same(False, torch.equal(made.tokens[20:], answer_backwards), statement="it is the reversed task")
    yield same(True, torch.equal(made.tokens[20:, 0], batch.answers[:, -1]), statement="it begins with the goal")


@claim("pitfalls/chance-level", source="derived; own runs", evidence="exact")
def chance_level() -> Iterator[Check]:
    """A model that guesses the arm and looks up the rest has accuracy 1/d and loss ln d at the branch, 0 elsewhere.

    The guessing laws by enumeration: the arm uniform over d, or, without a teacher, every inner token uniform over all
    inner nodes; exact probabilities, and their logarithms against `guessing_losses`.
    """
    for d, length in ((2, 5), (3, 4), (5, 3)):
        task = PathStar(d, length, 30)
        graph = task.graphs(task.sample(1, rng=2))[0]
        branches = [v for u, v in graph.edges if u == graph.start]
        yield same(1, branches.count(graph.path[1]), statement=f"G({d}, {length}): arms of {d} that are right")
        leaves = {v for _, v in graph.edges} - {u for u, _ in graph.edges}
        inner = {v for _, v in graph.edges} - leaves
        yield same(d * (length - 2), len(inner), statement=f"G({d}, {length}): inner nodes")
        expected = (math.log(len(branches)), math.log(len(inner)))
        found = (guessing_losses(task)[1], guessing_losses(task, teacherless=True)[1])
        yield same(True, found == expected, statement=f"G({d}, {length}): losses of both guesses at the branch")


@claim("pitfalls/snowballing", source="recalled; derived", evidence="exact")
def snowballing() -> Iterator[Check]:
    """With forced accuracies (1, 1/d, 1, .., 1) the free accuracy is 1/d: the failure is one branch, not compounding.

    The product of the forced accuracies on that plateau, and of l equal errors, which does compound.
    """
    for d in (2, 4, 8):
        plateau = Evaluation(step=0, count=100, free=1 / d, forced=(1.0, 1 / d, 1.0, 1.0, 1.0), losses=())
        yield same(True, compounded(plateau) == plateau.free, statement=f"the product is 1/{d}")
    errors = Evaluation(step=0, count=100, free=0.0, forced=(0.75,) * 5, losses=())
    yield same(True, compounded(errors) == 0.75**5, statement="five equal errors compound to their power")
