"""The graph of the statements: columns by how far from the ground, an edge from each to those that rest on it."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from proofs_check.statement import Statement

__all__ = ["draw"]

COLOURS = {
    "proved": "#2b6a4d",
    "certified on a domain": "#3f7fb5",
    "checked on instances": "#b8860b",
    "refuted as written": "#a83232",
}
OTHER = "#777777"
WIDTH, HEIGHT = 1.9, 0.17  # inches of a column, of a row


def draw(proofs: dict[str, Statement], path: Path) -> None:
    """Write the graph of the statements that rest on others, or others on them, as a vector image."""
    needs = _direct({label: {need for need in proof.needs if need in proofs} for label, proof in proofs.items()})
    named = {need for some in needs.values() for need in some}
    linked = [label for label in proofs if needs[label] or label in named]
    columns = _columns(linked, needs)
    places = {label: (x, -y + len(column) / 2) for x, column in enumerate(columns) for y, label in enumerate(column)}
    rows = max(map(len, columns), default=1)
    figure = Figure(figsize=(WIDTH * len(columns), HEIGHT * rows + 1))
    ax = figure.add_axes((0, 0, 1, 1))
    for label in linked:
        for need in needs[label]:
            (a, b), (c, d) = places[need], places[label]
            ax.plot([a + 0.82, c - 0.03], [b, d], color="#bbbbbb", linewidth=0.5, zorder=1)
    for label, (x, y) in places.items():
        colour = COLOURS.get(proofs[label].verdict, OTHER)
        ax.text(x, y, label, color=colour, fontsize=6.5, verticalalignment="center", zorder=2)
    for i, (verdict, colour) in enumerate([*COLOURS.items(), ("open, or documentation", OTHER)]):
        ax.text(1.25 * i, rows / 2 + 2, verdict, color=colour, fontsize=9, verticalalignment="bottom", weight="bold")
    ax.set_xlim(-0.05, len(columns))
    ax.set_ylim(-rows / 2 - 1, rows / 2 + 4)
    ax.set_axis_off()
    figure.savefig(path, metadata={"Date": None})


def _direct(needs: dict[str, set[str]]) -> dict[str, list[str]]:
    """Without what a statement rests on by way of others."""
    ground: dict[str, set[str]] = {}

    def below(label: str) -> set[str]:
        if label not in ground:
            ground[label] = set().union(*({need} | below(need) for need in needs[label]))
        return ground[label]

    return {
        label: sorted(need for need in some if not any(need in below(other) for other in some - {need}))
        for label, some in needs.items()
    }


def _columns(labels: list[str], needs: dict[str, list[str]]) -> list[list[str]]:
    """Every statement to the right of those that it rests on, near the height of them."""
    depth: dict[str, int] = {}
    while len(depth) < len(labels):
        ready = [label for label in labels if label not in depth and all(need in depth for need in needs[label])]
        if not ready:
            raise ValueError(f"statements rest on each other: {sorted(set(labels) - set(depth))}")
        depth |= {label: 1 + max((depth[need] for need in needs[label]), default=-1) for label in ready}
    columns: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=0))]
    for label in labels:
        columns[depth[label]].append(label)
    height: dict[str, float] = {}
    for column in columns:
        column.sort(key=lambda label: _mean([height[need] for need in needs[label]]))
        height |= {label: i - len(column) / 2 for i, label in enumerate(column)}
    return columns


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
