"""The rooms of the package, read off its imports: what each rests on, and a drawing with the ground at the bottom."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["draw", "floors", "needs", "wing"]

COLOURS = {"ground": "#777777", "theory": "#2b6a4d", "sequence": "#3f7fb5", "both": "#a83232"}
WIDTH, HEIGHT = 1.25, 0.62  # inches of a room, of a floor


def needs(package: Path) -> dict[str, set[str]]:
    """For every room the rooms that it imports from.

    A room is a module or a folder of the package, and of its folder ``sequence``; names with an underscore are none.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        where = path.relative_to(package).with_suffix("").parts
        room = _room(where)
        if room is None:
            continue
        found.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = (*where[: len(where) - node.level], *(node.module or "").split("."))
                named = [(*filter(None, base), alias.name) for alias in node.names]
                found[room] |= {other for other in map(_room, named) if other is not None}
    return {room: {other for other in some - {room} if other in found} for room, some in found.items()}


def _room(where: tuple[str, ...]) -> str | None:
    """The room of a module, or of a name in it."""
    where = tuple(part for part in where if not part.startswith("_"))
    if where[:1] == ("sequence",):
        return "/".join(where[:2]) if len(where) > 1 else None
    return where[0] if where else None


def floors(rests: dict[str, set[str]]) -> list[list[str]]:
    """The rooms, each above all that it rests on; `graphlib.CycleError` if some rest on each other."""
    floor: dict[str, int] = {}
    for room in TopologicalSorter(rests).static_order():
        floor[room] = 1 + max((floor[other] for other in rests[room]), default=-1)
    return [[room for room in rests if floor[room] == i] for i in range(1 + max(floor.values()))]


def below(room: str, rests: dict[str, set[str]]) -> set[str]:
    """A room and all that it rests on, by way of others too."""
    return {room}.union(*(below(other, rests) for other in rests[room]))


def wing(room: str, rests: dict[str, set[str]]) -> str:
    """Whether a room speaks of datasets (theory), of sequence models (sequence), of both, or of neither (ground)."""
    under = below(room, rests)
    theory, sequence = "dataset" in under, any(other.startswith("sequence/") for other in under)
    return "both" if theory and sequence else "theory" if theory else "sequence" if sequence else "ground"


def draw(package: Path, path: Path) -> None:
    """Write the drawing as a vector image; an edge for what a room imports, unless another import implies it."""
    rests = needs(package)
    rows = floors(rests)
    order = list(COLOURS)
    places: dict[str, tuple[float, float]] = {}
    for y, row in enumerate(rows):
        row.sort(key=lambda room: (order.index(wing(room, rests)), room))
        places |= {room: (x - (len(row) - 1) / 2, float(y)) for x, room in enumerate(row)}
    figure = Figure(figsize=(WIDTH * max(map(len, rows)), HEIGHT * (len(rows) + 1)))
    ax = figure.add_axes((0, 0, 1, 1))
    for room, some in rests.items():
        implied = set().union(*(below(other, rests) - {other} for other in some)) if some else set()
        for other in some - implied:
            (a, b), (c, d) = places[other], places[room]
            ax.plot([a, c], [b, d], color="#cccccc", linewidth=0.7, zorder=1)
    for room, (x, y) in places.items():
        box = {"facecolor": "white", "edgecolor": COLOURS[wing(room, rests)], "boxstyle": "round,pad=0.25"}
        ax.text(x, y, room, fontsize=8, horizontalalignment="center", verticalalignment="center", bbox=box, zorder=2)
    for i, (name, words) in enumerate(
        {"both": "both wings", "sequence": "sequence models", "theory": "theory", "ground": "ground"}.items()
    ):
        ax.text(-3.4, len(rows) - 1 - 0.5 * i, words, color=COLOURS[name], fontsize=9, weight="bold")
    ax.set_xlim(-max(map(len, rows)) / 2, max(map(len, rows)) / 2)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_axis_off()
    figure.savefig(path, metadata={"Date": None})
