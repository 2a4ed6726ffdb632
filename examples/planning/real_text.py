"""Real text on two cores: what gradients across positions are worth, position by position, for both cuts."""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import nn

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.construct import documentation_text
from ntp_theory.sequence.measures import LossDifference, local_bonus, myopia_gap, over_seeds
from ntp_theory.sequence.models import HuggingFace, LanguageModel, Transformer, TransformerConfig
from ntp_theory.sequence.objectives import Objective
from ntp_theory.sequence.tasks import Text, without_repeats
from ntp_theory.sequence.training import Myopic, Settings, TeacherForcing, train

# What each difference is called, and the statement that it belongs to.
HIDDEN, KEYS = "gap, hidden states cut", "gap, keys and values cut"
BONUS, CONTROL = "local bonus", "more plain steps"
LABELS = {HIDDEN: "planning/myopia-gap", KEYS: "planning/myopia-gap", BONUS: "planning/local-bonus"}
Differences = dict[str, list[LossDifference]]


def real_text(
    folder: Path | None = None,
    *,
    text: Path | None = None,
    tokens: str = "characters",
    length: int = 65,
    width: int = 64,
    layers: int = 3,
    steps: int = 600,
    seeds: int = 3,
    widths: tuple[int, ...] = (),
    model: Path | None = None,
    learning_rate: float = 2e-3,
    device: str = "cpu",
) -> list[ntp.Check]:
    """Train plainly and with both cuts, on the same windows; compare on all that is held out.

    For the local bonus the plain model goes on for half as many steps in two copies: one reads the frozen past of the
    plain model, the other is the control, trained plainly. A bonus below what the control gains is mere training time.

    The text is the documentation of Python without repeated paragraphs if none is given; it differs between versions
    of Python. With the folder of a Hugging Face ``model`` that one is trained on, with its own tokens and no dropout;
    it has no frozen past. Of ``widths`` the gap alone is measured, for one more panel. Runs are kept in the folder,
    and an interrupted one goes on.
    """
    if model is not None and widths:
        raise ntp.errors.UsageError(f"widths is {widths}; a model from a folder has its own")
    source = without_repeats(documentation_text()) if text is None else text
    task = Text(source, length, tokens=tokens if model is None else model)
    settings = Settings(batch_size=32, learning_rate=learning_rate, warmup=min(50, steps), schedule="cosine")

    def fresh(seed: int, width: int = width) -> LanguageModel:
        config = TransformerConfig(task.vocab_size, task.max_length, width=width, layers=layers, seed=seed)
        network = Transformer(config) if model is None else HuggingFace(model)
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # a cut has none in attention
        return network.to(device)

    def trained(network: LanguageModel, name: str, objective: Objective, rng: int, steps: int = steps) -> LanguageModel:
        kept = None if folder is None else folder / "real_text" / f"{name}.npz"
        options = {"evaluate_every": steps, "checkpoint": kept, "progress": True}
        train(network, task, objective, steps=steps, settings=settings, rng=rng, **options)
        return network

    count = len(task.windows("test"))
    found: Differences = {HIDDEN: [], KEYS: []} | ({BONUS: [], CONTROL: []} if model is None else {})
    for seed in range(seeds):
        plain = trained(fresh(seed), f"plain-{seed}", TeacherForcing(), seed)
        for name, cut in ((HIDDEN, "hidden_states"), (KEYS, "keys_values")):
            myopic = trained(fresh(seed), f"{cut}-{seed}", Myopic(cut=cut), seed)
            found[name].append(myopia_gap(plain, myopic, task, count=count))
        if model is None:
            # the past is a copy as well, so that both models can be judged by it
            on_frozen_past, again = Myopic(past=copy.deepcopy(plain)), seeds + seed
            reader = trained(copy.deepcopy(plain), f"reader-{seed}", on_frozen_past, again, max(1, steps // 2))
            found[BONUS].append(local_bonus(plain, reader, task, on_frozen_past, count=count))
            control = trained(copy.deepcopy(plain), f"control-{seed}", TeacherForcing(), again, max(1, steps // 2))
            found[CONTROL].append(myopia_gap(control, plain, task, count=count))
    by_size: list[list[LossDifference]] = []
    for size in widths:
        by_size.append([])
        for seed in range(seeds):
            plain, myopic = (
                trained(fresh(seed, size), f"{name}-{seed}-{size}", objective, seed)
                for name, objective in (("plain", TeacherForcing()), ("hidden_states", Myopic()))
            )
            by_size[-1].append(myopia_gap(plain, myopic, task, count=count))
    if folder is not None:
        draw(found, by_size, widths, task, layers, folder / "real_text.png")
    return read(found)


def read(found: Differences) -> list[ntp.Check]:
    """The mean of each difference over the seeds: by theory none of the least losses is below 0."""
    checks = []
    for name, label in LABELS.items():
        if name in found:
            mean, half_width = over_seeds([one.overall for one in found[name]])
            words = f"{said(name, found)}, negated"
            if name == BONUS:
                pairs = zip(found[BONUS], found[CONTROL], strict=True)
                beyond, width = over_seeds([one.overall - other.overall for one, other in pairs])
                words += f"; {said(CONTROL, found)}; the bonus beyond that {beyond:+.4f} +- {width:.4f}"
            checks.append(ntp.Check.at_most(label, 0.0, -mean, slack=half_width, evidence="measured", statement=words))
    return checks


def said(name: str, found: Differences) -> str:
    """The mean over seeds with its interval, and each seed with that of its sequences."""
    mean, half_width = over_seeds([one.overall for one in found[name]])
    each = ", ".join(f"{one.overall:+.4f} +- {one.half_width:.4f}" for one in found[name])
    return f"{name} {mean:+.4f} +- {half_width:.4f} over {len(found[name])} seeds ({each})"


def draw(
    found: Differences,
    by_size: list[list[LossDifference]],
    widths: tuple[int, ...],
    task: Text,
    layers: int,
    path: Path,
) -> None:
    """Losses by position, differences by position, and the gap by size of the model."""
    figure = Figure(figsize=(4.2 * (3 if widths else 2), 3.4), layout="constrained")
    panels = figure.subplots(1, 3 if widths else 2)
    mean = {
        "plain": np.mean([one.second for one in found[HIDDEN]], axis=0),
        "hidden states cut": np.mean([one.first for one in found[HIDDEN]], axis=0),
        "keys and values cut": np.mean([one.first for one in found[KEYS]], axis=0),
    }
    if BONUS in found:
        mean["then a frozen past"] = np.mean([one.second for one in found[BONUS]], axis=0)
    figures.losses_by_position({name: values.tolist() for name, values in mean.items()}, panels[0])
    figures.gap_by_position(found, panels[1])
    if widths:
        configs = [TransformerConfig(task.vocab_size, task.max_length, width=w, layers=layers) for w in widths]
        sizes = [sum(p.numel() for p in Transformer(config).parameters()) for config in configs]
        figures.gap_by_size(sizes, by_size, panels[2])
    figures.save(panels[0], path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=Path("out"))
    parser.add_argument("--text", type=Path, help="a UTF-8 file")
    parser.add_argument("--tokens", choices=["characters", "bpe"], default="characters")
    parser.add_argument("--model", type=Path, help="the folder of a Hugging Face model, with its tokenizer")
    parser.add_argument("--widths", type=int, nargs="*", default=[], help="of models whose gaps are compared")
    for name, kind, default in (
        ("steps", int, 600),
        ("seeds", int, 3),
        ("length", int, 65),
        ("width", int, 64),
        ("layers", int, 3),
        ("learning-rate", float, 2e-3),
        ("device", str, "cpu"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    given = vars(parser.parse_args())
    checks = real_text(given.pop("out"), widths=tuple(given.pop("widths")), **given)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
