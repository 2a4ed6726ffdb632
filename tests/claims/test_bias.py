"""Every claim of the paper, at the quick budget: it runs, it holds, and it states no more than its record."""

from __future__ import annotations

import pytest

from ntp_theory import claims

STRENGTH = ("measured", "certified", "exact")


@pytest.mark.parametrize("label", [record.label for record in claims.records() if "quick" in record.budgets])
def test_claim_holds(label):
    record, found = claims.record(label), claims.check(label)
    assert found
    assert all(check.label == label and check.source == record.source for check in found)
    assert [check.line() for check in found if not check.holds] == []
    assert max(STRENGTH.index(check.evidence) for check in found) == STRENGTH.index(record.evidence)
    for check in found:
        assert check.statement
        if check.evidence == "exact":
            assert check.tolerance == 0 and not isinstance(check.predicted, float)
