"""What a file of proofs is made of: a statement, and the steps that decide it.

A file states one thing: its docstring says it in words and formula, and the object ``statement`` has the label, the
source and the verdict that the steps are meant to reach. Each step is a computation that returns True, or an argument
in words; the weakest step decides.

>>> statement = Statement("bias/erratum-E15", source="2402.18551 Remark 1", verdict="proved")
>>> @statement.proves("all weights sum to 0 when there are none")
... def trivial():
...     return sum([]) == 0
>>> statement.run().verdict
'proved'
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

__all__ = ["STRENGTHS", "Outcome", "Report", "Statement", "Step", "Strength", "Verdict"]

Strength = Literal["proved", "certified on a domain", "checked on instances", "open"]
"""What a step gives: for all parameters; for all of a stated domain; on stated instances; an argument only."""

Verdict = Literal[
    "proved",
    "certified on a domain",
    "checked on instances",
    "refuted as written",
    "documentation",
    "open: source incomplete",
    "open",
    "failed",
]

STRENGTHS: tuple[Strength, ...] = get_args(Strength)
UNPROVED: tuple[Verdict, ...] = ("checked on instances", "open: source incomplete", "open")

Compute = Callable[[], bool]


@dataclass(frozen=True)
class Step:
    """One step: what it shows, how strongly, and where."""

    words: str
    strength: Strength
    scope: str = ""
    refutes: bool = False
    argued: bool = False
    beside: bool = False  # not a step of the proof
    compute: Compute | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """What it is, for a reader."""
        words: str = "refutes" if self.refutes else "confirmed beside the proof" if self.beside else self.strength
        words = f"{words}: {self.scope}" if self.scope else words
        return f"argued; {words}" if self.argued else words


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    words: str
    kind: str
    holds: bool
    seconds: float
    trouble: str = ""


@dataclass(frozen=True)
class Report:
    """What became of a statement."""

    label: str
    source: str
    text: str
    recorded: str
    verdict: str
    missing: str
    needs: Sequence[str]
    known: Sequence[str]
    steps: Sequence[Outcome]
    seconds: float

    @property
    def as_recorded(self) -> bool:
        """Whether the steps reach the verdict that is written in the file."""
        return self.verdict == self.recorded

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {**asdict(self), "as_recorded": self.as_recorded}


class Statement:
    """A labelled statement, to which steps are added by decorators.

    Parameters
    ----------
    label : str
    source : str
        Paper and number of the statement, or "derived".
    verdict : str
        What the steps are meant to reach.
    repair : str, optional
        For a statement refuted as written: what the steps reach that prove its repaired form.
    missing : str, optional
        For a statement that is not proved: what is missing.
    needs : sequence of str, optional
        Labels of the statements that it rests on.
    known : sequence of str, optional
        Standard facts of mathematics that the steps use and do not compute, by name: "Cauchy-Schwarz", "a continuous
        function on a compact set has a maximum".

    Raises
    ------
    ValueError
        If a verdict is unknown, or a file claims less than proof and does not say what is missing, or the reverse.
    """

    def __init__(
        self,
        label: str,
        *,
        source: str,
        verdict: Verdict,
        repair: Strength | None = None,
        missing: str = "",
        needs: Sequence[str] = (),
        known: Sequence[str] = (),
    ) -> None:
        if verdict not in get_args(Verdict) or verdict == "failed":
            raise ValueError(f"{label}: verdict is {verdict!r}; it must be one of {get_args(Verdict)[:-1]}")
        if (repair is not None) and verdict != "refuted as written":
            raise ValueError(f"{label}: repair is {repair!r}, for a statement that is not refuted")
        weak = verdict in UNPROVED or repair in UNPROVED
        if weak != bool(missing):
            raise ValueError(
                f"{label}: missing is {missing!r}; it must say what a proof lacks, where it lacks something"
            )
        self.label, self.source, self.verdict, self.repair = label, source, verdict, repair
        self.missing, self.needs, self.known = missing, tuple(needs), tuple(known)
        self.text = ""
        self.steps: list[Step] = []

    def proves(self, words: str) -> Callable[[Compute], Compute]:
        """Add a computation that holds for all parameters."""
        return self._add(words, "proved")

    def certifies(self, words: str, *, domain: str) -> Callable[[Compute], Compute]:
        """Add a computation that covers a whole domain: intervals, or all sizes up to a bound."""
        return self._add(words, "certified on a domain", domain)

    def checks(self, words: str, *, instances: str, argued: bool = False) -> Callable[[Compute], Compute]:
        """Add a computation on instances; ``argued`` if the words argue for the general case."""
        return self._add(words, "checked on instances", instances, argued=argued)

    def confirms(self, words: str, *, instances: str) -> Callable[[Compute], Compute]:
        """Add a computation beside the proof, which does not rest on it: the verdict is no weaker for it."""
        return self._add(words, "checked on instances", instances, beside=True)

    def refutes(self, words: str) -> Callable[[Compute], Compute]:
        """Add a counterexample to the statement as written."""
        return self._add(words, "proved", refutes=True)

    def argues(self, words: str) -> None:
        """Add a step that is argued and not computed."""
        self.steps.append(Step(words, "open", argued=True))

    def _add(self, words: str, strength: Strength, scope: str = "", **flags: bool) -> Callable[[Compute], Compute]:
        def add(compute: Compute) -> Compute:
            self.steps.append(Step(words, strength, scope, compute=compute, **flags))
            return compute

        return add

    @property
    def recorded(self) -> str:
        """The verdict in the file, with what the repair reaches."""
        return f"{self.verdict}; repaired: {self.repair}" if self.repair else self.verdict

    def run(self) -> Report:
        """Take every step and see what verdict they reach."""
        start = time.perf_counter()
        outcomes = [_take(step) for step in self.steps]
        verdict = self._reached() if all(outcome.holds for outcome in outcomes) else "failed"
        seconds = time.perf_counter() - start
        words = (self.label, self.source, self.text, self.recorded, verdict, self.missing, self.needs, self.known)
        return Report(*words, outcomes, seconds)

    def _reached(self) -> str:
        """The verdict when every step holds: the weakest step's."""
        refuted = [step for step in self.steps if step.refutes]
        positive = [step.strength for step in self.steps if not step.refutes and not step.beside]
        weakest = max(positive, key=STRENGTHS.index) if positive else None
        if refuted:
            return f"refuted as written; repaired: {weakest}" if weakest else "refuted as written"
        if self.verdict in ("documentation", "open: source incomplete", "open"):
            # Nothing to compute, or something is missing: no step can make up for that.
            return self.verdict if self.verdict != "documentation" or not self.steps else "failed"
        return weakest or "failed"


def _take(step: Step) -> Outcome:
    kind = step.kind
    start = time.perf_counter()
    if step.compute is None:
        return Outcome(step.words, kind, True, 0.0)
    try:
        found: object = step.compute()
        # Whatever is not a plain truth, a list or a relation that sympy left undecided, is a mistake in the file.
        if isinstance(found, bool):
            trouble = "" if found else "the computation says no"
        else:
            trouble = f"the computation returned {found!r}, neither True nor False"
    except Exception as error:  # a step that breaks proves nothing
        trouble = f"{type(error).__name__}: {error}"
    return Outcome(step.words, kind, not trouble, time.perf_counter() - start, trouble)
