"""Random certificates that are valid by construction are proved, and one changed number is enough for a refusal."""

from __future__ import annotations

from fractions import Fraction

import sympy
from hypothesis import given
from hypothesis import strategies as st

from tests.proofs_check import builders
from tests.proofs_check.builders import changed, document, message, verdict


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
        for v in range(3):
            fewer = changed(certificate, ["proof", "extended", j], sorted({0, 1, 2} - {v}))
            assert verdict(fewer) == "refuted"
            assert (f"extended[{j}]: must contain the support; token #{v} after" in message(fewer)) == (v in support)
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
