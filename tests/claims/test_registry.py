"""The registry: what it holds, what it refuses, and that nothing that goes wrong inside a claim looks like success."""

from __future__ import annotations

import re

import pytest

from ntp_theory import claims
from ntp_theory.checks import Check
from ntp_theory.claims import registry
from ntp_theory.errors import UsageError


@pytest.fixture
def empty(monkeypatch):
    """A registry without claims."""
    monkeypatch.setattr(registry, "_claims", {})


def register(*checks, label="bias/loss", evidence="exact", error=None, **budgets):
    @registry.claim(label, source="here", evidence=evidence, **budgets)
    def run(*budget):
        """What is claimed.

        What quick shows.
        """
        yield from checks
        if error is not None:
            raise error
        if budget:
            yield registry.same(budget[0], budget[0])


def test_labels_are_sorted_as_in_the_theory():
    found = claims.labels()
    assert found == [label for label in claims.LABELS if label in found]
    assert [record.label for record in claims.records()] == found


def test_a_label_is_itself_and_a_beginning_is_all_that_follow():
    assert claims.labels("bias/erratum-E1") == ["bias/erratum-E1"]
    assert claims.labels("bias/definition-") == ["bias/definition-1", "bias/definition-2", "bias/definition-3"]


def test_records_say_something():
    for record in claims.records():
        assert record.statement and record.source and record.label == claims.record(record.label).label
        assert record.budgets and all(record.budgets.values()) and set(record.budgets) <= set(claims.BUDGETS)
        trains_networks = record.label not in claims.PAPERS["bias"]
        assert "quick" in record.budgets or trains_networks
        assert record.verdict in ("holds", "holds, repaired", "refuted as written")


@pytest.mark.parametrize("label", ["bias/lose", "no-paper", "bias/loss/more"])
def test_unknown_labels_are_refused(label):
    for ask in (claims.check, claims.record):
        with pytest.raises(UsageError, match=re.escape(repr(label))):
            ask(label)
    assert claims.labels(label) == []


def test_the_closest_labels_are_listed():
    with pytest.raises(UsageError, match="bias/loss"):
        claims.check("bias/lose")


def test_unknown_budget():
    with pytest.raises(UsageError, match="budget is 'huge'"):
        claims.check("bias/loss", "huge")


def test_a_claim_that_needs_more_is_left_out_among_others_and_refused_alone():
    slow = claims.record("pitfalls/teacherless")
    assert slow.largest("quick") is None and slow.largest("full") == "standard"
    with pytest.raises(UsageError, match="budget is 'quick'; pitfalls/teacherless has 'standard'"):
        claims.check("pitfalls/teacherless")
    assert {check.label for check in claims.check("pitfalls/s")} == {label for label in claims.labels("pitfalls/s")}
    assert {check.label for check in claims.check("pitfalls/reve")} == {"pitfalls/reversed"}


def test_registry_adds_label_source_and_time(empty):
    register(registry.same(1, 1, statement="one"))
    (found,) = claims.check("bias/loss")
    assert (found.label, found.source, found.statement, found.holds) == ("bias/loss", "here", "one", True)
    assert found.seconds >= 0
    record = claims.record("bias/loss")
    assert (record.statement, record.budgets) == ("What is claimed.", {"quick": "What quick shows."})


def test_a_claim_that_raises_does_not_hold(empty):
    register(registry.same(1, 1), error=ZeroDivisionError("by nothing"))
    first, second = claims.check("bias/loss")
    assert first.holds and not second.holds
    assert second.computed == "ZeroDivisionError: by nothing" and second.label == "bias/loss"


def test_a_claim_without_checks_does_not_hold(empty):
    register()
    (found,) = claims.check("bias/loss")
    assert not found.holds


@pytest.mark.parametrize(
    ("evidence", "check"),
    [
        ("measured", registry.same(1, 1, evidence="certified")),
        ("certified", registry.same(1, 1, evidence="exact")),
        ("exact", registry.same(1.0, 1.0, evidence="exact")),
        ("exact", registry.close(1.0, 1.0, tolerance=0.1, evidence="exact")),
        ("exact", Check("", 1, 1, 0.0, 0.5, True, "exact")),
    ],
)
def test_overstatement_does_not_hold(empty, evidence, check):
    register(check, evidence=evidence)
    (found,) = claims.check("bias/loss")
    assert not found.holds


def test_the_largest_budget_up_to_the_one_asked_runs(empty):
    register(label="bias/loss", standard="more")
    register(registry.same(1, 1), label="bias/split")
    ran = {budget: [c.computed for c in claims.check("bias", budget)] for budget in claims.BUDGETS}
    assert ran == {"quick": ["quick", 1], "standard": ["standard", 1], "full": ["standard", 1]}


def test_a_label_has_one_claim_and_is_of_the_theory(empty):
    register(registry.same(1, 1))
    with pytest.raises(UsageError, match="one claim"):
        register(registry.same(1, 1))
    with pytest.raises(UsageError, match="one of the theory's labels"):
        register(registry.same(1, 1), label="bias/made-up")


def test_shared_results_are_kept_until_cleared(monkeypatch):
    monkeypatch.setattr(registry, "_caches", [])
    calls = []
    compute = registry.shared(lambda: calls.append(1))
    compute(), compute()
    assert len(calls) == 1
    claims.clear_cache()
    compute()
    assert len(calls) == 2
