"""Attention to tokens: graphs of priorities, and where the attention weights go because of them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures
from ntp_theory.attention import TokenSequences, compare, descend, flow, predict, priority_graphs
from ntp_theory.figures.style import look, new_axes

# Data with two last tokens; the graph of each has a component of several tokens.
SEED = 104


def graph_svm(folder: Path | None = None, *, log_time: float = 1e4, steps: int = 50_000) -> list[ntp.Check]:
    """Drawn data: its graphs, its limit, and gradient flow and gradient descent against that."""
    data = TokenSequences.random(6, 9, 4, num_queries=2, rng=SEED)
    limit = predict(data)
    print(limit.summary())
    runs = {"flow": flow(data, log_time=log_time, limit=limit), "descent": descend(data, steps=steps)}
    checks = [
        replace(check, statement=f"{name}: {check.statement}")
        for name, run in runs.items()
        for check in compare(run, limit)
    ]
    if folder is not None:
        with look():
            *places, last = new_axes(1, 3, width=3.2, height=3.1)
            for graph, ax in zip(priority_graphs(data), places, strict=True):
                figures.priority_graph(graph, ax)
            figures.norm_growth(runs["descent"], limit, last).set_title("gradient descent")
        figures.save(last, folder / "graph_svm.png")
    return checks


if __name__ == "__main__":
    checks = graph_svm(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
