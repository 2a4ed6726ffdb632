"""Every label that the repository names is one of the theory's, and is either registered or said to be pending."""

from __future__ import annotations

import pytest

from ntp_theory import claims
from proofs_check import registry
from proofs_check.citations import LABEL, ROOT, files

# The tests of the registry name labels that must not exist.
FILES = [path for path in files() if path.parent != ROOT / "tests" / "claims"]
# What tests of other things make up or cut short.
PLACEHOLDERS = {"bias/x", "bias/theorem-9", "bias/erratum-E", "pitfalls/s", "pitfalls/te", "pitfalls/rever"}


def test_files_are_found():
    assert {ROOT / "ntp_theory" / "predict.py", ROOT / "tests" / "test_loss.py"} <= set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_label_is_known(path):
    known = set(claims.labels()) | set(claims.PENDING)
    unknown = [
        label
        for label in set(LABEL.findall(path.read_text(encoding="utf-8"))) - known - PLACEHOLDERS
        if not (label.endswith("-*") and any(each.startswith(label[:-1]) for each in known))
    ]
    assert not unknown


def test_registered_and_pending_share_out_the_theory():
    registered, pending = set(claims.labels()), set(claims.PENDING)
    assert not registered & pending
    assert registered | pending == set(claims.LABELS)
    assert len(claims.PENDING) == len(pending)


def test_no_label_twice():
    assert len(claims.LABELS) == len(set(claims.LABELS))
    assert [len(part) for part in (claims.IMPLICIT_BIAS, claims.PATH_STAR_AND_PLANNING, claims.MULTI_TOKEN)] == [
        115,
        75,
        84,
    ]


def test_every_statement_on_the_implicit_bias_is_decided():
    decided = set(registry.labels())
    assert set(claims.IMPLICIT_BIAS) <= decided


def test_claims_and_proofs_are_about_the_same_sources():
    proved = registry.labels()
    decided = [label for label in claims.labels() if label in proved]
    sources = {label: (claims.record(label).source, registry.load(label).source) for label in decided}
    assert len(sources) > 90
    assert not {label: pair for label, pair in sources.items() if pair[0] != pair[1]}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("`bias/loss`.", ["bias/loss"]),
        ("see bias/sharp-gd-* and svm/dual", ["bias/sharp-gd-*", "svm/dual"]),
        ("claims/bias/setting.py and bias/setting.py", []),
        ("(`bias/erratum-E12`)", ["bias/erratum-E12"]),
    ],
)
def test_what_counts_as_a_label(text, labels):
    assert LABEL.findall(text) == labels
