"""Every file states its label, rests on known statements without going round in circles, and stays short."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ntp_theory import claims
from proofs_check import registry
from proofs_check.citations import ROOT
from proofs_check.statement import Statement

DECIDED = registry.labels()


@pytest.mark.parametrize("label", DECIDED)
def test_a_file_has_a_statement_with_words_and_steps(label):
    statement = registry.load(label)
    assert len(statement.text) > 40
    assert statement.steps or statement.verdict in ("documentation", "open: source incomplete", "open")


@pytest.mark.parametrize("label", DECIDED)
def test_it_rests_on_known_statements(label):
    needs = registry.load(label).needs
    assert set(needs) <= set(claims.LABELS) - {label} and len(set(needs)) == len(needs)


def test_no_statement_rests_on_itself():
    needs = {label: registry.load(label).needs for label in DECIDED}
    resting: set[str] = set()
    while True:
        ready = {label for label in needs if label not in resting and set(needs[label]) & set(needs) <= resting}
        if not ready:
            break
        resting |= ready
    assert not set(needs) - resting, "these rest on each other"


def test_files_are_short():
    folder = registry.HERE
    lengths = {label: (folder / (registry.module_name(label).replace(".", "/") + ".py")) for label in DECIDED}
    long = {label: count for label, path in lengths.items() if (count := len(path.read_text().splitlines())) > 150}
    assert not long


def test_proofs_use_nothing_of_the_library():
    """What they prove must not be what the library computes."""
    code = (
        "import sys\nfrom proofs_check import registry\nlabels = sys.stdin.read().split()\n"
        "for label in labels: registry.load(label)\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'ntp_theory'])"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, input=" ".join(DECIDED), capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"verdict": "certain"}, "verdict is 'certain'"),
        ({"verdict": "failed"}, "verdict is 'failed'"),
        ({"verdict": "open"}, "missing is ''"),
        ({"verdict": "checked on instances"}, "missing is ''"),
        ({"verdict": "proved", "missing": "much"}, "missing is 'much'"),
        ({"verdict": "proved", "repair": "proved"}, "not refuted"),
        ({"verdict": "refuted as written", "repair": "open"}, "missing is ''"),
    ],
)
def test_records_that_contradict_themselves(words, message):
    with pytest.raises(ValueError, match=message):
        Statement("bias/loss", source="here", **words)


def test_no_proof_rests_on_what_is_open():
    statements = {label: registry.load(label) for label in DECIDED}
    unsure = {label for label, made in statements.items() if made.verdict in ("open", "open: source incomplete")}
    resting = {
        (label, need)
        for label, made in statements.items()
        if made.verdict not in ("open", "open: source incomplete", "documentation")
        for need in set(made.needs) & unsure
    }
    assert not resting
