"""The command: statuses, what is printed, and that it needs nothing but Python."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proofs_check import registry
from proofs_check.__main__ import main
from tests.proofs_check.builders import changed
from tests.proofs_check.by_hand import LINE, OVERLAP

ROOT = Path(__file__).parents[2]


def write(folder, certificate):
    path = folder / "certificate.json"
    path.write_text(certificate if isinstance(certificate, str) else json.dumps(certificate), encoding="utf-8")
    return str(path)


def test_status_and_words(tmp_path, capsys):
    for certificate, status, word in ((LINE, 0, "proved: max margin"), (OVERLAP, 0, "proved: not separable")):
        assert main(["certificate", write(tmp_path, certificate)]) == status
        assert capsys.readouterr().out.startswith(word)
    refuted = changed(LINE, ["proof", "norm_squared"], "1/3")
    assert main(["certificate", write(tmp_path, refuted)]) == 1
    assert capsys.readouterr().out.startswith("refuted: max margin")
    assert main(["certificate", write(tmp_path, "{")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("proofs_check: error: ") and err.count("\n") == 1


def test_several_files_and_json(tmp_path, capsys):
    good = write(tmp_path, LINE)
    bad = str(tmp_path / "absent.json")
    assert main(["certificate", "--json", good, bad, good]) == 2
    out, err = capsys.readouterr()
    reports = json.loads(out)["certificates"]
    assert [report["verdict"] for report in reports] == ["proved", "malformed", "proved"]
    assert reports[0]["figures"]["norm_squared"]["exact"] == "1/2"
    assert "cannot be read" in err
    assert main(["certificate", str(tmp_path)]) == 2
    assert main(["certificate", "nul\0"]) == 2


def test_output_that_nobody_takes(tmp_path):
    """A pipe without a reader, a file that cannot be written: a status of 1 would say that the proof is refuted."""
    path = write(tmp_path, LINE)
    reader, pipe = os.pipe()
    os.close(reader)
    for output, status, complaint in ((pipe, 141, ""), (os.open(path, os.O_RDONLY), 2, "cannot write")):
        command = [sys.executable, "-m", "proofs_check", "certificate", path]
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True)
        os.close(output)
        assert done.returncode == status and complaint in done.stderr and done.stderr.count("\n") == (status == 2)


@pytest.mark.parametrize("call", [["certificate"], ["certificate", "--loud", "x"], ["--loud"], ["--processes", "0"]])
def test_calls_that_are_wrong(call, capsys):
    with pytest.raises(SystemExit) as raised:
        main(call)
    assert raised.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_label_that_there_is_not(capsys):
    assert main(["bias/split", "theorem"]) == 2
    out, err = capsys.readouterr()
    assert not out and "'theorem'" in err and err.count("\n") == 1


def test_one_statement_in_full(capsys):
    assert main(["bias/split"]) == 0
    out = capsys.readouterr().out
    assert "CE(W) - H" in out and "verdict: proved" in out and "[proved; " in out


def test_statements_as_json(capsys):
    assert main(["bias/split", "bias/erratum-E5", "--json", "--processes", "1"]) == 0
    found = {report["label"]: report for report in json.loads(capsys.readouterr().out)["statements"]}
    assert found["bias/split"]["verdict"] == "proved" and found["bias/split"]["as_recorded"]
    assert found["bias/erratum-E5"]["verdict"] == "refuted as written; repaired: proved"


def test_a_verdict_that_differs_is_an_error(capsys, monkeypatch):
    monkeypatch.setattr(registry.load("bias/split"), "verdict", "refuted as written")
    assert main(["bias/split"]) == 1
    assert "verdict: proved (recorded: refuted as written)" in capsys.readouterr().out


def test_runs_without_any_package(tmp_path):
    """With -S there are no site-packages, and a terminal that knows only ASCII is no obstacle."""
    named = changed(OVERLAP, ["data", "token_names"], ["le", "\u00e9t\u00e9 \u2603"])
    for certificate, status in ((named, 0), (changed(OVERLAP, ["data", "supports", 0], [1]), 1), ("[NaN", 2)):
        done = subprocess.run(
            [sys.executable, "-S", "-m", "proofs_check", "certificate", write(tmp_path, certificate)],
            cwd=ROOT,
            env={"PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr and (done.stderr == "") == (status < 2)


def test_imports_only_the_standard_library():
    folder = ROOT / "proofs_check"
    files = [folder / "__init__.py", folder / "__main__.py", *(folder / "certificates").glob("*.py")]
    assert len(files) > 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"
