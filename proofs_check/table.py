"""Run statements side by side and print what they reach, as a table or in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from . import registry
from .statement import Report

__all__ = ["details", "heading", "line", "run", "summary"]

WIDTHS = (32, 44, 5, 8)


def run(labels: Sequence[str], processes: int) -> Iterator[Report]:
    """The reports of these labels, in their order, each as soon as it is there."""
    if processes == 1 or len(labels) == 1:
        yield from map(_run, labels)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_run, labels)
        except BaseException:  # interrupted, or nobody reads on: do not finish the rest
            pool.shutdown(cancel_futures=True)
            raise


def _run(label: str) -> Report:
    return registry.load(label).run()


def heading() -> str:
    """The first line of the table."""
    return _columns("label", "verdict", "steps", "seconds", "source")


def line(report: Report) -> str:
    """A line of the table, and what went wrong below it."""
    verdict = report.verdict if report.as_recorded else f"{report.verdict}, recorded: {report.recorded}"
    lines = [_columns(report.label, verdict, str(len(report.steps)), f"{report.seconds:.2f}", report.source)]
    lines += [f"    step {i}: {step.words}: {step.trouble}" for i, step in enumerate(report.steps, 1) if step.trouble]
    return "\n".join(lines)


def details(report: Report) -> str:
    """A statement with its words, its steps, and what is missing."""
    lines = [
        f"{report.label}  ({report.source})",
        "",
        *(f"    {text}".rstrip() for text in report.text.splitlines()),
        "",
    ]
    for i, step in enumerate(report.steps, 1):
        lines += [f"{i:3}. {step.words}", f"     [{step.kind}; {step.seconds:.2f} s]"]
        lines += [f"     FAILED: {step.trouble}"] if step.trouble else []
    lines += [f"missing: {report.missing}"] if report.missing else []
    lines += [f"rests on: {', '.join(report.needs)}"] if report.needs else []
    lines += [f"takes as known: {'; '.join(report.known)}"] if report.known else []
    lines += [f"verdict: {report.verdict}" + ("" if report.as_recorded else f" (recorded: {report.recorded})"), ""]
    return "\n".join(lines)


def summary(reports: Sequence[Report]) -> str:
    """How many reach which verdict, and how many differ from their record."""
    verdicts = [report.verdict for report in reports]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts)))
    different = sum(not report.as_recorded for report in reports)
    return f"{len(reports)} statements: {counts}. {different or 'None'} differ from the record."


def _columns(*words: str) -> str:
    return "  ".join(f"{word:<{width}}" for word, width in zip(words, (*WIDTHS, 0), strict=True)).rstrip()
