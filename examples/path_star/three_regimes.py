"""Path-star graphs on a laptop: teacher forcing guesses the arm, teacherless and reversed training find the way."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.sequence.measures import cheating, first_passage, guessing_losses
from ntp_theory.sequence.models import LanguageModel, model_for
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import TeacherForcing, Teacherless, TrainResult, train

# Order of the answer, objective, and the most steps of 128 graphs.
REGIMES = {
    "reversed": ("reversed", TeacherForcing(), 500),
    "teacherless": ("forward", Teacherless(), 4000),
    "teacher forcing": ("forward", TeacherForcing(), 2000),
}


def three_regimes(
    folder: Path | None = None,
    *,
    path_length: int = 5,
    seeds: int = 1,
    architecture: str = "transformer",
    share: float = 1.0,
) -> list[ntp.Check]:
    """Train every regime on G(2, l) with fresh graphs; ``share`` of the steps, for a quick look."""
    checks: list[ntp.Check] = []
    results: dict[str, TrainResult] = {}
    models: dict[str, tuple[PathStar, LanguageModel]] = {}
    for seed in range(seeds):
        for name, (order, objective, steps) in REGIMES.items():
            task = PathStar(2, path_length, 2 * path_length - 1, order)
            model = model_for(task, architecture, seed=seed)
            until = None if name == "teacher forcing" else 0.995
            most = max(1, round(share * steps))
            result = train(
                model, task, objective, steps=most, rng=seed, until=until, evaluate_every=most // 32 + 1, progress=True
            )
            checks += read(name, task, model, result, seed) if share == 1.0 else []
            if seed == 0:
                results[name], models[name] = result, (task, model)
    if folder is not None:
        figure = Figure(figsize=(11, 5.4), layout="constrained")
        for place, (name, result) in enumerate(results.items(), 1):
            ax = figures.accuracies(result, chance=0.5, ax=figure.add_subplot(2, 3, place))
            ax.set_title(f"{name}: {result.free:.1%}, {result.examples // 1000}k graphs", loc="left", fontsize=10)
        for place, name in enumerate(results, 4):
            task, model = models[name]
            objective = REGIMES[name][1]
            batch = task.sample(50, rng=1, split="test")
            answers = objective.answer(model, batch, task)
            wrong = (answers != batch.answers).any(1).nonzero()[:, 0].tolist()
            shown = wrong[0] if wrong else 0
            answer = answers[shown].tolist()
            graph = task.graphs(batch[shown : shown + 1])[0]
            ax = figure.add_subplot(2, 3, place)
            figures.path_star_answer(graph, answer[::-1] if task.order == "reversed" else answer, ax)
        figures.save(figure.axes[0], folder / "three_regimes.png")
    if not checks:
        checks = [loss_of_guessing(results["teacher forcing"], path_length)]
    return checks


def read(name: str, task: PathStar, model: LanguageModel, result: TrainResult, seed: int) -> list[ntp.Check]:
    """What each regime is known for."""
    words = f"seed {seed}, {name}, {result.examples} examples"
    at_most = ntp.Check.at_most
    if name != "teacher forcing":
        statement = f"{words}: 1 - free accuracy"
        missed = at_most(f"pitfalls/{name}", 0.0, 1 - result.free, slack=0.01, evidence="measured", statement=statement)
        passed = first_passage(result)[1:-1]
        in_order = None not in passed and list(passed) == sorted(passed, key=lambda x: -(x or 0))
        statement = f"{words}: last token first, at {passed} examples"
        cascade = ntp.Check.same("pitfalls/reverse-cascade", True, in_order, evidence="measured", statement=statement)
        return [missed, cascade] if name == "teacherless" else [missed]
    off = abs(result.free - task.chance)
    slack = 0.04 + 3 * (0.25 / result.evaluations[-1].count) ** 0.5  # the plateau, and three standard errors
    strays = 1 - cheating(model, task, rng=seed).follows
    label, statement = "pitfalls/teacher-forcing", f"{words}: free accuracy - 1/2"
    stuck = at_most(label, 0.0, off, slack=slack, evidence="measured", statement=statement)
    label, statement = "pitfalls/clever-hans", f"{words}: inner tokens behind a wrong branch that do not follow it"
    cheats = at_most(label, 0.0, strays, slack=0.01, evidence="measured", statement=statement)
    return [stuck, cheats, loss_of_guessing(result, task.path_length)]


def loss_of_guessing(result: TrainResult, path_length: int) -> ntp.Check:
    """The loss at the branch is no less than that of guessing, before the way is found."""
    task = PathStar(2, path_length, 2 * path_length - 1)
    found, guess = result.evaluations[-1].losses[1], guessing_losses(task)[1]
    words = f"loss at the branch below ln 2 after {result.examples} examples"
    return ntp.Check.at_most(
        "pitfalls/chance-level", 0.0, max(0.0, guess - found), slack=0.05, evidence="measured", statement=words
    )


if __name__ == "__main__":
    checks = three_regimes(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
