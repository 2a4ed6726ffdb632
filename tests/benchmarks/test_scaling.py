"""The plan from measured steps: its fit, its terms, its tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaling import H100, PLANNED, SIZES, Fit, plan, tables

rates = st.floats(1e6, 1e15)


@given(rates, rates)
def test_a_fit_finds_the_rates_behind_the_seconds(flops, logits):
    """Relative to the larger of the two costs, which is all that the seconds tell."""
    truth = Fit(flops, logits, 0.0)
    found = Fit.of(SIZES, [truth(size) for size in SIZES])
    assert found.error <= 1e-9
    assert [found(size) for size in SIZES] == pytest.approx([truth(size) for size in SIZES], rel=1e-9)


@given(st.integers(1, 10**4), st.floats(0.1, 1), st.floats(0.1, 1))
def test_twice_the_devices_take_half_the_time_but_for_the_reduction(count, products, logits):
    one, two = (plan(H100, n, efficiency=(products, logits)) for n in (count, 2 * count))
    for kind in ("products", "logits"):
        assert two[kind] == pytest.approx(one[kind] / 2, rel=1e-12)
    assert one["reduction"] < two["reduction"] < 2 * 8 * PLANNED[0] * PLANNED[2] / H100.link
    assert (one["reduction"] == 0) == (count == 1)


def test_tables():
    fit = Fit(4e10, 2e8, 0.0)
    here = {"date": "2026-01-01", "machine": "a machine"}
    steps = here | {"flops": 5e10, "memory": 2e10, "steps": [[*size, fit(size)] for size in SIZES]}
    shared = here | {"rows": [[10, 20, 5, 1, 0.004], [10, 20, 5, 2, 0.0025]]}
    text = tables({"steps": steps, "processes": shared})
    assert "40.0 Gflop/s in the products and 5.00 ns a logit; largest relative error 0%" in text
    assert "80% of its peak, and the 80 bytes a logit at 80% of its bandwidth" in text
    assert "| 10 | 20 | 5 | 2 | 2.50 | 1.60 |" in text
    assert all("a machine" in tables({name: part}) for name, part in (("steps", steps), ("processes", shared)))
