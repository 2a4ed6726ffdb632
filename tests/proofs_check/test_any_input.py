"""Whatever the file holds, the answer is a status of 0, 1 or 2: never an exception, whose status of 1 would lie."""

from __future__ import annotations

import contextlib
import copy
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.__main__ import main
from proofs_check.certificates import verify, verify_file
from tests.proofs_check import builders
from tests.proofs_check.builders import LONG, encoded
from tests.proofs_check.by_hand import CHAIN, LINE

CERTIFICATES = {
    "separable": builders.separable(),
    "not separable": builders.not_separable(),
    "extended support": builders.extended(),
    "max margin": builders.max_margin(),
    "not compatible": builders.tied().map(lambda drawn: drawn[0]),
    "compatible": builders.compatible(),
    "independent": builders.independent().map(lambda drawn: drawn[0]),
}

ODD = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    10**9,
    10**30,
    0.5,
    float("nan"),
    float("inf"),
    "",
    "0/0",
    "-0",
    "\ud800",
    {},
    [],
] + [LONG, f"-{LONG}", f"1/{LONG}", f"-{LONG}/{'7' * 4999}", f"json {LONG}", f"json -{LONG}", [[0]], [[[LONG]]]]
VALUES = st.sampled_from(ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def write(folder, content):
    path = folder / "certificate.json"
    path.write_bytes(content)
    return str(path)


def places(inner):
    """Every list or object, with each of its keys."""
    members = inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
    for key, value in members:
        yield (inner, key)
        yield from places(value)


def mutate(certificate, draw):
    """Replace, drop or repeat a value somewhere, or copy one from another place."""
    everywhere = list(places(certificate))
    if not everywhere:
        return
    parent, key = draw(st.sampled_from(everywhere))
    match draw(st.sampled_from(["replace", "drop", "repeat", "copy"])):
        case "replace":
            parent[key] = copy.deepcopy(draw(VALUES))  # a later mutation must not change the constants above
        case "drop":
            del parent[key]
        case "repeat" if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        case "repeat":
            parent[draw(st.text())] = copy.deepcopy(parent[key])
        case "copy":
            other, there = draw(st.sampled_from(everywhere))
            parent[key] = copy.deepcopy(other[there])


def answer(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(["certificate", *arguments])
    assert status in (0, 1, 2)
    assert err.getvalue().count("\n") == (status == 2)
    return status, out.getvalue()


@pytest.mark.parametrize("statement", CERTIFICATES)
@given(data=st.data())
def test_mutations(tmp_path_factory, statement, data):
    certificate = data.draw(CERTIFICATES[statement])
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(certificate, data.draw)
    path = write(tmp_path_factory.getbasetemp(), encoded(certificate))
    status, words = answer(path)
    assert words.startswith({0: "proved: ", 1: "refuted: ", 2: ""}[status])
    assert answer("--json", path)[0] == status


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("certificate", [LINE, CHAIN], ids=["max margin", "extended support"])
def test_every_odd_value_in_every_place(certificate, value):
    """Where a mutation at random would seldom look."""
    for index in range(len(list(places(certificate)))):
        mutant = copy.deepcopy(certificate)
        parent, key = list(places(mutant))[index]
        parent[key] = value
        report = verify(encoded(mutant))
        assert report.status in (0, 1, 2)
        str(report), json.dumps(report.to_dict())


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 40))
def test_bytes(middle, start, removed):
    """Bytes put into a certificate, or in place of some."""
    content = encoded(LINE)
    for mutant in (middle, content[:start] + middle + content[start + removed :]):
        assert verify(mutant).status in (0, 1, 2)


@pytest.mark.parametrize("what", ["pathlib.Path.read_bytes", "json.loads"])
def test_a_file_too_large_for_the_machine(tmp_path, monkeypatch, what):
    def exhausted(*_, **__):
        raise MemoryError

    path = write(tmp_path, encoded(LINE))
    monkeypatch.setattr(what, exhausted)
    report = verify_file(path)
    assert report.verdict == "malformed" and "memory" in str(report)
