"""Myopic training on path-star graphs: which regimes need earlier positions to learn for later ones?"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.sequence.models import LanguageModel, model_for
from ntp_theory.sequence.objectives import Objective
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import Myopic, TeacherForcing, Teacherless, TrainResult, WholeSequence, train

# G(2, 3) with a few labels more than nodes, a token a position, so that the question can be predicted too.
SHAPE = (2, 3, 8)
# Order of the answer, and what is shown of it.
REGIMES: dict[str, tuple[str, Objective]] = {
    "reversed": ("reversed", TeacherForcing()),
    "teacherless": ("forward", Teacherless()),
}
CUTS = ("plain", "hidden_states", "keys_values")
STEPS = 1500
SOLVED = 0.99

Runs = dict[tuple[str, bool, str], list[TrainResult]]


def crossing(
    folder: Path | None = None, *, seeds: int = 3, steps: int = STEPS, checkpoints: Path | None = None
) -> list[ntp.Check]:
    """Every regime with every cut, with the loss on the answer alone and on the question too.

    With ``checkpoints`` a later call goes on where this one ended.

    With the loss on the answer alone a cut leaves the question without a gradient (`planning/crossing-frozen-prefix`),
    so that what fails may only be features that were never trained; with the loss on the question too they are trained
    for themselves, and what then fails needs features that are made for later positions.
    """
    found: Runs = {}
    checks: list[ntp.Check] = []
    for name, (order, objective) in REGIMES.items():
        task = PathStar(*SHAPE, order=order, encoding="paper")
        for question in (False, True):
            judged = WholeSequence(objective) if question else objective
            for cut in CUTS:
                made = judged if cut == "plain" else Myopic(judged, cut)
                found[name, question, cut] = []
                for seed in range(seeds):
                    model = model_for(task, seed=seed)
                    run = f"crossing-{name}-{'question' if question else 'answer'}-{cut}-{seed}.pt"
                    result = train(
                        model,
                        task,
                        made,
                        steps=steps,
                        rng=seed,
                        until=SOLVED,
                        evaluate_every=100,
                        progress=True,
                        checkpoint=checkpoints and checkpoints / run,
                    )
                    found[name, question, cut].append(result)
                    trained = cut == "plain" or question
                    checks.append(prefix(task, model, model_for(task, seed=seed), trained, f"{made.name}, seed {seed}"))
    if folder is not None:
        figure = Figure(figsize=(9.5, 5.6), layout="constrained")
        for place, ((name, question), runs) in enumerate(_by_regime(found).items(), 1):
            ax = figures.free_accuracies(runs, ax=figure.add_subplot(2, 2, place))
            ax.set_title(f"{name}, loss on {'the question too' if question else 'the answer'}", loc="left", fontsize=10)
        figures.save(figure.axes[0], folder / "crossing.png")
    if steps == STEPS:
        checks += [
            check for (name, question), runs in _by_regime(found).items() for check in read(name, question, runs)
        ]
    return checks


def prefix(task: PathStar, model: LanguageModel, fresh: LanguageModel, trained: bool, words: str) -> ntp.Check:
    """Whether the positions of the question before its last have moved from where they began: bit for bit."""
    before = task.sample(1).prompt_length - 1
    now, then = (one.positions.weight[:before] for one in (model, fresh))  # type: ignore[union-attr]
    moved = bool((now != then).any(1).all()) if trained else not torch.equal(now, then)
    words = f"{words}: the question's positions were trained"
    return ntp.Check.same("planning/crossing-frozen-prefix", trained, moved, evidence="exact", statement=words)


def _by_regime(found: Runs) -> dict[tuple[str, bool], dict[str, list[TrainResult]]]:
    grouped: dict[tuple[str, bool], dict[str, list[TrainResult]]] = {}
    for (name, question, cut), runs in found.items():
        grouped.setdefault((name, question), {})[cut.replace("_", " ")] = runs
    return grouped


def read(name: str, question: bool, runs: dict[str, list[TrainResult]]) -> list[ntp.Check]:
    """Whether plain training solves the task, and whether every cut costs examples: one check a cut."""
    judged = "question and answer" if question else "answer"
    checks = []
    slowest = max(run.examples if run.free >= SOLVED else sys.maxsize for run in runs["plain"])
    for cut, results in runs.items():
        ends = ", ".join(f"{run.free:.3f} at {run.examples}" for run in results)
        words = f"{name}, loss on {judged}, {cut}: {ends}"
        holds = slowest < sys.maxsize if cut == "plain" else min(run.examples for run in results) > slowest
        checks.append(ntp.Check.same("planning/crossing-path-star", True, holds, evidence="measured", statement=words))
    return checks


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    out.mkdir(parents=True, exist_ok=True)
    checks = crossing(out, checkpoints=out)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
