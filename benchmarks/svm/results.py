"""What the data file says, in the terms of the page: one line for a contestant on an instance."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contestants import OURS
from .instances import INSTANCES

__all__ = ["FINE_GOAL", "GOAL", "REFUTED", "Line", "Record", "append", "goal", "lines", "read"]

Record = dict[str, Any]

GOAL, FINE_GOAL = 1e-7, 1e-10  # relative distance to the solution; the second is for refined answers
# An excluded norm from which a refutation counts as a proof: the solutions of separable instances have norms up to 1e7
# when embeddings have norm 1, and rounding alone leaves 1e15.
REFUTED = 1e10


def goal(contestant: str) -> float:
    """The relative distance to the solution that a contestant is held to."""
    return FINE_GOAL if contestant.endswith("/refined") else GOAL


@dataclass(frozen=True)
class Line:
    """A contestant on an instance.

    Attributes
    ----------
    instance, contestant : str
    V, m, d, threads : int
    seconds, inside : float
        Of the fastest run that reached the goal, or the one with the best refutation; nan if there is none.
    mebibytes : float
        Memory of that run beyond what was in use before it.
    bound : float
        Of that run; else the best that was reached.
    excluded : float
        By the refutation that it gave; nan if it gave none.
    outcome : str
        "reached", "not reached", "proved infeasible", "said infeasible", "out of time" or "failed".
    """

    instance: str
    contestant: str
    V: int
    m: int
    d: int
    threads: int
    seconds: float
    inside: float
    mebibytes: float
    bound: float
    excluded: float
    outcome: str

    @property
    def solver(self) -> str:
        """The contestant without its formulation."""
        return self.contestant.partition("/")[0]

    @property
    def family(self) -> str:
        """The family of the instance."""
        return INSTANCES[self.instance].family

    @property
    def compared(self) -> float:
        """The seconds that ratios use: of others, only those inside the solver; of ours, all."""
        return self.seconds if self.contestant in OURS else self.inside


def read(path: Path) -> list[Record]:
    """All records of a data file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def append(path: Path, record: Record) -> None:
    """Add a record to a data file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def lines(records: Iterable[Record]) -> list[Line]:
    """One line for each contestant on each instance that was measured."""
    runs: dict[tuple[str, str, int], list[Record]] = {}
    for record in records:
        if "instance" in record and record["instance"] in INSTANCES:
            runs.setdefault((record["instance"], record["contestant"], record["threads"]), []).append(record)
    return [_line(group) for group in runs.values()]


def _line(runs: list[Record]) -> Line:
    bounds = [math.inf if run["bound"] is None else run["bound"] for run in runs]
    reached = [run for run, bound in zip(runs, bounds, strict=True) if bound <= goal(run["contestant"])]
    refutations = [run for run in runs if run["outcome"] == "infeasible"]
    last, nan = runs[-1], math.nan
    if reached:
        best, outcome = min(reached, key=lambda run: run["seconds"]), "reached"
    elif refutations:
        best = last = max(refutations, key=lambda run: run["excluded"] or 0.0)
        outcome = "proved infeasible" if (best["excluded"] or 0.0) >= REFUTED else "said infeasible"
    else:
        best, outcome = last, {"answered": "not reached"}.get(last["outcome"], last["outcome"])
    timed = best if reached or refutations else {}
    return Line(
        last["instance"], last["contestant"], last["V"], last["m"], last["d"], last["threads"],
        timed.get("seconds", nan), timed.get("inside", nan), timed.get("mebibytes") or nan,
        best["bound"] if reached else min(bounds), last["excluded"] or nan, outcome,
    )  # fmt: skip
