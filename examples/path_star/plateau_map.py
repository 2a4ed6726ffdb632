"""How long teacher forcing guesses: the plateau at 1/d, in examples, for stars of several degrees and lengths."""

from __future__ import annotations

import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.sequence.measures import guessing_losses, plateau
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import TeacherForcing, TrainResult, train

# (d, l), each with a layer for every node of a path.
SHAPES = ((2, 3), (3, 3), (4, 3), (2, 4), (3, 4), (2, 5))
SEEDS = 3
# Steps of 128 fresh graphs after which a run that still guesses is given up.
STEPS = 4000
# A run has left the plateau when its free accuracy is so far above 1/d: six standard errors of an evaluation.
WIDTH = 0.1

Plateaus = dict[tuple[int, int], list[tuple[int, bool]]]


def plateau_map(
    folder: Path | None = None,
    *,
    shapes: tuple[tuple[int, int], ...] = SHAPES,
    seeds: int = SEEDS,
    steps: int = STEPS,
    checkpoints: Path | None = None,
) -> list[ntp.Check]:
    """Train until the plateau is left or the steps are used up; with ``checkpoints`` a later call goes on."""
    found: Plateaus = {shape: [] for shape in shapes}
    checks: list[ntp.Check] = []
    for degree, length in shapes:
        # 8 labels at least: with 5 there are 60 graphs G(2, 3), which are learned by heart
        task = PathStar(degree, length, max(8, degree * (length - 1) + 1))
        for seed in range(seeds):
            result = train(
                model_for(task, seed=seed),
                task,
                TeacherForcing(),
                steps=steps,
                rng=seed,
                until=task.chance + WIDTH,
                evaluate_every=125,
                progress=True,
                checkpoint=checkpoints and checkpoints / f"plateau-{degree}-{length}-{seed}.pt",
            )
            found[degree, length].append(plateau(result, task.chance, WIDTH))
            checks.append(guesses(task, result, seed))
    if folder is not None:
        figures.save(figures.plateaus(found, most=128 * steps), folder / "plateau_map.png")
    return checks + read(found)


def guesses(task: PathStar, result: TrainResult, seed: int) -> ntp.Check:
    """As long as it is right no more often than one who guesses, its loss at the branch is no lower than that."""
    losses = [one.losses[1] for one in result.evaluations if one.free <= task.chance + WIDTH / 2]
    lacking = max((guessing_losses(task)[1] - loss for loss in losses), default=0.0)
    words = f"G({task.degree}, {task.path_length}), seed {seed}, {result.examples} examples: below ln d, on the plateau"
    return ntp.Check.at_most(
        "pitfalls/chance-level", 0.0, max(0.0, lacking), slack=0.05, evidence="measured", statement=words
    )


def read(found: Plateaus) -> list[ntp.Check]:
    """Longer paths have longer plateaus, at each degree: the shortest of one length is above the longest before it."""
    checks: list[ntp.Check] = []
    for (degree, length), plateaus in found.items():
        if (degree, length - 1) not in found:
            continue
        longest = max(examples for examples, _ in found[degree, length - 1])
        shortest = min(examples for examples, _ in plateaus)
        words = f"d = {degree}: examples on the plateau, at least {shortest} at l = {length}, at most {longest} before"
        checks.append(
            ntp.Check.same("pitfalls/plateau", True, shortest > longest, evidence="measured", statement=words)
        )
    return checks


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    out.mkdir(parents=True, exist_ok=True)
    checks = plateau_map(out, checkpoints=out)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
