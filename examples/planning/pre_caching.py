"""Do models compute what only later positions need? Plain and myopic training on a task where nothing else helps."""

from __future__ import annotations

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
    "plain": (Regression(), 1, 1000, 3e-3),
    "myopic": (Myopic(Regression()), 1, 1000, 1e-3),
    "myopic, sine of use now": (Myopic(Regression()), 0, 2500, 1e-3),
}


def pre_caching(folder: Path | None = None, *, share: float = 1.0, length: int = 32, seed: int = 0) -> list[ntp.Check]:
    """Train all three; ``share`` of the steps, for a quick look."""
    checks: list[ntp.Check] = []
    results: dict[str, TrainResult] = {}
    models: dict[str, tuple[PreCaching, LanguageModel]] = {}
    for name, (objective, shift, steps, rate) in RUNS.items():
        task = PreCaching(frequency=5.0, window=10, probability=1.0, shift=shift, length=length)
        model = model_for(task, seed=seed)
        most = max(1, round(share * steps))
        settings = Settings(batch_size=64, learning_rate=rate, schedule="cosine")
        every = most // 16 + 1
        results[name] = train(
            model, task, objective, steps=most, settings=settings, rng=seed, evaluate_every=every, progress=True
        )
        models[name] = task, model
    probes = {}
    for name, (task, model) in models.items():
        prompts = task.sample(500, rng=1, split="test").prompts
        probes[name] = probe(model, prompts, task.features(prompts.numpy()), lags=range(min(15, length // 2)))
        if share == 1.0:
            checks += read(name, task, results[name], float(probes[name].r2[1, 0]))
    effects = {name: cached_effect(models[name][1], models[name][0]) for name in ("plain", "myopic")}
    if folder is not None:
        figure = Figure(figsize=(11, 5.8), layout="constrained")
        control = "myopic, sine of use now"
        for place, names in enumerate((("plain", "myopic"), (control,)), 1):
            zero = float(np.mean(models[names[0]][0].zero_losses()))
            ax = figure.add_subplot(2, 3, place)
            figures.held_out_losses({name: results[name] for name in names}, zero, ax)
            ax.set_title(" and ".join(names), loc="left", fontsize=10)
        ax = figures.cached_effects(effects, ax=figure.add_subplot(2, 3, 3))
        ax.set_title("a state exchanged after layer 1", loc="left", fontsize=10)
        for place, (name, found) in enumerate(probes.items(), 4):
            ax = figures.probe_r2(found, ax=figure.add_subplot(2, 3, place))
            ax.set_title(f"probes, {name}", loc="left", fontsize=10)
        figures.save(figure.axes[0], folder / "pre_caching.png")
    if not checks:
        checks = [zero_loss(models["plain"][0])]
    return checks


def read(name: str, task: PreCaching, result: TrainResult, r2: float) -> list[ntp.Check]:
    """What each run is known for: its last loss against that of saying 0, and what the probe finds after layer 1."""
    zero, last = float(np.mean(task.zero_losses())), result.evaluations[-1].loss
    words = f"{name}, {result.steps} steps: loss against saying 0, {zero:.3f}"
    probed = f"{name}: R^2 of the present sine after layer 1"
    at_most = ntp.Check.at_most
    if name == "myopic":
        words = f"{words}, less the loss"
        loss = at_most("planning/measured-gap", 0.2 * zero, zero - last, evidence="measured", statement=words)
        return [loss, at_most("planning/probes", 0.3, r2, evidence="measured", statement=probed)]
    label, bound = ("planning/measured-gap", 0.2) if name == "plain" else ("planning/breadcrumbs-control", 0.5)
    loss = at_most(label, bound * zero, last, evidence="measured", statement=words)
    return [loss, at_most("planning/probes", 0.2, 1 - r2, evidence="measured", statement=f"1 - {probed}")]


def zero_loss(task: PreCaching) -> ntp.Check:
    """The expected loss of saying 0 against that on drawn sequences, within five standard errors."""
    answers = task.sample(2000, rng=0).answers.double()
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
