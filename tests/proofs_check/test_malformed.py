"""What is not a certificate is refused by one line that names the place, and the rule."""

from __future__ import annotations

import json

import pytest

from proofs_check.certificates import verify
from tests.proofs_check.builders import LONG, changed, document, message, verdict
from tests.proofs_check.by_hand import LINE, ODDS, OVERLAP

WRONG = [
    (["format"], "other", "format: must be"),
    (["format_version"], 2, "format_version: must be 1; got 2"),
    (["format_version"], True, "got true"),
    (["statement"], "maximal", "statement: must be one of"),
    (["proof"], [], "proof: must be an object; got a list of 0"),
    (["proof", "more"], 1, "proof: has no place for 'more'"),
    (["data", "vocab_size"], 0, "data.vocab_size: must be an integer from 1 to 1000000000; got 0"),
    (["data", "vocab_size"], 10**9 + 1, "data.vocab_size: must be an integer from 1 to 1000000000; got 1000000001"),
    (["data", "vocab_size"], 2.0, "data.vocab_size: must be an integer from 1 to 1000000000; got the float 2.0"),
    (["data", "vocab_size"], True, "got true"),
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
    (["data", "token_names"], ["of", "of"], 'data.token_names[1]: must be other than data.token_names[0]; got "of"'),
    (["data", "context_names"], ["", ""], "data.context_names[1]: must be other than data.context_names[0]"),
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


@pytest.mark.parametrize("number", [f"-{LONG}", f"json -{LONG}", LONG, -7, 0, 1])
def test_a_modulus_out_of_range(number):
    certificate = document("compatible", [[1]], [[0]], {"independent_mod": number}, 1, [[1]])
    assert verdict(certificate) == "malformed" and "proof.independent_mod: must be a prime below" in message(
        certificate
    )


@pytest.mark.parametrize("path", [["data", "vocab_size"], ["proof", "multipliers", 1, 1]])
def test_a_vocabulary_of_5000_digits(path):
    """Neither its size nor a token of it can be printed in full."""
    endless = changed(OVERLAP, path, f"json {LONG}")
    assert verdict(endless) == "malformed" and "got about 1.11111111111E+4999" in message(endless)


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
