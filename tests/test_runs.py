"""Atomic writes, the file format, progress."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ntp_theory import runs
from ntp_theory.errors import CheckpointError, UsageError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = runs.write_text(tmp_path / "a.txt", "old")

    def half(file):
        file.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.write_atomically(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failed_rename_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match=r"folder: cannot be written \(Is a directory\)"):
        runs.write_text(tmp_path / "folder", "x")
    assert os.listdir(tmp_path) == ["folder"]


def test_paths_that_are_none(tmp_path):
    for path in (3, None, b"a.npz"):
        with pytest.raises(UsageError, match="path is .*; it must be a path"):
            runs.write_text(path, "x")
        with pytest.raises(UsageError, match="path is .*; it must be a path"):
            runs.load_arrays(path, "note")


def test_the_new_file_replaces_the_old_one_whole(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    for text in ("a long text", "kürzer", ""):
        assert runs.write_text(path, text) == path
        assert path.read_text(encoding="utf-8") == text
    assert os.listdir(path.parent) == ["a.txt"]


def test_written_files_have_the_ordinary_mode(tmp_path):
    path = runs.write_text(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").write_text("x")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "b.txt").stat().st_mode)


@given(
    st.dictionaries(
        st.sampled_from(["x", "y", "z"]),
        hnp.arrays(st.sampled_from(["f8", "f4", "i8", "u1", "?"]), hnp.array_shapes()),
    ),
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.none() | st.floats(allow_nan=False)),
)
def test_arrays_and_meta_come_back_bit_for_bit(arrays, meta):
    with tempfile.TemporaryDirectory() as folder:
        path = runs.save_arrays(Path(folder) / "a.npz", "note", arrays, meta)
        found, found_meta = runs.load_arrays(path, "note")
    assert found_meta == meta and found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_leftovers_are_those_of_one_file(tmp_path):
    others = [".a.b.txt.abcd1234.part", ".a.txt.part", "a.txt", "a.txt.abcd1234.part", ".b.txt.abcd1234.part"]
    for name in [".a.txt.abcd1234.part", ".a.txt.00_z0000.part", *others]:
        runs.write_text(tmp_path / name, "")
    runs.remove_leftovers(tmp_path / "a.txt")
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_what_a_killed_write_leaves_is_a_leftover(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.os, "unlink", lambda name: None)
    with pytest.raises(ZeroDivisionError):
        runs.write_atomically(tmp_path / "[a]*.txt", lambda file: 1 / 0)
    monkeypatch.undo()
    assert len(os.listdir(tmp_path)) == 1
    runs.remove_leftovers(tmp_path / "[a]*.txt")
    assert not os.listdir(tmp_path)


@given(st.dictionaries(st.sampled_from(["x", "y"]), hnp.arrays(st.sampled_from(["f8", "i8"]), hnp.array_shapes())))
def test_digests_tell_arrays_apart(arrays):
    digest = runs.digest(arrays)
    assert digest == runs.digest(dict(reversed(arrays.items())))
    for name, array in arrays.items():
        changed = array.copy()
        changed.view("u8").flat[-1] ^= 1
        for other in (changed, array.view("u8"), array[None]):
            assert runs.digest({**arrays, name: other}) != digest


@pytest.fixture(params=[True, False])
def saved(tmp_path, request):
    return runs.save_arrays(tmp_path / "a.npz", "note", {"x": np.arange(40.0)}, {"steps": 3}, compress=request.param)


def test_missing_file_and_folder(tmp_path):
    for path, rule in ((tmp_path / "no.npz", "no such file"), (tmp_path, "is not a file")):
        with pytest.raises(CheckpointError, match=rule):
            runs.load_arrays(path, "note")


def test_another_kind(saved):
    with pytest.raises(CheckpointError, match=r"a\.npz: holds a note, expected a dataset"):
        runs.load_arrays(saved, "dataset")


def test_a_newer_format(saved, monkeypatch):
    monkeypatch.setattr(runs, "FORMAT_VERSION", 0)
    with pytest.raises(CheckpointError, match="format 1 is newer than 0; update ntp_theory"):
        runs.load_arrays(saved, "note")


def test_truncated_files_are_damaged(saved):
    whole = saved.read_bytes()
    for end in [*range(0, len(whole), 7), len(whole) - 1]:
        saved.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match="damaged"):
            runs.load_arrays(saved, "note")


def test_flipped_bytes_are_noticed_or_harmless(saved):
    """Checksums guard the content; a flip elsewhere (a time stamp) may pass but changes nothing read."""
    whole, draw = saved.read_bytes(), random.Random(0)
    damaged = 0
    for _ in range(400):
        bytes_ = bytearray(whole)
        bytes_[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        saved.write_bytes(bytes(bytes_))
        try:
            arrays, meta = runs.load_arrays(saved, "note")
        except CheckpointError:
            damaged += 1
        else:
            assert meta == {"steps": 3}
            assert arrays.get("x", np.arange(40.0)).tolist() == list(range(40))
    assert damaged > 200


def archive(**members):
    out = io.BytesIO()
    np.savez(out, **members)
    return out.getvalue()


def header(text):
    return np.frombuffer(text, dtype=np.uint8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain text",
        bytes(range(100)),
        pickle.dumps({"kind": "note"}),
        archive(),
        archive(x=np.arange(3)),
        archive(header=np.array(3)),
        archive(header=np.array(["kind"])),
        archive(header=np.array([{"kind": "note"}], dtype=object)),
        archive(header=header(b"\xff\xff")),
        archive(header=header(b"[]")),
        archive(header=header(b"{}")),
        archive(header=header(b'{"kind": "note", "format": 1e400, "meta": {}}')),
        archive(header=header(b'{"kind": "note", "format": "new", "meta": {}}')),
        archive(header=header(b'{"kind": "note", "format": 1, "meta": 3}')),
        archive(header=header(b"[" * 100_000)),
    ],
)
def test_files_that_are_not_ours(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a file of this library, or damaged"):
        runs.load_arrays(path, "note")


def test_a_bare_array_file_is_not_ours(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    with pytest.raises(CheckpointError, match="not a file of this library"):
        runs.load_arrays(tmp_path / "a.npy", "note")


class Bomb:
    """Unpickling this makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_loading_never_runs_what_a_file_says(tmp_path):
    proof, path = tmp_path / "ran", tmp_path / "a.npz"
    meta = {"kind": "note", "format": 1, "meta": {}}
    text = header(json.dumps(meta).encode())
    bomb = np.array([Bomb(proof)], dtype=object)
    for content in (pickle.dumps(Bomb(proof)), archive(header=bomb), archive(header=text, x=bomb)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            runs.load_arrays(path, "note")
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("y.npy", pickle.dumps(Bomb(proof)))
        with pytest.raises(CheckpointError):
            runs.load_arrays(path, "note")
    assert not proof.exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    times = [0.0]
    monkeypatch.setattr(runs.time, "monotonic", lambda: times[0])
    return times


def test_progress_on_a_terminal(clock):
    stream = Terminal()
    with runs.Progress(4, "walking", stream=stream) as progress:
        clock[0] = 10.0
        progress.update(1, "uphill")
        assert "walking" in stream.getvalue() and "25%" in stream.getvalue()
        assert "30s left" in stream.getvalue() and "uphill" in stream.getvalue()
        shown = stream.getvalue()
        clock[0] = 10.05
        progress.update(2)
        assert stream.getvalue() == shown, "at most ten times a second"
        progress.update(4)
        assert "100%" in stream.getvalue() and "0s left" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K") and "\n" not in stream.getvalue()


def test_time_left_goes_by_the_pace_of_this_run(clock):
    stream = Terminal()
    progress = runs.Progress(1000, "resumed", done=900, stream=stream)
    clock[0] = 10.0
    progress.update(910)
    assert "91%" in stream.getvalue() and "1min 30s left" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1min 00s"),
        (3599.0, "59min 59s"),
        (7620.0, "2h 07min"),
        (86399.0, "23h 59min"),
        (100800.0, "1d 04h"),
    ],
)
def test_durations_in_words(seconds, words, clock):
    stream = Terminal()
    progress = runs.Progress(2, "half", stream=stream)
    clock[0] = seconds
    progress.update(1)
    assert f" {words} left" in stream.getvalue()


def test_progress_before_any_work_and_of_no_work(clock):
    stream = Terminal()
    for total in (0, 3):
        progress = runs.Progress(total, "idle", stream=stream)
        clock[0] += 1.0
        progress.update(0)
    assert stream.getvalue().count("idle") == 2


@pytest.mark.parametrize(("stream", "enabled"), [(io.StringIO(), True), (Terminal(), False)])
def test_progress_is_silent_elsewhere(stream, enabled, clock):
    with runs.Progress(2, "quiet", enabled=enabled, stream=stream) as progress:
        clock[0] = 5.0
        progress.update(2)
    assert stream.getvalue() == ""
