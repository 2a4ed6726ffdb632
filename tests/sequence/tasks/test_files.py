"""Files of graphs: round trips, and lines that are named when they are wrong."""

from __future__ import annotations

import os

import pytest

from ntp_theory.errors import CheckpointError, DatasetError
from ntp_theory.sequence.tasks import PathStar, PathStarGraph, read_graphs, write_graphs

GOOD = "3,4|3,5/3,5=3,5"


@pytest.mark.parametrize("shape", [(2, 5, 50), (5, 3, 50), (2, 2, 3)])
def test_round_trip(shape, tmp_path):
    task, path = PathStar(*shape), tmp_path / "new" / "graphs.txt"
    graphs = task.graphs(task.sample(30))
    assert write_graphs(path, graphs) == path and read_graphs(path) == graphs
    assert path.read_text().splitlines() == [graph.format("paper") for graph in graphs]


def test_line_ends(tmp_path):
    """The last line may lack its end, and lines may end as on Windows."""
    for text in (GOOD, GOOD + "\n", GOOD + "\r\n"):
        (tmp_path / "a.txt").write_bytes((GOOD + "\n" + text).encode())
        assert read_graphs(tmp_path / "a.txt") == [PathStarGraph.parse(GOOD)] * 2


@pytest.mark.parametrize(
    "line, offence",
    [
        ("", "there is no graph"),
        ("3,4|3,5/3,5=", "there is no answer after '='"),
        ("3,4|3,5/3,5", "there is no answer after '='"),
        ("3,4|3,5=3,5", "text has no '/'"),
        ("3,4|3,5/3,5=3,4", r"answer is \(3, 4\)"),
        ("3,4|3,x/3,5=3,5", "edge has 'x' for a node"),
        ("3,4|3,4/3,4=3,4", "edges reach node 4 more than once"),
    ],
)
def test_the_line_is_named(line, offence, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("\n".join([GOOD, GOOD, line, GOOD]) + "\n")
    with pytest.raises(DatasetError, match=f"bad.txt, line 3: .*{offence}"):
        read_graphs(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(DatasetError, match="missing.txt: cannot be read"):
        read_graphs(tmp_path / "missing.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DatasetError, match="bytes.txt: cannot be read as text"):
        read_graphs(tmp_path / "bytes.txt")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(DatasetError, match="empty.txt, line 1: there is no graph"):
        read_graphs(tmp_path / "empty.txt")
    with pytest.raises(DatasetError, match="graphs is empty"):
        write_graphs(tmp_path / "none.txt", [])


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_graphs(tmp_path / "graphs.txt", [PathStarGraph.parse(GOOD)])

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match="disk full"):
        write_graphs(path, [PathStarGraph.parse("0,1|0,2/0,2=0,2")])
    assert path.read_text() == GOOD + "\n" and os.listdir(tmp_path) == ["graphs.txt"]
