"""Small certificates: what is proved, and which rule each wrong number breaks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from proofs_check.certificates import verify
from tests.proofs_check.builders import changed, document, message, verdict
from tests.proofs_check.by_hand import CHAIN, LINE, ODDS, OVERLAP

ROOT = Path(__file__).parents[2]


def test_max_margin_by_hand():
    report = verify(json.dumps(LINE).encode())
    assert report.verdict == "proved"
    assert report.figures["norm_squared"] == {"exact": "1/2", "decimal": "0.5"}
    assert report.figures["margin"] == "1.41421356237"
    assert report.sizes == {"contexts": 2, "tokens": 2, "dim": 1}


def test_the_example_in_the_documentation():
    page = (ROOT / "docs" / "certificates.md").read_text(encoding="utf-8")
    assert verify(page.split("```json")[1].split("```")[0].encode()).verdict == "proved"


def test_a_multiplier_on_a_slack_pair_is_refused():
    """Sums, signs, stationarity and norm still hold when it moves from h = 1 to 3 h = 3; only slackness does not."""
    moved = changed(LINE, ["proof", "multipliers"], [[1, 0, "1/6"], [1, 1, "-1/6"]])
    assert "margins of exactly 1" in message(moved)
    assert "token 'of' after context 'to \\n\\ud800' is 3" in message(moved)


def test_a_longer_direction_is_refused():
    longer = changed(LINE, ["proof", "direction"], [["1"], ["-1"]])
    assert "exactly 1 may have an entry" in message(longer)
    assert "must be that of sum_j c_jv h_j, 0, for token 'the'; it is 1" in message(
        changed(longer, ["proof", "multipliers"], [])
    )


def test_a_short_margin_is_refused():
    short = changed(LINE, ["proof", "direction"], [["1/2"], ["-1/3"]])
    assert "margins must be at least 1; that of token 'of' after context 'out' is 5/6" in message(short)


def test_not_separable_by_hand():
    report = verify(json.dumps(OVERLAP).encode())
    assert report.verdict == "proved"
    assert "token #1 after context #0, weight 2/3" in report.words[1]
    assert "must have an entry off" in message(changed(OVERLAP, ["data", "supports"], [[0, 1], [0, 1]]))
    assert "must sum to 0, not -1" in message(changed(OVERLAP, ["proof", "multipliers", 1, 2], "-3"))
    assert "coordinate 0 is -2" in message(changed(OVERLAP, ["data", "embeddings"], [[0], [-2]]))


def test_not_compatible_by_hand():
    report = verify(json.dumps(ODDS).encode())
    assert report.verdict == "proved"
    assert report.figures["product"] == "3 * 4 * 7^-2 * 13"
    assert report.figures["log_of_product"] == f"{math.log(156 / 49):.5f}"  # the float is good to 15 digits
    balanced = changed(ODDS, ["data", "masses"], [["4/5", "1/5"], [3, 7], [12, 7]])
    assert "must not be 1" in message(balanced)
    assert "on the supports" in message(
        changed(changed(ODDS, ["data", "supports", 2], [0]), ["data", "masses", 2], [1])
    )


def test_a_chain_of_multipliers():
    report = verify(json.dumps(CHAIN).encode())
    assert report.verdict == "proved"
    assert report.figures["escaping"] == 3
    assert [pair["indices"] for pair in report.figures["blocked"]] == [[0, 1], [0, 2]]
    first, second = CHAIN["proof"]["blocked"]
    assert "must be negative; that of token #1" in message(changed(CHAIN, ["proof", "blocked"], [second, first]))
    assert "blocks token #2 after context #0" in message(changed(CHAIN, ["proof", "blocked"], [first]))
    outside = changed(CHAIN, ["proof", "blocked", 1], [*second, [0, 3, -1]])
    assert "blocked[1]: entries must be in the extended supports; token #3" in message(outside)


def test_extended_supports_without_the_supports():
    """All else is as it should be: the direction is level on the sets given, and nothing off the supports is kept."""
    swapped = {"extended": [[1]], "direction": [[0], [1]], "blocked": []}
    elsewhere = document("extended support", [[1]], [[0]], swapped, 2)
    assert verdict(elsewhere) == "refuted"
    assert "proof.extended[0]: must contain the support; token #0 after context #0 is not in it" in message(elsewhere)
    right = {"extended": [[0]], "direction": [[1], [0]], "blocked": []}
    assert verdict(changed(elsewhere, ["proof"], right)) == "proved"


def test_long_names_stay_apart():
    """They are shortened, perhaps to the same words, so the index is added."""
    names = ["of", *("a" * 50 + middle + "a" * 50 for middle in "bc")]
    proof = {"direction": [["1"], ["1/2"], ["0"]]}
    certificate = document("separable", [[1]], [[0]], proof, 3, token_names=names)
    assert f"1/2 (0.5): token '{'a' * 29}...{'a' * 14}' (#1) after context #0" in message(certificate)


def test_contexts_must_sum_to_zero():
    """Everything else holds: the contexts cancel for each token, the signs and margins are right."""
    one_token = [[0, 0, 1], [1, 0, 1], [2, 0, -1]]
    shifted = {
        "direction": [["9/10"], ["-1/10"]],
        "multipliers": [[0, 0, "9/10"], [0, 1, "-1/10"]],
        "norm_squared": "82/100",
    }
    for mutant in (
        changed(LINE, ["proof"], shifted),
        changed(OVERLAP, ["proof", "multipliers"], [[0, 0, 2], [0, 1, -4], [1, 0, 1], [1, 1, -2]]),
        changed(ODDS, ["proof", "coefficients"], one_token),
        changed(CHAIN, ["proof", "blocked", 1], one_token),
    ):
        assert verdict(mutant) == "refuted" and "must sum to 0" in message(mutant)


@pytest.mark.parametrize("statement", ["separable", "max margin", "extended support"])
def test_full_supports_leave_nothing_to_separate(statement):
    proofs = {
        "separable": {"direction": [None, None]},
        "max margin": {"direction": [None, None], "multipliers": [], "norm_squared": 0},
        "extended support": {"extended": [[0, 1]], "direction": None, "blocked": []},
    }
    assert verdict(document(statement, [["1/3"]], [[0, 1]], proofs[statement], 2)) == "proved"


def test_no_direction_for_a_token_that_is_said_to_escape():
    escaping = document("extended support", [[1]], [[0]], {"extended": [[0]], "direction": None, "blocked": []}, 2)
    assert "may be null only" in message(escaping)


def test_equal_masses_need_no_base():
    proof = {"base": [], "exponents": [[[], []]], "solutions": []}
    level = document("compatible", [[1]], [[0, 1]], proof, 2, masses=[["1/2", "1/2"]])
    assert verdict(level) == "proved"
    assert "the ratio of the masses" in message(changed(level, ["data", "masses", 0, 1], "2"))


@pytest.mark.parametrize("b", [1, 0, -2, "3/2"])
def test_a_base_without_logarithms_is_malformed(b):
    """What is not an integer above 1 has no place in a factorisation."""
    proof = {"base": [b], "exponents": [[[1], [0]]], "solutions": [[[1], [0]]]}
    certificate = document("compatible", [[1]], [[0, 1]], proof, 2, masses=[[1, 1]])
    assert verdict(certificate) == "malformed" and "proof.base[0]: must be an integer" in message(certificate)


def test_exponents_that_no_machine_could_multiply_out():
    """2^(10^40) is compared by unique factorisation."""
    proof = {"base": [2, 4], "exponents": [[[0, 0], [2 * 10**40, -(10**40)]]], "solutions": [[[0], [0]], [[0], [0]]]}
    huge = document("compatible", [[1]], [[0, 1]], proof, 2, masses=[[1, 1]])
    assert "must differ by about 2.00000000000E+40" in message(huge)
    solved = changed(huge, ["proof", "solutions"], [[None, [2 * 10**40]], [None, [-(10**40)]]])
    assert verdict(solved) == "proved"
    assert verdict(changed(solved, ["proof", "base", 1], 8)) == "refuted"
