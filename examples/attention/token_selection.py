"""Attention that selects tokens: plain, normalised and Polyak steps towards the max-margin weights, as predicted."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.attention import SelectionRun, TokenSelection, select, solve_selection
from ntp_theory.checks import fitted_slope
from ntp_theory.figures.style import BLUE, GREEN, ORANGE, look, measured, new_axes, predicted

# Three inputs of three tokens in 12 dimensions; its slowest mode is fast.
SEED = 3
# Step sizes: long for plain steps, which move W by log t all in all.
SETTINGS = {"gd": (20.0, 1.0), "ngd": (0.1, 0.15), "polyak": (1.0, 0.03)}
COLOURS = {"gd": BLUE, "ngd": GREEN, "polyak": ORANGE}


def token_selection(folder: Path | None = None, *, steps: int = 10_000) -> list[ntp.Check]:
    """Every kind of step on one drawn data: how log of the loss falls, against the margin of the selection."""
    data = TokenSelection.random(3, 3, 12, rng=SEED)
    svm = solve_selection(data)
    print(svm.summary())
    runs = {
        name: select(data, name, steps=round(share * steps), step_size=eta) for name, (eta, share) in SETTINGS.items()
    }
    late = svm.late()
    rate, ahead = min(1.0, late.rate, late.distance), float(late.offset @ svm.direction.flatten()) / svm.norm**2
    laws = {"gd": 1.0, "ngd": SETTINGS["ngd"][0] / svm.norm, "polyak": 1.0}
    checks = [law(run, laws[name], svm.norm, rate, ahead) for name, run in runs.items()]
    if folder is not None:
        with look():
            left, right = new_axes(1, 2, width=4.2, height=3.1)
            for name, run in runs.items():
                left.plot(run.steps, -run.log_gaps(), **measured(COLOURS[name]), label=name)
                left.plot(*predicted_fall(run, laws[name], svm.norm), **predicted(COLOURS[name]))
                right.plot(run.steps, 1 - run.correlations(svm.direction), **measured(COLOURS[name]), label=name)
            left.set(xscale="log", yscale="log", xlabel="steps", ylabel="$-\\log(f - f^\\star)$")
            right.set(xscale="log", yscale="log", xlabel="steps", ylabel="1 - correlation with $W_{svm}$")
            left.legend(loc="best")
            figures.save(left, folder / "token_selection.png")
    return checks


def predicted_fall(run: SelectionRun, fall: float, norm: float) -> tuple[list[float], list[float]]:
    """Steps and ``-log (f - f*)`` by the law alone, where it is positive and late: constants fade beside it."""
    steps = [float(k) for k in run.steps.tolist() if 10 * k >= run.steps[-1]]
    if run.method == "gd":
        return steps, [math.log(run.step_size * k) - 2 * math.log(norm) for k in steps]
    return steps, [fall * k for k in steps]


def law(run: SelectionRun, fall: float, norm: float, rate: float, ahead: float) -> ntp.Check:
    """``t (f - f*) -> ||W_svm||^2`` for plain steps; ``log (f - f*)`` falls by a constant a step for the others.

    Multipliers are off their limits by (f - f*)^rate, and these sums of all of them by the square of that.
    """
    late = run.steps >= run.steps[-1] / 2
    label, words = "attention/ngd-polyak", f"{run.method}: fall of log (f - f*) a step"
    if run.method == "gd":
        found = float(run.step_size * run.steps[-1] * run.log_gaps()[-1].exp()) / norm**2
        label, words = "attention/att-svm", "gd: t (f - f*) over ||W_svm||^2"
        # and steps are not infinitely short beside the time that has passed
        last, steps = math.log(run.step_size * run.steps[-1]) + ahead, int(run.steps[-1])
        tolerance = math.exp(-2 * rate * last) + math.log(steps) / steps
    else:
        fallen = fall * float(run.steps[late][0])
        # what fades over these steps, of a line that falls as far again; f - f* is e^-fallen there up to a constant,
        # for which the first power is allowed where the square is expected
        tolerance = math.exp(-rate * fallen) / fallen
        found = -fitted_slope(run.steps[late], run.log_gaps()[late])
    return ntp.Check.close(label, fall, found, tolerance=tolerance, evidence="measured", statement=words)


if __name__ == "__main__":
    checks = token_selection(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
