"""The registry of claims: each labelled statement with its source, its kind of evidence, and its check."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from ..checks import Check, Evidence
from ..doors import instance
from ..errors import UsageError
from .labels import LABELS

__all__ = [
    "BUDGETS",
    "Budget",
    "Claim",
    "Verdict",
    "at_most",
    "check",
    "claim",
    "clear_cache",
    "close",
    "labels",
    "record",
    "records",
    "same",
    "shared",
]

Budget = Literal["quick", "standard", "full"]
BUDGETS: tuple[Budget, ...] = get_args(Budget)
"""From the whole registry in two minutes to a night on a large machine."""

Verdict = Literal["holds", "holds, repaired", "refuted as written"]
Run = Callable[..., Iterable[Check]]
P = ParamSpec("P")
T = TypeVar("T")

# Strongest last.
STRENGTH: tuple[Evidence, ...] = ("measured", "certified", "exact")


@dataclass(frozen=True)
class Claim:
    """One labelled statement and how it is checked.

    Attributes
    ----------
    label : str
    statement : str
        In our own words.
    source : str
        Paper and number of the statement, or "derived".
    evidence : {"exact", "certified", "measured"}
        The strongest kind that one of its checks may state.
    verdict : str
        What the checks show when they hold: that the statement *holds*, *holds, repaired* (as the statement here says),
        or is *refuted as written* in its source.
    budgets : mapping of str to str
        The budgets it has, and what each shows.
    run : callable
        From a budget to checks.
    """

    label: str
    statement: str
    source: str
    evidence: Evidence
    verdict: Verdict
    budgets: Mapping[str, str]
    run: Callable[[Budget], Iterable[Check]]

    def largest(self, budget: Budget) -> Budget | None:
        """The largest of its budgets up to this one, if it has one so small."""
        return next((b for b in reversed(BUDGETS[: BUDGETS.index(budget) + 1]) if b in self.budgets), None)


_claims: dict[str, Claim] = {}
_caches: list[Any] = []

# Inside a claim checks are made without a label: the registry adds label, source and time.
close = functools.partial(Check.close, "")
at_most = functools.partial(Check.at_most, "")
same = functools.partial(Check.same, "")


def claim(
    label: str,
    *,
    source: str,
    evidence: Evidence,
    verdict: Verdict = "holds",
    standard: str | None = None,
    full: str | None = None,
) -> Callable[[Run], Run]:
    """Register the decorated function as the claim of that label.

    The first paragraph of its docstring is the statement; the rest says what the budget "quick" shows, which a claim
    that needs more does not have. A function with a larger budget, described by ``standard`` or ``full``, is called
    with the name of the budget; others without.
    """

    def register(run: Run) -> Run:
        if label not in LABELS:
            raise UsageError(f"label is {label!r}; it must be one of the theory's labels")
        if label in _claims:
            raise UsageError(f"label is {label!r}, which is registered already; a label has one claim")
        larger = {"standard": standard, "full": full}
        statement, _, quick = (inspect.getdoc(run) or "").partition("\n\n")
        budgets = {"quick": _one_line(quick)} if quick else {}
        budgets |= {budget: shown for budget, shown in larger.items() if shown is not None}
        with_budget = run if set(budgets) - {"quick"} else lambda budget: run()
        _claims[label] = Claim(label, _one_line(statement), source, evidence, verdict, budgets, with_budget)
        return run

    return register


def shared(compute: Callable[P, T]) -> Callable[P, T]:
    """Compute once a process what several claims use; `clear_cache` forgets it."""
    cached = functools.cache(compute)
    _caches.append(cached)
    return cached  # type: ignore[return-value]


def clear_cache() -> None:
    """Forget everything that claims have computed and kept; needed after a change to the code they ran.

    Examples
    --------
    >>> clear_cache()
    """
    for cached in _caches:
        cached.cache_clear()


def labels(prefix: str = "") -> list[str]:
    """Labels of the registered claims that start with ``prefix``, in the order of the theory; itself if it is one.

    Examples
    --------
    >>> labels("bias/erratum-E1"), labels("svm")
    (['bias/erratum-E1'], ['svm/dual'])
    """
    instance("prefix", prefix, str)
    if prefix in _claims:
        return [prefix]
    return sorted((label for label in _claims if label.startswith(prefix)), key=LABELS.index)


def records(prefix: str = "") -> list[Claim]:
    """The claims of `labels`.

    Examples
    --------
    >>> [claim.evidence for claim in records("bias/erratum-E13")]
    ['exact']
    """
    return [_claims[label] for label in labels(prefix)]


def record(label: str) -> Claim:
    """The claim of a label.

    Raises
    ------
    UsageError
        If there is none; the message lists the closest labels.

    Examples
    --------
    >>> record("bias/erratum-E9").verdict
    'refuted as written'
    """
    if label not in _claims:
        raise UsageError(_unknown(label))
    return _claims[label]


def check(label: str, budget: Budget = "quick") -> list[Check]:
    """Run a claim, or all claims whose labels start with ``label``.

    Parameters
    ----------
    label : str
        A label, or the beginning of several, as ``"bias"``.
    budget : {"quick", "standard", "full"}
        Each claim runs at the largest of its budgets up to this one; one that has none so small is left out, or is an
        error if it is the only one asked for.

    Returns
    -------
    list of Check
        With the time each took. A claim whose code raises gives a check that does not hold, with the error as its
        computed value; so does one that gives no check, or states more than its record allows.

    Raises
    ------
    UsageError
        If no label starts so, there is no such budget, or the claim asked for needs a larger one.

    Examples
    --------
    >>> [found.holds for found in check("bias/erratum-E9")]
    [True, True]
    """
    if budget not in BUDGETS:
        raise UsageError(f"budget is {budget!r}; it must be one of {', '.join(map(repr, BUDGETS))}")
    instance("label", label, str)
    chosen = records(label)
    if not chosen:
        raise UsageError(_unknown(label))
    runnable = [(claim, level) for claim in chosen if (level := claim.largest(budget))]
    if not runnable:
        raise UsageError(f"budget is {budget!r}; {chosen[0].label} has {', '.join(map(repr, chosen[0].budgets))}")
    return [found for claim, level in runnable for found in _run(claim, level)]


def _run(claim: Claim, level: Budget) -> list[Check]:
    found: list[Check] = []
    start = time.perf_counter()
    try:
        for made in claim.run(level):
            _refuse_overstatement(claim, made)
            now = time.perf_counter()
            found.append(replace(made, label=claim.label, source=claim.source, seconds=now - start))
            start = now
        if not found:
            raise UsageError("the claim made no check")
    except Exception as error:  # whatever went wrong, the claim did not hold
        reason = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - start
        words = (claim.evidence, claim.source, seconds, "the check ran to its end")
        found.append(Check(claim.label, "an answer", reason, math.inf, 0.0, False, *words))
    return found


def _refuse_overstatement(claim: Claim, made: Check) -> None:
    """A check must not state more than its record, nor call a comparison of rounded numbers exact."""
    if STRENGTH.index(made.evidence) > STRENGTH.index(claim.evidence):
        raise UsageError(f"evidence is {made.evidence!r}, stronger than {claim.evidence!r} of the record")
    rounded = any(isinstance(value, float) for value in (made.predicted, made.computed))
    if made.evidence == "exact" and (rounded or made.tolerance != 0):
        raise UsageError(f"evidence is 'exact' for rounded numbers or a tolerance: {made.statement}")


def _unknown(label: str) -> str:
    near = difflib.get_close_matches(label, _claims, n=3, cutoff=0.5)
    hint = f"close to it: {', '.join(near)}" if near else "ntp_theory.claims.labels() lists them all"
    return f"label is {label!r}; it must be the label of a claim or the beginning of one; {hint}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
