"""Faults put into the readings on purpose: the claims that rest on them must notice."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from ntp_theory import claims
from ntp_theory.claims.bias import noise
from ntp_theory.claims.capacity import ranks
from ntp_theory.claims.classical import separation
from ntp_theory.readings import NoiseTolerance, tolerance


def radius_is_too_large(patch):
    original = tolerance._pair_radii
    patch(tolerance, "_pair_radii", lambda *arguments: 1.00001 * original(*arguments))


def radius_is_too_small(patch):
    original = tolerance._pair_radii
    patch(tolerance, "_pair_radii", lambda *arguments: 0.999 * original(*arguments))


def closest_flip_is_far(patch):
    original = NoiseTolerance.closest_flip
    patch(NoiseTolerance, "closest_flip", lambda found, context=None: 1.001 * original(found, context))


def bound_forgets_the_root(patch):
    original = NoiseTolerance.lower_bound
    patch(NoiseTolerance, "lower_bound", lambda found, norm="frobenius": math.sqrt(2) * original(found, norm))


def groups_are_of_other_tokens(patch):
    original = noise.token_groups
    patch(noise, "token_groups", lambda data: replace(original(data), groups=((0, 1),), contexts=((),)))


def rank_counts_everything(patch):
    original = ranks.jacobian_rank
    patch(ranks, "jacobian_rank", lambda *arguments: replace(original(*arguments), tolerance=-1.0))


def logits_do_not_move(patch):
    original = ranks.model_jacobian_rank

    def without(model, inputs):
        found = original(model, inputs)
        return replace(found, singular_values=torch.zeros_like(found.singular_values))

    patch(ranks, "model_jacobian_rank", without)


def one_loss_has_a_heavy_tail(patch):
    patch(separation, "LOSSES", {"root": lambda e: (e.sqrt().sum(1), e.sqrt() / 2)})


def a_binomial_is_missing(patch):
    patch(separation, "wendel_probability", lambda m, d: Fraction(sum(math.comb(m - 1, i) for i in range(1, d)), 2**m))


FAULTS = {
    radius_is_too_large: "bias/definition-3",
    radius_is_too_small: "bias/definition-3",
    closest_flip_is_far: "bias/definition-3",
    bound_forgets_the_root: "bias/definition-3",
    groups_are_of_other_tokens: "bias/svm-structure",
    rank_counts_everything: "capacity/jacobian-rank",
    logits_do_not_move: "capacity/theta",
    one_loss_has_a_heavy_tail: "classical/perm",
    a_binomial_is_missing: "classical/cover-wendel",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_noticed(fault, monkeypatch):
    claims.clear_cache()
    fault(monkeypatch.setattr)
    assert [check for check in claims.check(FAULTS[fault]) if not check.holds]
    claims.clear_cache()
