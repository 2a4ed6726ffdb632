"""What the last layer could do with the features of a model on path-star graphs, on the plateau and off it."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

import ntp_theory as ntp
from ntp_theory import bridge, figures
from ntp_theory.conditions import wendel_probability
from ntp_theory.figures import style
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import Objective, TeacherForcing, Teacherless, train

# Order of the answer, objective, the most steps of 128 graphs, and the accuracy to stop at.
REGIMES: dict[str, tuple[str, Objective, int, float | None]] = {
    "teacher forcing": ("forward", TeacherForcing(), 500, None),
    "reversed": ("reversed", TeacherForcing(), 500, 0.99),
    "teacherless": ("forward", Teacherless(), 4000, 0.99),
}
COLOURS = {"teacher forcing": style.ORANGE, "reversed": style.BLUE, "teacherless": style.GREEN}
BRANCH = 1
# Far along W_mm: what can be driven to zero probability is there.
FAR = 100.0


def last_layer(
    folder: Path | None = None,
    *,
    regimes: tuple[str, ...] = ("teacher forcing", "reversed"),
    path_length: int = 5,
    share: float = 1.0,
    questions: int = 1250,
) -> list[ntp.Check]:
    """Train on G(2, l), write every answer token's features as a dataset, and hold the head against its limit.

    The questions are held out from training. There must be so many that coins could not be told from answers:
    `by_luck`. ``share`` of the steps, for a quick look.
    """
    checks: list[ntp.Check] = []
    found: dict[str, list[bridge.LastLayer]] = {}
    for name in regimes:
        order, objective, steps, until = REGIMES[name]
        task = PathStar(2, path_length, 2 * path_length - 1, order)
        model = model_for(task)
        most = max(1, round(share * steps))
        train(model, task, objective, steps=most, until=until, evaluate_every=100, progress=True)
        batch, fresh = (task.sample(questions, rng, split="test") for rng in (1, 2))
        found[name] = []
        for place in range(1, path_length):
            data = bridge.features_dataset(model, task, objective, batch, places=[place])
            layer = bridge.last_layer(model, data)
            found[name].append(layer)
            print(f"{name}, r_{place}: {layer.summary()}\n")
            checks += sound(name, place, layer)
            if share == 1.0:
                stuck = name == "teacher forcing" and place == BRANCH
                checks.append(separability(name, place, layer, stuck))
                if stuck:
                    checks.append(by_luck(task, data))
                    checks.append(on_fresh(layer, bridge.features_dataset(model, task, objective, fresh, places=[1])))
    if folder is not None:
        figures.save(draw(found)[0], folder / "last_layer.png")
    return checks


def sound(name: str, place: int, layer: bridge.LastLayer) -> list[ntp.Check]:
    """No head is below the infimum, and none has a larger margin than W_mm."""
    words = f"{name}, r_{place}"
    below, wide = layer.limit.infimum_bounds[0] - layer.loss.value, 0.0 if math.isnan(layer.share) else layer.share
    floor = ntp.Check.at_most(
        "bias/any-data", 0.0, below, evidence="certified", statement=f"{words}: infimum - loss of the head"
    )
    # the maximum is known up to the distance bound of W_mm, logits up to the rounding of 64 products
    slack = layer.limit.svm.distance_bound() * layer.limit.margin + 1e-12
    words += ": its margin over the largest"
    largest = ntp.Check.at_most("bias/theorem-2", 1.0, wide, slack=slack, evidence="certified", statement=words)
    return [floor, largest]


def separability(name: str, place: int, layer: bridge.LastLayer, stuck: bool) -> ntp.Check:
    """On the plateau no linear head tells the arm; all else can be read off."""
    answer = layer.limit.separability
    words = {True: "separable", False: "not separable"}
    computed = words[answer.separable] if answer.verify() else "not certified"
    statement = f"{name}, r_{place}: {layer.limit.data.num_contexts} contexts, d = {layer.limit.data.dim}"
    return ntp.Check.same("bias/definition-2", words[not stuck], computed, evidence="certified", statement=statement)


def by_luck(task: PathStar, data: ntp.NTPDataset) -> ntp.Check:
    """Cover's count: with what probability features that know nothing of the arm would be separable all the same.

    If the arm is a fair coin given the features, a decoder must tell one child of the start from the other in m
    contexts. Such comparisons are linear in its N rows up to a common one, in D = (N - 1) d numbers.
    """
    luck = float(wendel_probability(data.num_contexts, (task.num_nodes - 1) * data.dim))
    return ntp.Check.at_most(
        "classical/cover-wendel", 1e-6, luck, evidence="exact", statement="probability that coins are separable"
    )


def on_fresh(layer: bridge.LastLayer, fresh: ntp.NTPDataset) -> ntp.Check:
    """The head that training the last layer would end at, asked what it was not trained on."""
    weights = layer.limit.finite
    if layer.limit.direction is not None:
        weights = weights + FAR * layer.limit.direction
    right = bridge.accuracy(weights, fresh)
    return ntp.Check.at_most(
        "pitfalls/chance-level",
        0.5,
        right,
        slack=3 * (0.25 / fresh.num_contexts) ** 0.5,  # three standard errors of one who guesses the arm
        evidence="measured",
        statement="teacher forcing, r_1: the best head on fresh questions",
    )


def draw(found: dict[str, list[bridge.LastLayer]]) -> list[Axes]:
    """Margins by place, and losses of the own head beside the infimum."""
    with style.look():
        left, right = style.new_axes(1, 2, width=4.2, height=3.1)
        for shift, (name, layers) in enumerate(found.items()):
            places = np.arange(1, len(layers) + 1) + 0.12 * (shift - (len(found) - 1) / 2)
            whole = [layer.separable for layer in layers]
            heights = [layer.margin if layer.separable else 0.0 for layer in layers]
            look = {"color": COLOURS[name]}
            left.vlines(places, 0, heights, **look)
            left.plot(places, heights, "o", label=name, **look)
            for x, separable in zip(places, whole, strict=True):
                if not separable:
                    left.annotate(
                        "not separable", (x, 0), (-4, 8), textcoords="offset points", fontsize=8, rotation=90, **look
                    )
            right.plot(places, [layer.loss.value for layer in layers], "o", label=f"{name}, its head", **look)
            infima = [layer.limit.infimum for layer in layers]
            right.plot(places, infima, "_", markersize=11, label=f"{name}, best head", **look)
        right.axhline(math.log(2), color=style.GREY, linestyle="--", label="$\\ln 2$, a guess", zorder=1)
        highest = 1.35 * max(layer.margin for layers in found.values() for layer in layers)  # room for the legend
        left.set(xlabel="place in the answer", ylabel="largest margin / norm of features", ylim=(-0.02, highest))
        right.set(xlabel="place in the answer", ylabel="loss, nats")
        for ax, place in ((left, "upper right"), (right, "center right")):
            ax.set_xticks(range(1, len(layers) + 1))
            ax.legend(loc=place, fontsize=8)
    return [left, right]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out"), help="where the figure goes (out)")
    parser.add_argument("--teacherless", action="store_true", help="also train without a teacher, 2 minutes more")
    options = parser.parse_args()
    names = tuple(REGIMES) if options.teacherless else tuple(REGIMES)[:2]
    checks = last_layer(options.folder, regimes=names)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
