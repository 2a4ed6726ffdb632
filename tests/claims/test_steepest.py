"""The claims on learned features for methods with norms of their own, with fewer steps."""

from __future__ import annotations

from ntp_theory import claims
from ntp_theory.claims.steepest import learned


def test_methods_on_learned_features(monkeypatch):
    """Shorter runs: the certified bound holds at any length, and each method is ahead in its own norm already."""
    claims.clear_cache()
    monkeypatch.setattr(learned, "DESCENT", 300)
    bound, rate = learned.laws_on_learned("sign", "steepest/theorem-1")
    assert (bound.label, bound.evidence, bound.holds) == ("steepest/setting", "certified", True)
    assert (rate.label, rate.evidence) == ("steepest/theorem-1", "measured")
    ahead = list(learned.own_norms_on_learned())
    assert [check.holds for check in ahead] == [True] * 3 and all("learned features" in c.statement for c in ahead)
    # own shares are below 1 and well apart from the others', so that an exchange of norms would fail
    assert all(0.5 < check.predicted < 1 and check.computed < 0.95 * check.predicted for check in ahead)
    claims.clear_cache()
