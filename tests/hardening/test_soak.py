"""The judge of the soak: it passes what stands, and finds what does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

import ntp_theory as ntp
from ntp_theory.errors import SolverError

from . import soak
from .bad import DATA

OVERLAP = ntp.NTPDataset.from_counts([[1.0], [2.0]], [[1, 0], [0, 1]])


@pytest.mark.parametrize("data", [DATA, OVERLAP])
def test_what_stands_is_certified(data):
    assert soak.judge(data) == "certified"


def test_errors_of_the_library_are_refusals(monkeypatch):
    def refuse(data):
        raise SolverError("no")

    monkeypatch.setattr(ntp, "predict", refuse)
    assert soak.judge(DATA) == "refused: SolverError"


@pytest.mark.parametrize(
    ("function", "change"),
    [
        ("check_compatibility", {"solution": torch.eye(3, 2, dtype=torch.float64)}),
        ("check_separability", {"direction": torch.ones(3, 2, dtype=torch.float64)}),
        ("extended_support", {"direction": torch.ones(3, 2, dtype=torch.float64)}),
        ("solve_svm", {"direction": torch.ones(3, 2, dtype=torch.float64)}),
        ("predict", {"case": "finite"}),
        ("predict", {"infimum_bounds": (9.0, 9.0)}),
        ("predict", {"duals": torch.ones(2, 3, dtype=torch.float64)}),
    ],
)
def test_what_does_not_stand_is_wrong(function, change, monkeypatch):
    right = getattr(ntp, function)
    monkeypatch.setattr(ntp, function, lambda data: replace(right(data), **change))
    with pytest.raises(soak.Wrong):
        soak.judge(DATA)


def test_a_soak_goes_on_where_it_was_stopped(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(soak, "ROUND", 3)
    out, figures = tmp_path / "soak.jsonl", tmp_path / "soak.json"
    assert soak.main(["--problems", "3", "--out", str(out)]) == 0
    first = out.read_text()
    out.write_text(first + '{"seed": 1, "fou')  # a line cut short
    assert soak.main(["--problems", "6", "--out", str(out), "--figures", str(figures)]) == 0
    assert out.read_text().startswith(first) and "1 of 1 rounds" in capsys.readouterr().out
    assert json.loads(figures.read_text())["problems"] == 6


def test_an_exception_from_inside_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(soak, "ROUND", 2)
    monkeypatch.setattr(soak, "judge", lambda data: {}["no such key"])
    assert soak.main(["--problems", "2", "--out", str(tmp_path / "soak.jsonl")]) == 1
    assert "KeyError" in (tmp_path / "soak.jsonl").read_text()
