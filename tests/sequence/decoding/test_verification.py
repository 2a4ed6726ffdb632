"""Blocks have exactly the law of the target, by equality of fractions; mutants do not."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ntp_theory.claims.multitoken import mutants
from ntp_theory.sequence.decoding import (
    acceptance_rate,
    block,
    block_verification,
    expected_tokens,
    independent_tokens,
    law,
    residual,
    survival,
    token_verification,
    total_variation,
)
from ntp_theory.testing import Table, table_pairs, tables
from tests.sequence.decoding.references import sampled_law

VERIFICATIONS = {"token": token_verification, "block": block_verification}
every_verification = pytest.mark.parametrize("verify", VERIFICATIONS.values(), ids=VERIFICATIONS)
few = settings(max_examples=25)


def law_of_a_block(target, draft, gamma, make=block, **options):
    """The law of gamma + 1 tokens: those of a block, and the target's own after them."""

    def decoder(choices):
        tokens, _ = make(choices, target.law, draft.law, gamma, **options)
        while len(tokens) <= gamma:
            tokens = (*tokens, choices.draw(target.law(tokens)))
        return tokens

    return law(decoder)


def kept_by(target, draft, gamma, verify):
    return law(lambda choices: block(choices, target.law, draft.law, gamma, verify)[1])


def mean(kept):
    return sum(number * weight for number, weight in kept.items())


@every_verification
@few
@given(pair=table_pairs(max_memory=3), gamma=st.integers(1, 3))
def test_the_law_is_the_targets(verify, pair, gamma):
    target, draft = pair
    assert law_of_a_block(target, draft, gamma, verify=verify) == sampled_law(target.law, (), gamma + 1)


@few
@given(target=tables(), gamma=st.integers(1, 3), data=st.data())
def test_parallel_heads_may_ignore_the_drafts_before(target, gamma, data):
    v = target.vocab_size
    laws = [data.draw(tables(min_vocab_size=v, max_vocab_size=v, max_memory=0)).law([]) for _ in range(gamma)]

    class Heads:
        @staticmethod
        def law(tokens):
            return laws[len(tokens)]

    assert law_of_a_block(target, Heads, gamma) == sampled_law(target.law, (), gamma + 1)


@few
@given(pair=table_pairs(), gamma=st.integers(1, 3))
def test_survival_is_what_enumeration_finds(pair, gamma):
    target, draft = pair
    kept = kept_by(target, draft, gamma, token_verification)
    tail = [sum(weight for number, weight in kept.items() if number >= j) for j in range(1, gamma + 1)]
    assert survival(target.law, draft.law, gamma) == tail
    assert expected_tokens(target.law, draft.law, gamma) == 1 + mean(kept)
    assert tail[0] == acceptance_rate(target.law([]), draft.law([]))
    memoryless = Table(target.vocab_size, 0, {(): target.rows[()]}), Table(draft.vocab_size, 0, {(): draft.rows[()]})
    assert expected_tokens(*(table.law for table in memoryless), gamma) == independent_tokens(tail[0], gamma)


@few
@given(pair=table_pairs(max_vocab_size=3), gamma=st.integers(1, 3))
def test_a_block_keeps_no_fewer(pair, gamma):
    token, whole = (mean(kept_by(*pair, gamma, verify)) for verify in VERIFICATIONS.values())
    assert token <= whole
    if gamma == 1:
        assert token == whole


@every_verification
@given(pair=table_pairs(), gamma=st.integers(1, 3))
def test_the_same_model_is_never_refused(verify, pair, gamma):
    assert kept_by(pair[0], pair[0], gamma, verify) == {gamma: 1}


@every_verification
@pytest.mark.parametrize("gamma", [1, 2, 3])
def test_disjoint_models_are_always_refused(verify, gamma):
    one, zero = Fraction(1), Fraction(0)
    target, draft = (Table(2, 0, {(): row}) for row in ((one, zero), (zero, one)))
    assert law(lambda choices: block(choices, target.law, draft.law, gamma, verify)) == {((0,), 0): 1}


@few
@given(pair=table_pairs(max_memory=0))
def test_residual(pair):
    p, q = (table.law([]) for table in pair)
    assume(pair[0].rows != pair[1].rows)
    rest = residual(p, q)
    assert sum(rest) == 1 and all((r > 0) == (a > b) for r, a, b in zip(rest, p, q, strict=True))


@few
@given(pair=table_pairs(max_memory=1), gamma=st.integers(1, 3))
def test_mutants_are_told_apart(pair, gamma):
    """By the law of two tokens or more. A mutant may be right by chance, where its derivation says it is."""
    target, draft = pair
    exact = sampled_law(target.law, (), gamma + 1)
    p, q = target.law([]), draft.law([])
    beta, top = acceptance_rate(p, q), int(q.argmax())
    first = {token: p[token] for token in range(len(p)) if p[token]}

    def off(found, law_of_first):
        """Total variation of the first token, as derived, is no more than that of all of them."""
        marginal = {}
        for tokens, weight in found.items():
            marginal[tokens[0]] = marginal.get(tokens[0], 0) + weight
        assert total_variation(marginal, first) == total_variation(law_of_first, first)
        assert total_variation(found, exact) >= total_variation(marginal, first)

    lazy = {token: min(p[token], q[token]) + (1 - beta) * p[token] for token in range(len(p))}
    off(law_of_a_block(target, draft, gamma, verify=mutants.residual_from_target), lazy)
    keep = min(1, p[top] / q[top])
    spread = {} if keep == 1 else {t: (1 - keep) * r for t, r in enumerate(residual(p, q))}
    off(law_of_a_block(target, draft, gamma, mutants.argmax_draft), spread | {top: keep})
    shared = law_of_a_block(target, draft, gamma, verify=mutants.shared_number)
    off(shared, first)  # one number for all is enough for the first token
    assert gamma > 1 or shared == exact
