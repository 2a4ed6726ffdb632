"""Files of path-star graphs in the text format of the public data set: one graph with its answer a line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ....doors import as_path
from ....errors import DatasetError
from ....runs import write_text
from .graph import PathStarGraph

__all__ = ["read_graphs", "write_graphs"]


def read_graphs(path: str | os.PathLike[str]) -> list[PathStarGraph]:
    r"""Read a file of graphs, one a line, ``u,v|u,v|../start,goal=start,n1,..,goal``.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of PathStarGraph

    Raises
    ------
    DatasetError
        If the file cannot be read or is empty, or a line is malformed, has no answer or a wrong one; the message names
        the file, the line and the offence.

    Notes
    -----
    Source: the text files beside the code of 2403.06963 (`pitfalls/serialisation`).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "graphs.txt"
    >>> write_graphs(path, [PathStarGraph(((3, 4), (3, 5)), 3, 5)]).read_text()
    '3,4|3,5/3,5=3,5\n'
    >>> read_graphs(path)
    [PathStarGraph(edges=((3, 4), (3, 5)), start=3, goal=5)]
    """
    path = as_path("path", path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text ({error})") from error
    lines = text.removesuffix("\n").split("\n")
    graphs = []
    for number, line in enumerate(lines, 1):
        try:
            if not line.strip():
                raise DatasetError("there is no graph")
            if not line.partition("=")[2].strip():
                raise DatasetError("there is no answer after '='")
            graphs.append(PathStarGraph.parse(line))
        except DatasetError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
    return graphs


def write_graphs(path: str | os.PathLike[str], graphs: Iterable[PathStarGraph]) -> Path:
    """Write graphs with their answers, one a line; `read_graphs` reads them. The old file stays until the new is whole.

    Raises
    ------
    DatasetError
        If there are none.
    """
    lines = [graph.format("paper") + "\n" for graph in graphs]
    if not lines:
        raise DatasetError("graphs is empty; a file must have at least one")
    return write_text(path, "".join(lines))
