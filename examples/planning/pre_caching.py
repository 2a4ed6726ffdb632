"""Do models compute what only later positions need? Plain and myopic training where nothing else seems to help."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.sequence.measures import cached_effect, probe
from ntp_theory.sequence.models import LanguageModel, model_for
from ntp_theory.sequence.tasks import PreCaching
from ntp_theory.sequence.training import Myopic, Regression, Settings, TrainResult, train

# What is trained, the shift (0 makes the sine useful at once), steps of 64 sequences, and the learning rate.
RUNS = {
    "plain": (Regression(), 1, 1500, 3e-3),
    "myopic": (Myopic(Regression()), 1, 1500, 3e-3),
    "myopic, slow": (Myopic(Regression()), 1, 1500, 1e-3),
    "myopic, slow, shift 0": (Myopic(Regression()), 0, 4000, 1e-3),
}


def pre_caching(folder: Path | None = None, *, share: float = 1.0, length: int = 32, seed: int = 0) -> list[ntp.Check]:
    """Train all four; ``share`` of the steps, for a quick look."""
    checks: list[ntp.Check] = []
    results: dict[str, TrainResult] = {}
    models: dict[str, tuple[PreCaching, LanguageModel]] = {}
    for name, (objective, shift, steps, rate) in RUNS.items():
        task = PreCaching(frequency=5.0, window=10, probability=1.0, shift=shift, length=length)
        model = model_for(task, seed=seed)
        most = max(1, round(share * steps))
        settings = Settings(batch_size=64, learning_rate=rate, schedule="cosine")
        every = max(1, round(share * 125))
        results[name] = train(
            model, task, objective, steps=most, settings=settings, rng=seed, evaluate_every=every, progress=True
        )
        models[name] = task, model
        checks += read(name, task, model, results[name]) if share == 1.0 else []
    if folder is not None:
        figure = Figure(figsize=(11, 5.8), layout="constrained")
        for place, names in enumerate((("plain", "myopic", "myopic, slow"), ("myopic, slow, shift 0",)), 1):
            zero = float(np.mean(models[names[0]][0].zero_losses()))
            ax = figure.add_subplot(2, 3, place)
            figures.held_out_losses({name: results[name] for name in names}, zero, ax)
            ax.set_title(f"loss, shift {2 - place}", loc="left", fontsize=10)
        for place, name in ((3, "plain"), (4, "myopic"), (5, "myopic, slow")):
            task, model = models[name]
            prompts = task.sample(500, rng=1, split="test").prompts
            found = probe(model, prompts, task.features(prompts.numpy()), lags=range(min(15, length // 2)))
            ax = figures.probe_r2(found, ax=figure.add_subplot(2, 3, place))
            ax.set_title(f"probes of the sine, {name}", loc="left", fontsize=10)
        effects = {
            f"{name}, {where}": cached_effect(models[name][1], models[name][0], layer=layer)
            for name, where, layer in (
                ("plain", "layer 1", 1),
                ("myopic, slow", "layer 1", 1),
                ("myopic, slow", "input", 0),
            )
        }
        ax = figures.cached_effects(effects, ax=figure.add_subplot(2, 3, 6))
        ax.set_title("outputs after an exchanged state", loc="left", fontsize=10)
        figures.save(figure.axes[0], folder / "pre_caching.png")
    if not checks:
        checks = [zero_loss(models["plain"][0])]
    return checks


def read(name: str, task: PreCaching, model: LanguageModel, result: TrainResult) -> list[ntp.Check]:
    """What each run shows: its loss against that of saying 0, and how outputs follow a state after layer 1."""
    zero = float(np.mean(task.zero_losses()))
    best, last = min(one.loss for one in result.evaluations), result.evaluations[-1].loss
    effect = cached_effect(model, task)
    slope = float(effect.slopes[np.array(effect.predicted, dtype=bool)].mean())
    at_most = functools.partial(ntp.Check.at_most, evidence="measured")
    words = f"{name}, {result.steps} steps: best loss {best:.3f}, last {last:.3f}, saying 0 {zero:.3f}"
    exchanged = f"{name}: mean slope of outputs in the window on an exchanged state after layer 1"
    if name == "plain":
        return [
            at_most("planning/measured-gap", 0.2 * zero, last, statement=words),
            at_most("planning/probes", -0.3, -slope, statement=exchanged),
        ]
    if name == "myopic":
        return [at_most("planning/measured-gap", 0.2 * zero, zero - best, statement=words)]
    if task.shift == 0:
        return [at_most("planning/breadcrumbs-control", 0.5 * zero, best, statement=words)]
    return [
        at_most("planning/measured-gap", 0.8 * zero, last, statement=words),
        at_most("planning/probes", 0.1, abs(slope), statement=exchanged),
    ]


def zero_loss(task: PreCaching) -> ntp.Check:
    """The expected loss of saying 0 against that on drawn sequences, within five standard errors."""
    answers = task.sample(2000, rng=0).answers.double().numpy()
    each = np.where(np.abs(answers) <= 1, answers**2 / 2, np.abs(answers) - 0.5).mean(1)
    return ntp.Check.close(
        "planning/synthetic-task",
        float(np.mean(task.zero_losses())),
        float(each.mean()),
        tolerance=5 * float(each.std()) / len(each) ** 0.5,
        relative=False,
        evidence="measured",
        statement="the loss of saying 0",
    )


if __name__ == "__main__":
    checks = pre_caching(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
