"""The command line: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ntp_theory import NTPDataset, SVMSolution, Trajectory, claims, commands, construct, runs
from ntp_theory.checks import Check
from ntp_theory.cli import main
from ntp_theory.construct import designed
from ntp_theory.sequence.training import TrainResult

ROOT = Path(__file__).parents[1]
TEXT = "to be , or not to be : that is the question . to be is to do , to do is to be ."
SMALL = ["--dim", "32", "--context-length", "1", "--steps", "20"]


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(construct.tiny().save(tmp_path / "tiny.npz"))


@pytest.fixture
def overlap(tmp_path: Path) -> str:
    return str(designed("overlap").data.save(tmp_path / "overlap.npz"))


def strict(document: str) -> dict:
    """A JSON document without the words that are no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(document, parse_constant=refuse)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]):
    """Run a command that must be silent on standard error; its status and output."""

    def run(*arguments: str) -> tuple[int, str]:
        status = main(arguments)
        captured = capsys.readouterr()
        assert captured.err == ""
        return status, captured.out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]):
    """Run a command that must end with status 2 and one clear line; that line."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1 and captured.err.startswith("ntp-theory: error: ")
        assert "Traceback" not in captured.err
        return captured.err

    return run


def test_verify_prints_a_line_a_check_and_counts(ask) -> None:
    status, out = ask("verify", "--label", "bias/erratum-E13")
    *lines, count = out.splitlines()
    assert status == 0
    assert lines and all(line.startswith("holds  bias/erratum-E13") for line in lines)
    assert count.startswith(f"1 claims, {len(lines)} checks: {len(lines)} held, 0 did not")


def test_verify_speaks_as_soon_as_a_claim_is_done(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    seen = []

    def check(label: str, budget: str) -> list[Check]:
        seen.append(capsys.readouterr().out)
        return [Check.same(label, 0, 0)]

    monkeypatch.setattr(claims, "check", check)
    assert main(["verify", "--label", "bias/erratum-E"]) == 0
    assert len(seen) > 1 and seen[0] == "" and all(out.startswith("holds ") for out in seen[1:])


def test_verify_fails_if_one_check_fails(ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = [Check.same("bias/loss", 0, 0), Check.close("bias/loss", 1.0, np.nan, tolerance=1.0, evidence="measured")]
    monkeypatch.setattr(claims, "check", lambda label, budget: made)
    monkeypatch.setattr(commands.report, "paper_pictures", list)
    status, out = ask("verify", "--label", "bias/loss", "--out", str(tmp_path), "--json")
    document = strict(out)
    assert status == 1 and document["held"] == document["failed"] == 1
    assert document["checks"] == [check.to_dict() for check in made]
    assert strict((tmp_path / "checks.json").read_text(encoding="utf-8")) == document
    assert "FAILS" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_verify_writes_the_report(ask, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    status, printed = ask("verify", "--label", "bias/erratum-E9", "--out", str(out))
    assert status == 0 and str(out / "report.html") in printed
    assert sorted(path.name for path in out.iterdir()) == ["checks.json", "report.html"]
    assert (out / "report.html").read_text(encoding="utf-8").count("data:image/png;base64,") == 2


def test_paper_narrows_the_claims(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(claims, "check", lambda label, budget: asked.append(f"{label} {budget}") or [])
    assert ask("verify", "--paper", "bias", "--budget", "standard")[0] == 0
    assert asked == [f"{label} standard" for label in claims.labels() if label in claims.IMPLICIT_BIAS]


@pytest.mark.parametrize("embedding", ["random", "additive"])
@pytest.mark.parametrize("tokenizer", construct.TOKENIZERS)
def test_analyze_every_tokeniser(ask, text: str, tokenizer: str, embedding: str) -> None:
    arguments = ["analyze", text, *SMALL, "--tokenizer", tokenizer, "--embedding", embedding]
    status, out = ask(*arguments)
    assert status == 0 and out.startswith(text) and "nats = " in out and "bits a token" in out


def test_analyze_in_json_is_what_it_writes(ask, text: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, printed = ask("analyze", text, *SMALL, "--json", "--out", str(out))
    document = strict(printed)
    assert status == 0 and document["separability"]["separable"] and document["limit"]["support_vectors"]
    assert strict((out / "analysis.json").read_text(encoding="utf-8")) == document
    assert NTPDataset.load(out / "data.npz").num_contexts == document["data"]["contexts"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page and "Predicted limit" in page


def test_analyze_what_is_not_separable_is_no_failure(ask, text: str, tmp_path: Path) -> None:
    arguments = ["analyze", text, "--dim", "1", "--context-length", "1", "--steps", "20", "--out", str(tmp_path)]
    status, out = ask(*arguments)
    assert status == 0 and "not NTP-separable" in out and "cannot be pushed below" in out and "Lemma 1" in out
    assert "not separable" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_analyze_standard_input(ask, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT.encode("utf-8"))))
    _, from_input = ask("analyze", "-", *SMALL, "--json")
    _, from_file = ask("analyze", text, *SMALL, "--json")
    first, second = strict(from_input), strict(from_file)
    assert (first.pop("text"), second.pop("text")) == ("standard input", text)
    assert first == second


def test_analyze_the_documentation(ask) -> None:
    size = ["--max-contexts", "12", "--vocab-size", "20", "--dim", "16", "--steps", "5"]
    status, out = ask("analyze", "--documentation", *size)
    assert status == 0 and "12 contexts, 20 tokens, embeddings of dimension 16" in out


@pytest.mark.parametrize("method", ["auto", "dual", "cvxpy"])
def test_svm(ask, data: str, tmp_path: Path, method: str) -> None:
    status, out = ask("svm", data, "--method", method, "--json", "--out", str(tmp_path))
    document = strict(out)
    assert status == 0 and document["separable"] and document["verified"]
    assert document["norm"] ** 2 == pytest.approx(15.4845, abs=1e-4)  # recorded for this instance, to its last digit
    assert SVMSolution.load(tmp_path / "svm.npz").norm == document["norm"]
    assert "W_mm" in ask("svm", data)[1]


@pytest.mark.parametrize("norm", ["max", "nuclear", "schatten-3"])
def test_svm_in_another_norm(ask, data: str, tmp_path: Path, norm: str) -> None:
    status, out = ask("svm", data, "--norm", norm, "--json", "--out", str(tmp_path))
    document = strict(out)
    assert status == 0 and document["verified"] and document["geometry"] == norm
    assert document["distance_bound"] == "inf"  # no other norm is strongly convex
    solution = SVMSolution.load(tmp_path / "svm.npz")
    assert solution.geometry.name == norm and solution.norm == document["norm"]
    assert norm in ask("svm", data, "--norm", norm)[1]


def test_svm_refined(ask, data: str, tmp_path: Path) -> None:
    status, out = ask("svm", data, "--refine", "--json", "--out", str(tmp_path))
    document = strict(out)
    assert status == 0 and document["refined"] and "Newton steps" in document["route"]
    assert document["distance_bound"] <= 1e-10 * document["norm"]
    assert SVMSolution.load(tmp_path / "svm.npz").distance_bound() == document["distance_bound"]


def test_svm_without_a_direction_shows_why(ask, overlap: str) -> None:
    status, out = ask("svm", overlap)
    assert status == 1 and out.startswith("not NTP-separable")
    status, out = ask("svm", overlap, "--json")
    assert status == 1 and strict(out)["certificate"]["kind"] == "farkas"


def test_svm_is_held_to_its_certificate(ask, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = commands.solve_svm

    def off_by_one_percent(*arguments, **options) -> SVMSolution:
        true = solve(*arguments, **options)
        return SVMSolution(true.data, 1.01 * true.direction, true.duals, true.method, true.iterations)

    monkeypatch.setattr(commands, "solve_svm", off_by_one_percent)
    assert ask("svm", data)[0] == 1


def test_descend(ask, data: str, tmp_path: Path) -> None:
    status, out = ask("descend", data, "--steps", "50", "--json", "--out", str(tmp_path))
    document = strict(out)
    assert status == 0 and document["descent"]["steps"][-1] == 50 and document["checks"]
    assert Trajectory.load(tmp_path / "trajectory.npz").gap.tolist() == document["descent"]["gap_nats"]
    status, out = ask("descend", data, "--steps", "50", "--step-size", "0.25")
    assert status == 0 and "gd with step size 0.25" in out and "case: separable-compatible" in out


def test_descend_by_another_method_and_resume(ask, data: str, tmp_path: Path) -> None:
    arguments = ("descend", data, "--method", "ngd", "--step-size", "0.01", "--checkpoint", str(tmp_path / "run.ckpt"))
    status, _ = ask(*arguments, "--steps", "20")
    assert status == 0
    status, out = ask(*arguments, "--steps", "50", "--json")
    assert status == 0 and json.loads(out)["descent"]["steps"][-1] == 50


def test_flow(ask, data: str, tmp_path: Path) -> None:
    status, out = ask("flow", data, "--log-time", "1000", "--json", "--out", str(tmp_path))
    found = json.loads(out)
    assert status == 0 and found["holds"] and found["flow"]["log_times"][0] is None
    assert found["flow"]["log_times"][-1] == 1000.0
    assert (tmp_path / "trajectory.npz").exists()
    status, out = ask("flow", data, "--log-time", "1000")
    assert status == 0 and "flow: " in out and "bias/log-time-flow" in out


def test_descend_what_is_not_separable(ask, overlap: str) -> None:
    status, out = ask("descend", overlap, "--steps", "5")
    assert status == 0 and "case: finite" in out
    status, out = ask("descend", overlap, "--steps", "5", "--json")
    assert status == 0 and strict(out)["limit"]["case"] == "finite"


def test_full_support_has_an_infinite_margin(ask, tmp_path: Path) -> None:
    path = designed("full-support").data.save(tmp_path / "full.npz")
    status, out = ask("svm", str(path), "--json")
    assert status == 0 and strict(out)["margin"] == "inf"
    status, out = ask("descend", str(path), "--steps", "5", "--json")
    assert status == 0 and strict(out)["limit"]["case"] == "finite"


def test_claims(ask) -> None:
    status, out = ask("claims")
    assert status == 0 and [line.split()[0] for line in out.splitlines()[::2]] == claims.labels()
    document = strict(ask("claims", "--json")[1])
    assert [claim["label"] for claim in document["claims"]] == claims.labels()
    assert document["pending"] == list(claims.PENDING)
    assert strict(ask("claims", "--label", "bias/erratum-E9", "--json")[1])["claims"][0]["source"]


BAD_CALLS = {
    (): "COMMAND",
    ("sing",): "invalid choice: 'sing'",
    ("verify", "--budget", "huge"): "invalid choice: 'huge'",
    ("verify", "--label", "pitfalls/te"): "budget is 'quick'; pitfalls/teacher-forcing has 'standard'",
    ("train",): "the following arguments are required: task",
    (
        "train",
        "path-star",
        "--num-nodes",
        "8",
    ): "num_nodes is 8; it must be at least degree * (path_length - 1) + 1",
    ("train", "path-star", "--until", "-1"): "until is -1.0",
    ("train", "path-star", "--model", "rnn"): "invalid choice: 'rnn'",
    ("verify", "--paper", "chess"): "invalid choice: 'chess'",
    ("verify", "--label", "bias/theorem-9"): "label is 'bias/theorem-9'",
    ("claims", "--label", "nothing"): "label is 'nothing'",
    ("analyze",): "one of the arguments TEXT --documentation is required",
    ("analyze", "a.txt", "--documentation"): "not allowed with argument",
    ("analyze", "missing.txt"): "missing.txt) does not exist",
    ("analyze", "--documentation", "--dim", "0"): "argument --dim: is '0'; it must be a whole number >= 1",
    ("analyze", "--documentation", "--steps", "ten"): "is 'ten'; it must be a whole number",
    ("analyze", "--documentation", "--vocab-size", "1"): "is '1'; it must be a whole number >= 2",
    ("analyze", "--documentation", "--tokenizer", "words"): "invalid choice: 'words'",
    ("svm", "missing.npz"): "missing.npz: no such file",
    ("svm", "missing.npz", "--norm"): "argument --norm: expected one argument",
    ("descend", "missing.npz", "--steps", "-1"): "is '-1'; it must be a whole number >= 0",
}


@pytest.mark.parametrize("arguments", BAD_CALLS, ids=" ".join)
def test_bad_calls(refused, arguments: tuple[str, ...]) -> None:
    assert BAD_CALLS[arguments] in refused(*arguments)


BAD_TEXTS = {
    "empty": (b"", "holds 0 tokens; it must hold at least"),
    "blank": (b" \n\t ", "holds 0 tokens"),
    "binary": (bytes(range(256)), "must be"),
    "utf-16": ("to be".encode("utf-16"), "not UTF-8"),
    "nul": (b"to be\x00or not", "not binary data"),
    "one-token": (b"so so so so so", "one distinct token, 'so'"),
    "short": (b"so be", "holds 2 tokens"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_bad_texts(refused, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, reason = BAD_TEXTS[name]
    path = tmp_path / f"{name}.txt"
    path.write_bytes(content)
    message = refused("analyze", str(path))
    assert reason in message and path.name in message
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert reason in refused("analyze", "-")


def saved(path: Path, **changes: object) -> Path:
    """A dataset file with some arrays replaced, as damage or a careless program would leave it."""
    arrays, meta = designed("separable-incompatible").data._pack()
    arrays.pop("counts")
    arrays |= {name: np.asarray(array) for name, array in changes.items()}
    return runs.save_arrays(path, "dataset", arrays, meta)


BAD_DATA = {
    "nan": (dict(embeddings=[[1.0], [np.nan]]), "embeddings[1, 0] is nan"),
    "infinite": (dict(embeddings=[[np.inf], [2.0]]), "embeddings[0, 0] is inf"),
    "negative": (dict(conditionals=[1.5, -0.5, 0.25, 0.75]), "-0.5"),
    "sums": (dict(conditionals=[0.5, 0.6, 0.25, 0.75]), "1.1"),
    "empty-support": (dict(contexts=[0, 0, 0, 0], tokens=[0, 1, 2, 0]), "support"),
    "shapes": (dict(weights=[0.25, 0.25, 0.5]), "weights has shape"),
    "contradiction": (dict(embeddings=[[1.0], [1.0]]), "same embedding but different"),
    "weights": (dict(weights=[0.5, 0.6]), "weights"),
}


@pytest.mark.parametrize("command", ["svm", "descend", "flow"])
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data(refused, tmp_path: Path, name: str, command: str) -> None:
    changes, reason = BAD_DATA[name]
    message = refused(command, str(saved(tmp_path / "data.npz", **changes)))
    assert reason in message


@pytest.mark.parametrize("command", ["svm", "descend", "flow"])
def test_damaged_files(refused, data: str, tmp_path: Path, command: str) -> None:
    content = Path(data).read_bytes()
    for damage in (b"", b"PK", content[: len(content) // 2], b"\xff" * 100):
        path = tmp_path / "damaged.npz"
        path.write_bytes(damage)
        assert "not a file of this library, or damaged" in refused(command, str(path))
    other = runs.save_arrays(tmp_path / "other.npz", "note", {}, {})
    assert "holds a note, expected a dataset" in refused(command, str(other))
    assert "is not a file" in refused(command, str(tmp_path))


def test_a_folder_is_no_text(refused, tmp_path: Path) -> None:
    assert "cannot be read" in refused("analyze", str(tmp_path))


def test_bad_norm(refused, data: str) -> None:
    assert "norm is 'schatten-0.5'" in refused("svm", data, "--norm", "schatten-0.5")
    assert "refine is True" in refused("svm", data, "--norm", "max", "--refine")
    assert "norm is 'max'; the dual method is for" in refused("svm", data, "--norm", "max", "--method", "dual")


def test_bad_step_size(refused, data: str) -> None:
    assert "step_size is -1.0" in refused("descend", data, "--step-size", "-1")
    assert "step_size is nan" in refused("descend", data, "--step-size", "nan")
    assert "log_time is nan" in refused("flow", data, "--log-time", "nan")
    assert "invalid choice" in refused("descend", data, "--method", "newton")


@pytest.mark.parametrize("command", ["verify", "analyze", "svm", "descend", "flow"])
def test_a_folder_that_cannot_be_written_is_found_before_the_work(
    refused, command: str, text: str, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise AssertionError("the work has begun")

    for name in ("analyze", "solve_svm", "descend"):
        monkeypatch.setattr(commands, name, too_late)
    monkeypatch.setattr(claims, "check", too_late)
    argument = {"verify": [], "analyze": [text]}.get(command, [data])
    assert "it must be a folder that can be written" in refused(command, *argument, "--out", text)
    assert "it must be a folder that can be written" in refused(command, *argument, "--out", f"{text}/in")


def test_an_interruption_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys, data: str) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "solve_svm", interrupt)
    assert main(["svm", data]) == 130
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "ntp-theory: interrupted\n")


def test_progress_goes_to_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys, text: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["analyze", text, *SMALL, "--json"]) == 0
    strict(capsys.readouterr().out)
    assert "deciding separability" in terminal.getvalue() and terminal.getvalue().endswith("\r\x1b[K")


def python_m(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "ntp_theory", *arguments],
        env=environment, text=True, stderr=subprocess.PIPE, **{"stdout": subprocess.PIPE, **options},
    )  # fmt: skip


def test_module_runs() -> None:
    done = python_m("claims", "--label", "bias/erratum-E9", "--json")
    assert (done.returncode, done.stderr) == (0, "") and strict(done.stdout)["claims"]
    done = python_m("analyze", "missing.txt")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = python_m("claims", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_train_path_star(ask, tmp_path: Path) -> None:
    call = ("train", "path-star", "--path-length", "2", "--steps", "3", "--json", "--out", str(tmp_path))
    status, out = ask(*call)
    document = strict(out)
    assert status == 0 and document["steps"] == 3 and document["examples"] == 384 and document["chance"] == 0.5
    assert TrainResult.load(tmp_path / "training.npz").steps == 3
    assert (tmp_path / "accuracies.png").read_bytes()[1:4] == b"PNG"


def test_verify_leaves_out_what_needs_a_larger_budget(ask) -> None:
    status, out = ask("verify", "--label", "pitfalls/s", "--json")
    quick = [one for one in claims.records("pitfalls/s") if "quick" in one.budgets]
    assert status == 0 and strict(out)["claims"] == len(quick) > 0
    found = ask("verify", "--paper", "pitfalls", "--label", "pitfalls/rever", "--json")
    assert strict(found[1])["claims"] == 1  # the cascade takes minutes
