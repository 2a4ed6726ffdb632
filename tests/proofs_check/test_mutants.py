"""A statement with a wrong constant, a turned inequality or another index range fails: the proofs are about it."""

from __future__ import annotations

import sys
import tomllib
from importlib import util
from pathlib import Path

import pytest

from proofs_check import registry

FOLDER = Path(__file__).parent / "mutants"
MUTANTS = [
    (path.stem, mutant)
    for path in sorted(FOLDER.glob("*.toml"))
    for mutant in tomllib.loads(path.read_text())["mutant"]
]


def source_of(label: str) -> tuple[str, str]:
    """The name of the module of a label, and its text."""
    name = f"proofs_check.{registry.module_name(label)}"
    spec = util.find_spec(name)
    assert spec is not None, f"no file decides {label}"
    assert spec.origin is not None
    return name, Path(spec.origin).read_text(encoding="utf-8")


def test_there_are_many():
    assert len(MUTANTS) >= 40


@pytest.mark.parametrize(
    "mutant", [mutant for _, mutant in MUTANTS], ids=[f"{m['label']}-{i}" for i, (_, m) in enumerate(MUTANTS)]
)
def test_a_mutant_fails(mutant, monkeypatch):
    name, text = source_of(mutant["label"])
    assert text.count(mutant["of"]) == 1, "the text to replace must occur once"
    spec = util.spec_from_loader(name, loader=None)
    module = util.module_from_spec(spec)
    module.__package__ = name.rpartition(".")[0]
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(text.replace(mutant["of"], mutant["to"]), name, "exec"), module.__dict__)
    assert not module.statement.run().as_recorded
