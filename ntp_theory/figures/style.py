"""One look for all figures: colours that colour-blind readers tell apart, new axes, pictures as bytes and files."""

from __future__ import annotations

import io
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import runs
from ..doors import instance, positive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLACK", "BLUE", "GREEN", "GREY", "ORANGE", "look", "measured", "new_axes", "png", "predicted", "save"]

# The palette of Okabe and Ito. Measured values are blue dots, predicted ones an orange line, whatever the figure.
BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#222222", "#767676"

_LOOK: Any = {  # the type of its keys differs between versions of Matplotlib
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.labelcolor": BLACK,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
    "legend.fontsize": 8.0,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.4,
}


def look() -> AbstractContextManager[None]:
    """The style as a context; what is drawn outside it keeps the reader's own.

    Examples
    --------
    >>> import matplotlib
    >>> with look():
    ...     matplotlib.rcParams["font.size"]
    9.0
    """
    import matplotlib

    return matplotlib.rc_context(_LOOK)


def new_axes(rows: int = 1, columns: int = 1, *, width: float = 4.0, height: float = 3.0) -> list[Axes]:
    """Axes on a grid in a new figure, each ``width`` by ``height`` inches, row by row.

    Examples
    --------
    >>> with look():
    ...     len(new_axes(2, 2))
    4
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    return [ax for row in grid for ax in row]


def measured(colour: str = BLUE) -> dict[str, Any]:
    """Keyword arguments of a series of measured values: dots, under the prediction so that neither hides the other.

    Examples
    --------
    >>> measured()["linestyle"]
    'none'
    """
    return {"linestyle": "none", "marker": "o", "color": colour, "alpha": 0.65, "markeredgewidth": 0.0, "zorder": 3}


def predicted(colour: str = ORANGE) -> dict[str, Any]:
    """Keyword arguments of a predicted curve: a line.

    Examples
    --------
    >>> predicted()["color"] == ORANGE
    True
    """
    return {"linestyle": "-", "color": colour, "zorder": 4}


def png(ax: Axes, *, dpi: int = 160) -> bytes:
    """The whole figure that the axes belong to, as a PNG picture.

    Examples
    --------
    >>> with look():
    ...     [ax] = new_axes(width=1.0, height=1.0)
    >>> png(ax)[1:4]
    b'PNG'
    """
    from matplotlib.axes import Axes

    instance("ax", ax, Axes)
    positive("dpi", dpi)
    buffer = io.BytesIO()
    with look():
        ax.figure.canvas.figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def save(ax: Axes, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Write the whole figure that the axes belong to to a PNG file, atomically.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with look():
    ...     [ax] = new_axes(width=1.0, height=1.0)
    >>> save(ax, pathlib.Path(tempfile.mkdtemp()) / "a.png").name
    'a.png'
    """
    return runs.write_atomically(path, lambda file: file.write(png(ax, dpi=dpi)))
