"""The contestants do the same work, and the page says what the data file says."""

import json
from pathlib import Path

import ntp_theory as ntp
from benchmarks import dynamics
from benchmarks.dynamics.measure import autograd, in_turns
from benchmarks.dynamics.page import written


def test_the_loop_that_we_are_compared_with_makes_our_steps():
    """Within what rounding leaves of 50 steps of numbers of size 1, by a wide margin."""
    data = ntp.construct.a2()
    ours = ntp.descend(data, steps=50, step_size=0.5).weights[-1]
    assert float((autograd(data, 50, 0.5) - ours).abs().max()) < 1e-12 < float(ours.abs().max())


def test_ratios_are_taken_within_a_turn():
    times = iter(range(100))
    clock = iter([0, 1, 1, 2, *(0, 1, 1, 3), *(10, 12, 12, 16), *(20, 21, 21, 24)])
    found = in_turns({"a": lambda: next(times), "b": lambda: next(times)}, 3, lambda: next(clock))
    assert next(times) == 8, "one turn to warm up"
    assert (found["a"]["seconds"], found["b"]["seconds"]) == (1, 3)
    assert (found["a"]["times"], found["b"]["times"]) == (1, 2)


def test_the_page_is_written_from_the_data_file():
    folder = Path(dynamics.__file__).parent
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    page = folder.parents[1] / "docs" / "benchmarks_dynamics.md"
    assert page.read_text(encoding="utf-8") == written(results)
    gpu = [{"V": 1, "d": 2, "m": 3, "dtype": "float64", "teraflops": 12.34, "of_peak": 0.5}]
    assert "| 1 | 2 | 3 | float64 | 12.3 | 50% |" in written(results | {"gpu": gpu})
