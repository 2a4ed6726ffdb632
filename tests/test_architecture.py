"""The house: rooms rest on lower floors only, and the two wings meet where they are meant to."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from graphlib import CycleError
from pathlib import Path

import pytest

import ntp_theory

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ntp_theory"
ABOVE_CLAIMS = {"report", "commands", "cli"}
MEETING = {"bridge", "testing", "figures", "claims"} | ABOVE_CLAIMS

_spec = importlib.util.spec_from_file_location("room_graph", ROOT / "docs" / "room_graph.py")
room_graph = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(room_graph)
RESTS = room_graph.needs(PACKAGE)


def test_every_room_is_above_those_that_it_rests_on():
    floor = {room: i for i, row in enumerate(room_graph.floors(RESTS)) for room in row}
    assert set(floor) == set(RESTS)
    assert all(floor[other] < floor[room] for room, some in RESTS.items() for other in some)


def test_rooms_are_those_of_the_folder():
    modules = {path.stem for path in PACKAGE.glob("[!_]*.py")}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"sequence"}
    wing = {f"sequence/{path.stem}" for path in (PACKAGE / "sequence").glob("[!_]*.py")}
    wing |= {f"sequence/{path.parent.name}" for path in (PACKAGE / "sequence").glob("*/__init__.py")}
    assert set(RESTS) == modules | folders | wing


def test_the_wings_meet_where_they_are_meant_to():
    assert {room for room in RESTS if room_graph.wing(room, RESTS) == "both"} == MEETING


def test_claims_are_for_the_command_line_and_the_report():
    assert {room for room, some in RESTS.items() if "claims" in some} <= ABOVE_CLAIMS


@pytest.mark.parametrize(
    "path", [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("__init__.py") if path.read_text("utf-8")]
)
def test_init_files_only_hand_names_on(path):
    docstring, *rest = ast.parse((PACKAGE / path).read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    for node in rest:
        words = ast.unparse(node).split()
        lazily = path == "__init__.py" and words[:2] in (["if", "TYPE_CHECKING:"], ["def", "__getattr__(name:"])
        assert lazily or words[0] in ("import", "from", "__all__")


def test_what_is_slow_to_load_is_loaded_when_it_is_used():
    heavy = ("cvxpy", "hypothesis", "matplotlib", "ntp_theory.claims", "sympy", "transformers")
    script = f"import sys, ntp_theory; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"


def test_claims_are_there_when_they_are_asked_for():
    assert ntp_theory.claims.labels("bias/theorem-2") == ["bias/theorem-2"]
    with pytest.raises(AttributeError, match="no attribute 'claim'"):
        ntp_theory.claim  # noqa: B018


def test_slow_packages_are_imported_where_they_are_used():
    code = "import sys, ntp_theory; print([x for x in ('cvxpy', 'matplotlib', 'transformers') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_circle_is_seen(tmp_path):
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{name}.py").write_text(f"from .{other} import x\n", encoding="utf-8")
    assert room_graph.needs(tmp_path) == {"one": {"two"}, "two": {"one"}}
    with pytest.raises(CycleError):
        room_graph.floors(room_graph.needs(tmp_path))
