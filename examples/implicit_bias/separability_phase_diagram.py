"""When random data is NTP-separable: the open question of arXiv 2402.18551, Remark 1, measured, beside a heuristic.

The figure shows what is recorded in the file of the same name, one row a point; some points are decided again from
their seeds. ``--recompute`` measures all of them anew (about 10 minutes on two cores) and rewrites the file.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.conditions import Proportion, separability_probability, wendel_heuristic
from ntp_theory.figures import style
from ntp_theory.runs import write_text
from ntp_theory.sweeps import processes, sweep

FILE = Path(__file__).with_suffix(".csv")
LABEL = "bias/separability-threshold"
DRAWS = 200
# (V, S, m): the dimensions d in which the probability, or what the heuristic says of it, goes from 0 to 1
GRID = {
    (2, 1, 40): range(12, 29),
    (3, 1, 40): range(10, 27),
    (3, 2, 40): range(25, 36),
    (4, 2, 40): range(21, 33),
    (5, 1, 40): range(8, 25),
    (5, 2, 40): range(18, 30),
    (5, 3, 40): range(25, 35),
    (5, 4, 40): range(31, 41),
    (3, 2, 12): range(6, 13),
    (4, 3, 12): range(7, 13),
    (5, 4, 10): range(7, 11),
}
AGAIN = ((2, 1, 40, 20), (3, 2, 12, 9), (5, 4, 10, 9))  # (V, S, m, d) of the points decided again


class Point(NamedTuple):
    """One row of the file; ``low`` and ``high`` at confidence 0.95."""

    V: int
    S: int
    m: int
    d: int
    draws: int
    successes: int
    undecided: int
    low: float
    high: float
    heuristic: float
    seed: int


def separability_phase_diagram(
    folder: Path | None = None, *, again: Sequence[tuple[int, int, int, int]] = AGAIN
) -> list[ntp.Check]:
    """Decide some points again, hold the recorded ones against the heuristic, and draw them."""
    points = read()
    if folder is not None:
        figures.save(draw(points), folder / "separability_phase_diagram.png")
    found = {point[:4]: point for point in points}
    return [
        *(_decided_again(found[place]) for place in again),
        _exact_for_two_tokens(points),
        *(_refuted(found[place]) for place in ((3, 2, 12, 9), (5, 4, 10, 9))),
    ]


def _decided_again(recorded: Point) -> ntp.Check:
    return ntp.Check.same(
        LABEL,
        recorded.successes,
        measure((*recorded[:4], recorded.draws, recorded.seed)).successes,
        evidence="certified",
        source="recorded draws",
        statement=f"{_setting(recorded)}: separable of {recorded.draws} draws, as recorded",
    )


def _exact_for_two_tokens(points: list[Point]) -> ntp.Check:
    """Intervals that all contain their value at once with probability at least 0.99, by the union bound."""
    two = [point for point in points if point.V == 2]
    intervals = [Proportion(p.draws, p.successes, p.undecided, confidence=1 - 0.01 / len(two)) for p in two]
    missed = sum(not i.low <= p.heuristic <= i.high for i, p in zip(intervals, two, strict=True))
    statement = f"V=2: points whose interval misses Cover's value, of {len(two)}"
    return ntp.Check.same(LABEL, 0, missed, evidence="measured", source="derived (D12)", statement=statement)


def _refuted(point: Point) -> ntp.Check:
    return ntp.Check.at_most(
        LABEL,
        bound=point.heuristic,
        computed=point.high,
        evidence="measured",
        source="derived (D12)",
        statement=f"{_setting(point)}: upper end of the interval, below the heuristic",
    )


def _setting(point: Point) -> str:
    return f"V={point.V}, S={point.S}, m={point.m}, d={point.d}"


def measure(place: tuple[int, int, int, int, int, int]) -> Point:
    """One point (V, S, m, d, draws, seed): its draws decided, and the heuristic averaged over the same draws."""
    V, S, m, d, draws, seed = place
    found = separability_probability(V, d, m, S, draws=draws, rng=seed)
    heuristic = float(wendel_heuristic(V, d, m, S, draws=draws, rng=seed))
    ends = (round(value, 4) for value in (found.low, found.high, heuristic))
    return Point(V, S, m, d, draws, found.successes, found.undecided, *ends, seed)


def read() -> list[Point]:
    """The recorded points."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [Point(**{name: json.loads(value) for name, value in row.items()}) for row in csv.DictReader(file)]


def recompute(workers: int) -> None:
    """Measure every point of the grid and write the file."""
    settings = [(*setting, d) for setting, dims in GRID.items() for d in dims]
    places = [(*setting, DRAWS, seed) for seed, setting in enumerate(settings)]
    with processes(workers) as pool:
        points = sweep(measure, places, executor=pool, progress=True, title="points")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([Point._fields, *points])
    write_text(FILE, text.getvalue())


def draw(points: list[Point]) -> Axes:
    """A panel for every (V, S, m), and one with all the thresholds."""
    with style.look():
        axes = style.new_axes(3, 4, width=2.9, height=2.4)
        crossings = [
            _panel(ax, [p for p in points if p[:3] == setting]) for ax, setting in zip(axes, GRID, strict=False)
        ]
        _thresholds(axes[-1], crossings)
        axes[2].legend(loc="upper left")  # where there is room
    return axes[0]


def _panel(ax: Axes, points: list[Point]) -> tuple[Point, float, float]:
    """Probability by d/m; returns where the recorded one and the heuristic's cross one half."""
    first = points[0]
    ratio, share = np.array([[p.d / p.m, p.successes / p.draws] for p in points]).T
    bars = np.array([[s - p.low, p.high - s] for p, s in zip(points, share, strict=True)]).T
    ax.errorbar(ratio, share, yerr=np.maximum(bars, 0.0), elinewidth=1.0, label="measured, 95%", **style.measured())
    ax.plot(ratio, [p.heuristic for p in points], label="heuristic", **style.predicted())
    at = heuristic_ratio(first.V, first.S)
    ax.axvline(at, color=style.GREY, linestyle=":", label="heuristic, $m\\to\\infty$", zorder=1)
    ax.set(xlim=(0.18, 1.03), ylim=(-0.04, 1.04), xlabel="$d/m$", ylabel="P(separable)")
    ax.set_title(f"$V={first.V}$, $S={first.S}$, $m={first.m}$", loc="left")
    return first, at, float(np.interp(0.5, share, ratio))


def heuristic_ratio(vocab_size: int, support_size: int) -> float:
    """Where the heuristic's probability crosses one half for large m: ``((S-1) + (V-S)/2) / (V-1)``."""
    return ((support_size - 1) + (vocab_size - support_size) / 2) / (vocab_size - 1)


def _thresholds(ax: Axes, crossings: list[tuple[Point, float, float]]) -> None:
    """Measured against heuristic thresholds, m = 40."""
    ax.plot([0.25, 0.95], [0.25, 0.95], **style.predicted())
    for point, heuristic, crossing in crossings:
        if point.m == 40:
            ax.plot(heuristic, crossing, **style.measured())
            offset = (-17, 3) if point.S == point.V - 1 else (4, -9)
            ax.annotate(f"{point.V},{point.S}", (heuristic, crossing), offset, textcoords="offset points", fontsize=7)
    ax.set(xlim=(0.25, 0.95), ylim=(0.25, 0.95), xlabel="heuristic $d/m$", ylabel="measured $d/m$")
    ax.set_title("Thresholds ($V,S$; $m=40$)", loc="left")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out"), help="where the figure goes (out)")
    parser.add_argument("--recompute", action="store_true", help="measure every point anew and rewrite the data file")
    parser.add_argument("--workers", type=int, default=2, help="processes that measure (2)")
    options = parser.parse_args()
    if options.recompute:
        recompute(options.workers)
    checks = separability_phase_diagram(options.folder)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
