"""How often random data is NTP-separable: by the classical count for two tokens, and not for more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ...checks import Check
from ...conditions import check_separability
from ...conditions.threshold import Proportion, separability_probability, wendel_heuristic, wendel_probability
from ...dataset import NTPDataset
from ..registry import Budget, at_most, claim, same

# Of every interval: it holds or refutes the heuristic with that certainty, before the draws are made.
CONFIDENCE = 0.99
TIMES: dict[Budget, int] = {"quick": 1, "standard": 10}


@claim(
    "bias/separability-threshold",
    source="derived (D12)",
    evidence="certified",
    verdict="refuted as written",
    standard="Ten times as many draws.",
)
def separability_threshold(budget: Budget) -> Iterator[Check]:
    """Random data is separable as often as Wendel counts, in dimension (V-1) d - dim F, for V = 2 but not for V > 2.

    V = 2: of all labellings of six fixed points in the plane as many are separable as Cover counts, and the
    interval of 100 random draws contains his value. V = 3 and 5: the intervals of 200 and 60 draws lie below the
    heuristic of the same draws. Intervals have confidence 0.99, and every draw is decided with a proof.
    """
    yield same(
        int(wendel_probability(6, 2) * 2**6),
        _separable_labellings(num_points=6, dim=2),
        evidence="certified",
        statement="separable labellings of 6 points in the plane",
    )
    expected, found, setting = _compare(2, 5, 12, 1, 100 * TIMES[budget])
    yield at_most(expected, found.low, evidence="measured", statement=f"{setting}: lower end, Cover's value above it")
    yield at_most(found.high, expected, evidence="measured", statement=f"{setting}: Cover's value, upper end above it")
    for place, draws in (((3, 9, 12, 2), 200), ((5, 9, 10, 4), 60)):
        expected, found, setting = _compare(*place, draws * TIMES[budget])
        yield at_most(expected, found.high, evidence="measured", statement=f"{setting}: upper end, heuristic above it")


def _compare(v: int, d: int, m: int, s: int, draws: int) -> tuple[float, Proportion, str]:
    """The heuristic of some draws, what they show, and the setting in words."""
    found = separability_probability(v, d, m, s, draws=draws, confidence=CONFIDENCE)
    expected = float(wendel_heuristic(v, d, m, s, draws=draws))
    return expected, found, f"V={v}, S={s}, m={m}, d={d}"


def _separable_labellings(num_points: int, dim: int) -> int:
    """Number of ways to give each of some fixed points one of two tokens such that the data is separable."""
    points = np.random.default_rng(0).standard_normal((num_points, dim))
    labellings = itertools.product(np.eye(2), repeat=num_points)
    return sum(check_separability(NTPDataset(points, np.stack(rows))).separable for rows in labellings)
