"""Writes the page of the documentation from the data file; every number on it comes from there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from ntp_theory.figures import style
from ntp_theory.runs import write_text

from . import figures
from .instances import GROWTH, INSTANCES
from .results import GOAL, REFUTED, Line, Record, lines, read

__all__ = ["write"]

OURS, REFINED = "ntp_theory/structured", "ntp_theory/refined"
Best = dict[str, dict[str, Line]]
BUSY = 1.1

INTRODUCTION = """\
# Benchmarks of the NTP-SVM

How fast, how accurately and how reliably `solve_svm` solves the NTP-SVM, beside general-purpose solvers of quadratic
programs. This page, its tables and its figures are written by `make benchmarks`, which measures what is missing in
`benchmarks/svm/results.jsonl` and writes the page from that file; delete the file to measure everything anew.

**Equal accuracy.** Solvers mean different things by a tolerance, so their own reports are not used. For every instance
$W_{mm}$ is computed once to some thirty digits on its active set, with residuals in 200-bit arithmetic, and proved by
a duality gap in which nothing cancels (`benchmarks/svm/reference.py` and `certificate.py`; neither uses our solver). An
answer $W$ is judged by its distance to that: $\\|W-W_{mm}\\|\\le\\|W-W_{ref}\\|+\\|W_{ref}-W_{mm}\\|$, relative
to $\\|W_{mm}\\|$. Each solver's tolerance is tightened until this is at most GOAL; the time is that of this one solve,
the median of up to five, in a process of its own with one thread. Multipliers are not asked for, which helps solvers
that return poor ones.

**Best formulation.** Each solver is called directly in up to three formulations (`benchmarks/svm/formulations.py`): in
the weights, in the logits with one level for each support, and in the multipliers; and through cvxpy. All use
embeddings of root-mean-square norm 1, rotated into their span. Settings help the others where we knew how: PIQP uses
its backend for block-arrow matrices, OSQP starts from a step size tuned on such data, with and without its polishing.
Ratios count for the others the time inside the solver only, for us everything.
"""


def write(results: Path, page: Path) -> None:
    """Write the page, with its figures beside it."""
    records = read(results)
    found = lines(records)
    parts = [INTRODUCTION.replace("GOAL", _number(GOAL)), _environments(records)]
    folder = page.with_suffix("")
    for title, text in (
        ("Size", _sizes(found, folder)),
        ("Every formulation", _formulations(found)),
        ("Hard instances", _families(found, folder)),
        ("One-hot data", _one_hot(found)),
        ("Infeasible data", _infeasible(found)),
        ("Growth of the cost", _growth(found, folder)),
        ("Large instances", _large(found)),
    ):
        parts.append(f"## {title}\n\n{text or 'Not measured yet.'}\n")
    write_text(page, "\n".join(parts))


def best_formulations(found: Iterable[Line], *, cvxpy: bool = False) -> Best:
    """For each solver and instance the fastest line that reached the goal, or the most accurate one."""
    best: Best = {}
    for line in found:
        if line.contestant.endswith("/cvxpy") == cvxpy and line.contestant != REFINED:
            held = best.setdefault(line.solver, {}).setdefault(line.instance, line)
            if _rank(line) < _rank(held):
                best[line.solver][line.instance] = line
    return best


def _rank(line: Line) -> tuple[bool, float]:
    return (True, line.bound) if line.outcome != "reached" else (False, line.compared)


def _sizes(found: list[Line], folder: Path) -> str:
    chosen = [line for line in found if line.family == "random"]
    if not chosen:
        return ""
    best, through = best_formulations(chosen), best_formulations(chosen, cvxpy=True)
    names = [name for name in INSTANCES if any(line.instance == name for line in chosen)]
    style.save(figures.sizes(best), folder / "sizes.png")
    rows = [[solver, *(_time(best[solver].get(name)) for name in names)] for solver in best]
    rows += [[f"{solver} through cvxpy", *(_time(through[solver].get(name)) for name in names)] for solver in through]
    statements = []
    for name in names:
        others = [line for solver, by in best.items() if solver != "ntp_theory" and (line := by.get(name))]
        others = [line for line in others if line.outcome == "reached"]
        own = best.get("ntp_theory", {}).get(name)
        if own and own.outcome == "reached" and others:
            first = min(others, key=lambda line: line.compared)
            ratio = first.compared / own.compared
            statements.append(
                f"- $V=m={own.V}$, $d={own.d}$: **{ratio:.0f} times** faster than the best of the others, "
                f"{first.contestant}."
            )
    text = "Random Gaussian embeddings, supports of 1 to 4 tokens; seconds from the dataset to the decoder.\n\n"
    text += _table(["", *(f"V = m = {name.partition('-')[2]}" for name in names)], rows)
    return text + "\n" + "\n".join(statements) + f"\n\n![Seconds against size]({folder.name}/sizes.png)"


def _formulations(found: list[Line]) -> str:
    chosen = [line for line in found if line.instance in ("random-100", "random-200")]
    rows = [
        [line.contestant, line.instance, _time(line), _number(line.inside), _number(line.bound), _memory(line)]
        for line in sorted(chosen, key=lambda line: (line.instance, *_rank(line)))
    ]
    return _table(["contestant", "instance", "seconds", "inside the solver", "distance", "MiB"], rows) if rows else ""


def _families(found: list[Line], folder: Path) -> str:
    families = ("random", "text", "nearly inseparable", "learned", "spectrum", "one-hot")
    chosen = [line for line in found if line.family in families]
    if not chosen:
        return ""
    best = best_formulations(chosen)
    names = [name for name in INSTANCES if name in best.get("ntp_theory", {}) and name != "random-400"]
    style.save(figures.accuracy(best, names), folder / "accuracy.png")
    solvers = [solver for solver in best if solver != "LIBLINEAR"]
    counts = [["reached", *(_count(best[solver], names) for solver in solvers)]]
    for family in families:
        of = [name for name in names if INSTANCES[name].family == family]
        counts.append([family, *(_count(best[solver], of) for solver in solvers)])
    rows = [[name, *(_time(best[solver].get(name)) for solver in solvers)] for name in names]
    text = (
        f"Instances on which a relative distance of {_number(GOAL)} was reached within 60 s, each solver in the best "
        "of its formulations for the instance:\n\n"
    )
    text += _table(["", *solvers], counts)
    text += "\nSeconds to get there, or the distance at which it ended:\n\n" + _table(["", *solvers], rows)
    refined = [line for line in found if line.contestant == REFINED and line.family in families]
    if refined:
        met = sum(line.outcome == "reached" for line in refined)
        worst = max(line.bound for line in refined)
        text += (
            f"\nWith `refine=True` the distance is at most 1e-10 on {met} of {len(refined)} instances "
            f"(worst {_number(worst)}).\n"
        )
    return text + f"\n![Distances reached]({folder.name}/accuracy.png)"


def _one_hot(found: list[Line]) -> str:
    chosen = [line for line in found if line.family == "one-hot"]
    names = [name for name in INSTANCES if any(line.instance == name for line in chosen)]
    own, other = (
        {line.instance: line for line in chosen if line.contestant == contestant}
        for contestant in (OURS, "LIBLINEAR/Crammer-Singer")
    )
    rows = []
    for name in names:
        mine, theirs = own.get(name), other.get(name)
        both = mine and theirs and mine.outcome == theirs.outcome == "reached"
        ratio = f"{theirs.seconds / mine.seconds:.1f}" if both else ""
        rows.append([name, _time(mine), _time(theirs), ratio])
    if not rows:
        return ""
    text = (
        "With one next token a context the NTP-SVM is the hard-margin machine of Crammer and Singer, which LIBLINEAR "
        "solves by coordinate descent (here through scikit-learn, at a penalty of 1e6). On the smallest a call of ours "
        "is its some hundred tensor operations, a few milliseconds, whatever they compute; many of these are solved "
        "faster together, by `solve_svms`.\n\n"
    )
    return text + _table(["", "ntp_theory", "LIBLINEAR", "ratio"], rows)


def _infeasible(found: list[Line]) -> str:
    chosen = [line for line in found if line.family == "infeasible" and line.contestant != REFINED]
    if not chosen:
        return ""
    names = [name for name in INSTANCES if any(line.instance == name for line in chosen)]
    rows = []
    for contestant in dict.fromkeys(line.contestant for line in chosen):
        by = {line.instance: line for line in chosen if line.contestant == contestant}
        proved = sum(line.outcome == "proved infeasible" for line in by.values())
        said = proved + sum(line.outcome == "said infeasible" for line in by.values())
        rows.append(
            [contestant, f"{said} of {len(by)}", f"{proved} of {len(by)}", *(_refuted(by.get(n)) for n in names)]
        )
    text = (
        "A refutation is a matrix of multipliers; by how much it fails to cancel bounds the norms that it excludes: no "
        "decoder of a smaller norm separates the data, embeddings having root-mean-square norm 1. It counts as a proof "
        f"from {_number(REFUTED)} on. Ours can also be decided in rationals (`check_separability(data, exact=True)`). "
        "Entries: seconds, and the excluded norm.\n\n"
    )
    return text + _table(["", "says so", "proves it", *names], rows)


def _growth(found: list[Line], folder: Path) -> str:
    chosen = [line for line in found if line.family.startswith("growth")]
    if not chosen:
        return ""
    style.save(figures.growth(chosen), folder / "growth.png")
    rows = []
    for axis, sizes in GROWTH.items():
        points = figures.points(chosen, OURS, axis)
        if len(points) > 1:
            fixed = {"V": "m = 100, d = 128", "m": "V = 100, d = 512", "d": "V = m = 100"}[axis]
            span = f"{sizes[0]['Vmd'.index(axis)]} to {sizes[-1]['Vmd'.index(axis)]}"
            rows.append([f"${axis}$", span, fixed, f"{figures.exponent(points):.2f}"])
    text = (
        "The power of each size with which our seconds grow, over a decade, the others fixed. Tokens with equal "
        "support columns, those that follow no context among them, are one token to the solver "
        "(`bias/svm-structure`), so $V$ alone hardly costs.\n\n"
    )
    return text + _table(["", "from, to", "fixed", "power"], rows) + f"\n![Growth]({folder.name}/growth.png)"


def _large(found: list[Line]) -> str:
    rows = [
        [f"{line.V:,} tokens, {line.m:,} contexts, d = {line.d:,}", line.contestant, str(line.threads), _time(line),
         _number(line.bound), _memory(line)]
        for line in found
        if line.family in ("large", "gpu")
    ]  # fmt: skip
    return _table(["", "contestant", "threads", "seconds", "distance", "MiB"], rows) if rows else ""


def _environments(records: list[Record]) -> str:
    rows = []
    for record in records:
        if "described" in record:
            dates = sorted(
                {r["date"] for r in records if r.get("environment") == record["environment"] and "date" in r}
            )
            machine = record["described"]
            versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
            gpu = f", {machine['gpu']}" if machine["gpu"] else ""
            where = f"{machine['cpu']}, {machine['cores']} cores, {machine['gibibytes']} GiB{gpu}, {machine['system']}"
            when = " to ".join(dict.fromkeys([dates[0], dates[-1]])) if dates else "-"
            rows.append([when, where, f"Python {machine['python']}, {versions}"])
    return "**Where and when.**\n\n" + _table(["date", "machine", "versions"], rows) + _disturbed(records)


def _disturbed(records: list[Record]) -> str:
    """A remark if the machine had other work: one thread then waits longer than it computes."""
    timed = [run for run in records if run.get("threads") == 1 and run.get("seconds", 0.0) > 0.1]
    waited = sum(run["seconds"] > BUSY * run["processor"] for run in timed)
    if not waited:
        return ""
    return f"\n{waited} of {len(timed)} runs waited for the processor longer than {BUSY - 1:.0%} of their time.\n"


def _time(line: Line | None) -> str:
    if line is None:
        return ""
    if line.outcome == "reached":
        return _number(line.seconds)
    return f"*{_number(line.bound)}*" if math.isfinite(line.bound) else f"*{line.outcome}*"


def _refuted(line: Line | None) -> str:
    if line is None:
        return ""
    if "infeasible" not in line.outcome:
        return f"*{line.outcome}*"
    return f"{_number(line.seconds)}, {'none' if math.isnan(line.excluded) else _number(line.excluded)}"


def _memory(line: Line) -> str:
    return "" if math.isnan(line.mebibytes) else f"{line.mebibytes:.0f}"


def _count(by_instance: dict[str, Line], names: Sequence[str]) -> str:
    tried = [by_instance[name] for name in names if name in by_instance]
    return f"{sum(line.outcome == 'reached' for line in tried)} of {len(tried)}"


def _number(value: float) -> str:
    """Two digits; powers of ten where there are many zeros."""
    if math.isnan(value):
        return ""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.2g}" if abs(value) < 100 else f"{value:,.0f}"
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def join(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    return "\n".join([join(head), join(["---"] * len(head)), *(join(row) for row in rows)]) + "\n"
