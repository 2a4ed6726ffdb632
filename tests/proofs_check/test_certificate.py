"""Certificates: valid ones are proved, and one changed number is enough for a refusal."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.__main__ import main
from proofs_check.certificates import verify
from proofs_check.certificates.arithmetic import PRIME_LIMIT, coprime_base, is_prime, product_of_powers
from proofs_check.certificates.wording import exact, inverse_root, log_of_product, whole
from tests.proofs_check import builders
from tests.proofs_check.builders import changed, document, message, verdict

ROOT = Path(__file__).parents[2]

# One token follows each of two contexts in one dimension: h = 1 and 3, V = 2. W = (1/2, -1/2), the second is slack.
LINE = document(
    "max margin",
    [[1], [3]],
    [[0], [0]],
    {"direction": [["1/2"], ["-1/2"]], "multipliers": [[0, 0, "1/2"], [0, 1, "-1/2"]], "norm_squared": "1/2"},
    2,
    token_names=["the", "of"],
    context_names=["out", "to \n\ud800"],
)
# h = (1, -2): token 1 is off the support after both, and cannot be below token 0 on both sides of the origin.
OVERLAP = document(
    "not separable",
    [[1], [-2]],
    [[0], [0]],
    {"multipliers": [[0, 0, 2], [0, 1, "-2"], [1, 0, "1"], [1, 1, "-2/2"]]},
    2,
)
# The conditionals of SEP-INCOMPAT, y = (1, 1, -1) on their odds: 4 * 3/7 * 13/7 = 156/49.
ODDS = document(
    "not compatible",
    [[1], [1], [2]],
    [[0, 1]] * 3,
    {"coefficients": [[0, 0, 1], [0, 1, -1], [1, 0, 1], [1, 1, -1], [2, 0, -1], [2, 1, "1"]]},
    2,
    masses=[["4/5", "1/5"], [3, 7], [7, 13]],
)
# h_1 + h_2 = h_3. The second list has a positive entry on the pair (0, 1), off the support, that the first one blocks.
CHAIN = document(
    "extended support",
    [[1, 1], [-1, 1], [0, 2]],
    [[0], [0, 1, 2], [0, 1, 2]],
    {
        "extended": [[0, 1, 2]] * 3,
        "direction": [None, None, None, [0, -1]],
        "blocked": [
            [[0, 0, 1], [0, 1, -1], [1, 0, 1], [1, 1, -1], [2, 0, -1], [2, 1, 1]],
            [[0, 1, 1], [0, 2, -1], [1, 1, 1], [1, 2, -1], [2, 1, -1], [2, 2, 1]],
        ],
    },
    4,
)


def write(folder, certificate):
    path = folder / "certificate.json"
    path.write_text(certificate if isinstance(certificate, str) else json.dumps(certificate), encoding="utf-8")
    return str(path)


# --- by hand ----------------------------------------------------------------------------------------------------------


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
    assert "must contain the support" in message(changed(CHAIN, ["proof", "extended", 1], [0, 1]))


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


# --- by construction, with one number changed -------------------------------------------------------------------------


@given(builders.separable(), st.data())
def test_separable(certificate, data):
    assert verdict(certificate) == "proved"
    supports, tokens = certificate["data"]["supports"], certificate["data"]["vocab_size"]
    for j, support in enumerate(supports):
        others = sorted(set(range(tokens)) - set(support))
        if others:
            more = sorted([*support, data.draw(st.sampled_from(others))])
            assert verdict(changed(certificate, ["data", "supports", j], more)) == "refuted"
        dropped = data.draw(st.sampled_from(support))
        fewer = [z for z in support if z != dropped]
        assert verdict(changed(certificate, ["data", "supports", j], fewer)) == ("refuted" if fewer else "malformed")
    rows = certificate["proof"]["direction"]
    negated = [None if row is None else [text_of(x, -1) for x in row] for row in rows]
    partial = any(len(support) < tokens for support in supports)
    assert verdict(changed(certificate, ["proof", "direction"], negated)) == ("refuted" if partial else "proved")
    for j, support in enumerate(supports):
        h = [Fraction(x) for x in certificate["data"]["embeddings"][j]]
        if len(support) > 1 and any(h):
            row = [Fraction(x) for x in rows[support[0]] or ["0"] * len(h)]
            i = data.draw(st.sampled_from([i for i, x in enumerate(h) if x]))
            row[i] += data.draw(builders.POSITIVE)
            mutant = changed(certificate, ["proof", "direction", support[0]], [str(x) for x in row])
            assert verdict(mutant) == "refuted"


def text_of(number, factor):
    return str(factor * Fraction(number))


@given(builders.not_separable(), builders.POSITIVE, st.data())
def test_not_separable(certificate, shift, data):
    assert verdict(certificate) == "proved"
    entries = certificate["proof"]["multipliers"]
    k = data.draw(st.integers(0, len(entries) - 1))
    path = ["proof", "multipliers", k, 2]
    assert verdict(changed(certificate, path, lambda c: c + shift)) != "proved"  # the sum of the context
    assert verdict(changed(certificate, path, lambda c: -c)) == "refuted"
    swapped = [[j, v, text_of(c, -1)] for j, v, c in entries]
    assert verdict(changed(certificate, ["proof", "multipliers"], swapped)) == "refuted"
    assert verdict(changed(certificate, ["proof", "multipliers"], entries[:k] + entries[k + 1 :])) == "refuted"
    j = entries[k][0]
    i = data.draw(st.integers(0, len(certificate["data"]["embeddings"][j]) - 1))
    assert verdict(changed(certificate, ["data", "embeddings", j, i], lambda x: x + shift)) == "refuted"
    v = data.draw(st.sampled_from([v for row, v, c in entries if row == j and Fraction(c) > 0]))
    fewer = [z for z in certificate["data"]["supports"][j] if z != v]  # a positive entry is off the support now
    assert verdict(changed(certificate, ["data", "supports", j], fewer)) != "proved"


@given(builders.extended(), builders.POSITIVE, st.data())
def test_extended_support(certificate, shift, data):
    assert verdict(certificate) == "proved"
    j = data.draw(st.integers(0, len(certificate["data"]["supports"]) - 1))
    assert verdict(changed(certificate, ["proof", "extended", j], [0, 1, 2, 3])) == "refuted"
    for j, support in enumerate(certificate["data"]["supports"]):
        for v in {0, 1, 2} - set(support):
            fewer = sorted({0, 1, 2} - {v})
            assert verdict(changed(certificate, ["proof", "extended", j], fewer)) == "refuted"
    assert verdict(changed(certificate, ["proof", "blocked"], [])) == "refuted"
    assert verdict(changed(certificate, ["proof", "direction"], None)) == "refuted"
    assert verdict(changed(certificate, ["proof", "direction", 3, -1], lambda x: -x)) == "refuted"
    assert verdict(changed(certificate, ["data", "embeddings", j, 0], lambda x: x + shift)) == "refuted"
    n = data.draw(st.integers(0, 1))
    k = data.draw(st.integers(0, len(certificate["proof"]["blocked"][n]) - 1))
    assert verdict(changed(certificate, ["proof", "blocked", n, k, 2], lambda c: c + shift)) != "proved"


@given(builders.max_margin(), builders.POSITIVE, st.data())
def test_max_margin(certificate, shift, data):
    assert verdict(certificate) == "proved"
    j = data.draw(st.integers(0, len(certificate["data"]["supports"]) - 1))
    i = data.draw(st.integers(0, len(certificate["data"]["embeddings"][j]) - 1))
    v = data.draw(st.integers(0, certificate["data"]["vocab_size"] - 1))
    k = data.draw(st.integers(0, len(certificate["proof"]["multipliers"]) - 1))
    for path in (
        ["proof", "norm_squared"],
        ["proof", "multipliers", k, 2],
        ["proof", "direction", v, i],
        ["data", "embeddings", j, i],
    ):
        assert verdict(changed(certificate, path, lambda x: x + shift)) != "proved"
    support = certificate["data"]["supports"][j]
    other = sorted({*support} ^ {v})
    assert verdict(changed(certificate, ["data", "supports", j], other)) == ("refuted" if other else "malformed")
    doubled = [[text_of(x, 2) for x in row] for row in certificate["proof"]["direction"]]
    assert verdict(changed(certificate, ["proof", "direction"], doubled)) == "refuted"


@given(builders.compatible(), builders.POSITIVE.filter(lambda x: x != 1), st.data())
def test_compatible(certificate, factor, data):
    assert verdict(certificate) == "proved"
    several = [j for j, support in enumerate(certificate["data"]["supports"]) if len(support) > 1]
    if not several:
        return
    j = data.draw(st.sampled_from(several))
    support = certificate["data"]["supports"][j]
    i = data.draw(st.integers(0, len(support) - 1))
    assert verdict(changed(certificate, ["data", "masses", j, i], lambda x: x * factor)) == "refuted"
    b = data.draw(st.integers(0, len(certificate["proof"]["base"]) - 1))
    assert verdict(changed(certificate, ["proof", "exponents", j, i, b], lambda e: e + 1)) == "refuted"
    h = [Fraction(x) for x in certificate["data"]["embeddings"][j]]
    moved = [k for k, x in enumerate(h) if x]
    if moved:
        row = [Fraction(x) for x in certificate["proof"]["solutions"][b][support[i]] or [0] * len(h)]
        row[data.draw(st.sampled_from(moved))] += factor
        mutant = changed(certificate, ["proof", "solutions", b, support[i]], [str(x) for x in row])
        assert verdict(mutant) == "refuted"
    used = [e[b] - row[0][b] for row in certificate["proof"]["exponents"] for e in row]
    other = changed(certificate, ["proof", "base", b], 11)
    assert verdict(other) == ("refuted" if any(used) else "proved")


@given(builders.tied(), st.data())
def test_not_compatible(drawn, data):
    """Against the product, multiplied out."""
    certificate, product = drawn
    assert verdict(certificate) == ("refuted" if product == 1 else "proved")
    k = data.draw(st.integers(0, len(certificate["proof"]["coefficients"]) - 1))
    j, z, y = certificate["proof"]["coefficients"][k]
    mutant = changed(certificate, ["data", "masses", j, z], lambda x: x * 5)
    assert verdict(mutant) == ("refuted" if product * 5**y == 1 else "proved")
    assert verdict(changed(certificate, ["proof", "coefficients", k, 2], lambda y: y + 1)) != "proved"
    assert verdict(changed(certificate, ["data", "embeddings", j, 0], lambda x: x + 1)) == "refuted"


@given(builders.independent())
def test_independent(drawn):
    """Against the rank over the rationals: minors here are far below 2^61 - 1, so none vanishes by accident."""
    certificate, rows = drawn
    rank = sympy.Matrix(rows).rank() if rows else 0
    assert verdict(certificate) == ("proved" if rank == len(rows) else "refuted")
    assert "must be a prime" in message(changed(certificate, ["proof", "independent_mod"], 2**61 + 1))


@given(st.integers(2, 60), st.integers(1, 60))
def test_a_prime_that_divides_everything_proves_nothing(x, y):
    certificate = document("compatible", [[7 * x], [7 * y]], [[0, 1]] * 2, {"independent_mod": 7}, 2, [[1, 1], [1, 2]])
    assert verdict(certificate) == "refuted"


# --- arithmetic -------------------------------------------------------------------------------------------------------


@given(st.integers(-5, 2000) | st.integers(0, PRIME_LIMIT - 1))
def test_primes(n):
    assert is_prime(n) == sympy.isprime(n)


def test_strong_pseudoprimes():
    """To the first 9 and 12 primes; the limit itself deceives all 13."""
    assert not is_prime(3825123056546413051) and not is_prime(318665857834031151167461)
    assert is_prime(PRIME_LIMIT) and not sympy.isprime(PRIME_LIMIT)
    certificate = document("compatible", [[1]], [[0]], {"independent_mod": PRIME_LIMIT}, 1, [[1]])
    assert "must be a prime below" in message(certificate)


@given(st.lists(st.tuples(st.fractions(Fraction(1, 50), 50, max_denominator=50), st.integers(-4, 4)), max_size=6))
def test_products_of_powers(factors):
    powers = product_of_powers(factors)
    product = math.prod((x**y for x, y in factors), start=Fraction(1))
    assert math.prod((Fraction(b) ** y for b, y in powers.items()), start=Fraction(1)) == product
    assert all(math.gcd(a, b) == 1 for a in powers for b in powers if a != b)
    assert (powers == {}) == (product == 1)
    if powers:  # printed to 6 digits
        exactly = sympy.log(sympy.Rational(product.numerator, product.denominator)).evalf(30)
        assert abs(sympy.Float(log_of_product(powers), 30) / exactly - 1) <= 1e-5


@given(st.lists(st.integers(1, 10**6), max_size=8))
def test_coprime_base(numbers):
    base = coprime_base(numbers)
    assert all(b > 1 for b in base)
    assert all(math.gcd(a, b) == 1 for i, a in enumerate(base) for b in base[:i])
    for n in numbers:
        for b in base:
            while n % b == 0:
                n //= b
        assert n == 1


def test_numbers_beyond_the_limit_of_int():
    digits = "-" + "7" * 20_000
    assert whole(digits) == -7 * (10**20_000 - 1) // 9
    assert exact(Fraction(whole(digits), 3)) == "about -2.59259259259E+19999 (exactly: 66439 over 2 bits)"
    assert inverse_root(Fraction(1, 10**10_000)) == "1.0000000000E+5000"
    vast = document("separable", [[1]], [[0]], {"direction": [["1" + "0" * 9000], [whole("9" * 600)]]}, 2)
    assert verdict(vast) == "proved"


def test_logs_that_nearly_cancel():
    """(10^40 + 1)^3 / 10^120 has the logarithm 3e-40."""
    assert log_of_product({10**40 + 1: 3, 10**40: -3}) == "3.00000E-40"


# --- malformed --------------------------------------------------------------------------------------------------------

WRONG = [
    (["format"], "other", "format: must be"),
    (["format_version"], 2, "format_version: must be 1; got 2"),
    (["format_version"], True, "got true"),
    (["statement"], "maximal", "statement: must be one of"),
    (["proof"], [], "proof: must be an object; got a list of 0"),
    (["proof", "more"], 1, "proof: has no place for 'more'"),
    (["data", "vocab_size"], 0, "data.vocab_size: must be an integer of at least 1"),
    (["data", "vocab_size"], 2.0, "data.vocab_size: must be an integer of at least 1; got the float 2.0"),
    (["data", "embeddings"], [], "at least one row"),
    (["data", "embeddings", 0], [], "data.embeddings[0]: must be a list of at least one number"),
    (["data", "embeddings", 1], [1, 2], "data.embeddings[1]: must be a list of 1 numbers"),
    (["data", "embeddings", 1, 0], 0.5, "data.embeddings[1][0]: must be an exact number"),
    (["data", "embeddings", 1, 0], float("nan"), "got the float NaN"),
    (["data", "embeddings", 1, 0], float("-inf"), "got the float -Infinity"),
    (["data", "embeddings", 1, 0], "1/0", "q > 0"),
    (["data", "embeddings", 1, 0], "1/-2", "exact number"),
    (["data", "embeddings", 1, 0], "1e3", 'got "1e3"'),
    (["data", "embeddings", 1, 0], " 1", "exact number"),
    (["data", "embeddings", 1, 0], "\u0661", "exact number"),
    (["data", "embeddings", 1, 0], True, "got true"),
    (["data", "embeddings", 1, 0], None, "got null"),
    (["data", "supports"], [[0]], "data.supports: must be a list of 2 rows"),
    (["data", "supports", 1], [], "data.supports[1]: must be a list of at least one token"),
    (["data", "supports", 1], [2], "data.supports[1][0]: must be an integer from 0 to 1; got 2"),
    (["data", "supports", 1], [-1], "got -1"),
    (["data", "supports", 1], ["0"], 'got "0"'),
    (["data", "supports", 1], [1, 0], "data.supports[1][1]: must be greater than the token before it, 1"),
    (["data", "supports", 1], [0, 0], "greater"),
    (["data", "token_names"], ["a"], "data.token_names: must be a list of 2 names"),
    (["data", "context_names", 0], 5, "data.context_names[0]: must be a string"),
    (["data", "masses"], [[1], [1]], "has no place for 'masses'"),
    (["proof", "direction"], [None], "proof.direction: must be a list of 2 rows, one a token; got a list of 1"),
    (["proof", "direction", 0], ["1", "2"], "proof.direction[0]: must be a list of 1 numbers"),
    (["proof", "multipliers"], None, "proof.multipliers: must be a list"),
    (["proof", "multipliers", 1], [0, 1], "proof.multipliers[1]: must be a list of 3"),
    (["proof", "multipliers", 1, 0], 2, "proof.multipliers[1][0]: must be an integer from 0 to 1"),
    (["proof", "multipliers", 1], [0, 0, "1"], "the only entry of context 0, token 0"),
    (["proof", "multipliers", 1, 2], "0/5", "proof.multipliers[1][2]: must be other than 0"),
    (["proof", "norm_squared"], {}, "got an object"),
]


@pytest.mark.parametrize(("path", "value", "expected"), WRONG)
def test_malformed(path, value, expected):
    mutant = changed(LINE, path, value)
    assert verdict(mutant) == "malformed"
    assert expected in message(mutant)
    assert "\n" not in message(mutant)


@pytest.mark.parametrize("key", ["format", "data", "proof"])
@pytest.mark.parametrize("inside", [False, True])
def test_missing(key, inside):
    outer = json.loads(json.dumps(LINE))
    members = outer[key] if inside and isinstance(outer[key], dict) else outer
    name = {"data": "supports", "proof": "direction"}.get(key, key) if members is not outer else key
    del members[name]
    assert verdict(outer) == "malformed" and f"{name}: is missing" in message(outer)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["data", "masses", 1, 0], 0, "data.masses[1][0]: must be positive; got 0"),
        (["data", "masses", 1], ["1"], "data.masses[1]: must be a list of 2 numbers"),
        (["proof", "coefficients", 0, 2], "1/2", "proof.coefficients[0][2]: must be an integer"),
        (["proof"], {"coefficients": [], "base": []}, "has no place for 'base'"),
    ],
)
def test_malformed_masses(path, value, expected):
    assert verdict(changed(ODDS, path, value)) == "malformed" and expected in message(changed(ODDS, path, value))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not JSON"),
        (b"\xff{}", "must be in UTF-8; byte 0"),
        (b"{}", "format: is missing"),
        (b"3", "the file: must be an object; got 3"),
        (b'{"a": 1, "a": 2}', "two members 'a'"),
        (b'{"format": ' + b"[" * 200_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "must be an object"),
    ],
)
def test_not_a_document(content, expected):
    report = verify(content)
    assert report.verdict == "malformed" and expected in report.words[0]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_anywhere_has_an_answer(value):
    """No value in any place ends in an exception."""
    for path in places(LINE):
        assert verdict(changed(LINE, path, value)) in ("proved", "refuted", "malformed")


def places(inner, path=()):
    members = inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
    for key, value in members:
        yield [*path, key]
        yield from places(value, (*path, key))


# --- the command ------------------------------------------------------------------------------------------------------


def test_status_and_words(tmp_path, capsys):
    for certificate, status, word in ((LINE, 0, "proved: max margin"), (OVERLAP, 0, "proved: not separable")):
        assert main(["certificate", write(tmp_path, certificate)]) == status
        assert capsys.readouterr().out.startswith(word)
    refuted = changed(LINE, ["proof", "norm_squared"], "1/3")
    assert main(["certificate", write(tmp_path, refuted)]) == 1
    assert capsys.readouterr().out.startswith("refuted: max margin")
    assert main(["certificate", write(tmp_path, "{")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("proofs_check: error: ") and err.count("\n") == 1


def test_several_files_and_json(tmp_path, capsys):
    good = write(tmp_path, LINE)
    bad = str(tmp_path / "absent.json")
    assert main(["certificate", "--json", good, bad, good]) == 2
    out, err = capsys.readouterr()
    reports = json.loads(out)["certificates"]
    assert [report["verdict"] for report in reports] == ["proved", "malformed", "proved"]
    assert reports[0]["figures"]["norm_squared"]["exact"] == "1/2"
    assert "cannot be read" in err
    assert main(["certificate", str(tmp_path)]) == 2
    assert main(["certificate", "nul\0"]) == 2


def test_calls_that_are_wrong(capsys):
    assert main([]) == 2
    assert "certificate" in capsys.readouterr().out
    for call in (["certificate"], ["theorem"], ["certificate", "--loud", "x"]):
        with pytest.raises(SystemExit) as raised:
            main(call)
        assert raised.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_runs_without_any_package(tmp_path):
    """With -S there are no site-packages, and a terminal that knows only ASCII is no obstacle."""
    named = changed(OVERLAP, ["data", "token_names"], ["le", "\u00e9t\u00e9 \u2603"])
    for certificate, status in ((named, 0), (changed(OVERLAP, ["data", "supports", 0], [1]), 1), ("[NaN", 2)):
        done = subprocess.run(
            [sys.executable, "-S", "-m", "proofs_check", "certificate", write(tmp_path, certificate)],
            cwd=ROOT,
            env={"PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr and (done.stderr == "") == (status < 2)


def test_imports_only_the_standard_library():
    files = [*(ROOT / "proofs_check").glob("*.py"), *(ROOT / "proofs_check" / "certificates").glob("*.py")]
    assert len(files) > 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"
