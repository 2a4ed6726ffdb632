"""What README.md shows is true: its commands exist, and its example prints what is printed there."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

import ntp_theory
from ntp_theory import claims, cli
from proofs_check import __main__ as proofs_check
from proofs_check import registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    words
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if (words := line.split("#")[0].split())
]


def help_of(*arguments: str) -> str:
    """The help text of a subcommand; a subcommand that does not exist ends with another status."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        cli.main([*arguments, "--help"])
    assert end.value.code == 0
    return out.getvalue()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_exist(words: list[str]) -> None:
    program, target, *rest = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE)
    elif program == "python":
        assert [target, rest[0]] == ["-m", "proofs_check"]
        labels = rest[1:]
        assert labels == ["certificate", "certificate.json"] or set(labels) <= set(registry.labels())
    else:
        assert program == "ntp-theory"
        text = help_of(target)
        assert [option for option in rest if option.startswith("--") and option not in text] == []


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
# Accuracies, unlike results, depend on the order in which a machine adds; below this they are all of one kind.
ACCURACY = Decimal("1e-5")


def same_number(shown: str, got: str) -> bool:
    """Equal to the last digit shown, give or take its rounding, or two accuracies."""
    a, b = Decimal(shown), Decimal(got)
    last_digit = Decimal(1).scaleb(int(a.as_tuple().exponent))
    return abs(a - b) <= 2 * last_digit or max(abs(a), abs(b)) < ACCURACY


def test_every_kind_of_command_is_shown() -> None:
    shown = {" ".join(words[:2]) for words in COMMANDS}
    assert {"make verify", "make test"} <= shown
    assert {f"ntp-theory {name}" for name in ("verify", "analyze", "svm", "descend", "claims")} <= shown


def test_example_prints_what_is_shown() -> None:
    languages = [language for language, _ in BLOCKS]
    where = languages.index("python")
    assert languages[where + 1] == "text"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(BLOCKS[where][1], "README.md", "exec"), {})
    shown, got = BLOCKS[where + 1][1], out.getvalue()
    assert [line.split() for line in NUMBER.sub("", got).splitlines()] == [
        line.split() for line in NUMBER.sub("", shown).splitlines()
    ]
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(got), strict=True)
    assert [pair for pair in pairs if not same_number(*pair)] == []


def test_certificate_of_the_example_is_checked(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    [code] = [block for language, block in BLOCKS if language == "python" and "certificate.json" in block]
    exec(compile(code, "README.md", "exec"), {"ntp": ntp_theory, "data": ntp_theory.construct.a2()})
    assert proofs_check.main(["certificate", "certificate.json"]) == 0


def test_another_number_is_noticed() -> None:
    assert same_number("9.26986", "9.26985")
    assert same_number("1.7e-06", "2.9e-06")
    assert not same_number("9.26986", "9.26999")
    assert not same_number("0.0034", "0.0044")


def test_one_version_everywhere() -> None:
    version = ntp_theory.__version__
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert re.search(rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_constraints_cover_every_requirement() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = list(project["project"]["dependencies"])
    for extra in project["project"]["optional-dependencies"].values():
        needed += extra
    for group in project["dependency-groups"].values():
        needed += [requirement for requirement in group if isinstance(requirement, str)]

    def name(requirement: str) -> str:
        return re.split(r"[<>=\[; ]", requirement)[0].lower().replace("_", "-")

    pinned = {name(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {name(requirement) for requirement in needed} <= pinned


LINES_OF_WORK = {
    "bias": "implicit bias",
    "pitfalls": "pitfalls of next-token prediction",
    "planning": "planning for future tokens",
    "multitoken": "multi-token prediction, decoding",
}


def test_the_table_of_what_is_verified_is_that_of_the_registry() -> None:
    rows = []
    for paper, labels in claims.PAPERS.items():
        verdicts = [claims.record(label).verdict for label in labels if label not in claims.PENDING]
        counts = [verdicts.count(one) for one in ("holds", "holds, repaired", "refuted as written")]
        assert sum(counts) == len(verdicts)
        cells = [LINES_OF_WORK[paper], len(labels), len(verdicts), *counts]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    head = "| line of work | statements | checked by a claim | hold | hold, repaired | refuted as written |"
    table = "\n".join([head, "|---|---|---|---|---|---|", *rows])
    assert table in README, f"the table is\n{table}"
