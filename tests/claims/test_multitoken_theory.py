"""Faults put into the theory of several heads make its claims fail."""

from __future__ import annotations

import numpy as np
import pytest

from ntp_theory import claims
from ntp_theory.multitoken import MarkovChain, information, markov
from ntp_theory.multitoken import choice_points as choices
from ntp_theory.multitoken.logarithms import LogSum
from tests.test_mutations import Fault


@pytest.fixture
def to(monkeypatch):
    return Fault(monkeypatch)


def heads_reach_one_too_far(to):
    to.function(choices.wrong_predictions, lambda f, taken, expected, n: f(taken, expected, n + 1))


def branches_rejoin_late(to):
    to.function(choices.choice_terms, lambda f, n, j=None: f(n, None if j is None else j + 1))


def the_model_weighs_the_information(to):
    to.function(information.relative_information, lambda f, p, q: f(q, q))


def information_counts_once(to):
    to.attribute(information.HeadDecomposition, "defect", property(lambda self: self.residual + self.information))


def primes_lose_their_weight(to):
    to.attribute(LogSum, "sign", property(lambda self: 1))


def conditionals_are_joint(to):
    to.function(information._divide, lambda f, joint, marginal: joint)


def heads_are_one_step_behind(to):
    to.method(MarkovChain, "head_law", lambda f, self, head: f(self, max(1, head - 1)))


def supports_do_not_move(to):
    to.method(MarkovChain, "support", lambda f, self, head: f(self, 1))


def the_limit_is_the_entropy(to):
    to.function(markov.cyclic_classes, lambda f, steps, recurrent: iter([np.flatnonzero(recurrent)]))


def entropy_in_bits(to):
    to.function(markov._entropies, lambda f, rows: f(rows) / np.log(2))


FAULTS = {
    heads_reach_one_too_far: ["choice-points", "rejoin"],
    branches_rejoin_late: ["rejoin"],
    the_model_weighs_the_information: ["definition-L2", "lemma-L3", "relative-information-sign", "chain-residual"],
    information_counts_once: ["lemma-L3", "chain-residual"],
    primes_lose_their_weight: ["relative-information-sign"],
    conditionals_are_joint: ["lemma-L3", "chain-residual"],
    heads_are_one_step_behind: ["bayes-floor", "linear"],
    supports_do_not_move: ["linear"],
    the_limit_is_the_entropy: ["bayes-floor"],
    entropy_in_bits: ["bayes-floor"],
}


@pytest.mark.parametrize("inject", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_noticed(inject, to):
    inject(to)
    for label in FAULTS[inject]:
        assert [check for check in claims.check(f"multitoken/{label}") if not check.holds], label
