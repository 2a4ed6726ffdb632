"""The claims on decoding and on the tasks hold, and faults put into the code make them fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ntp_theory import claims
from ntp_theory.claims.multitoken import greedy, mutants
from ntp_theory.sequence.decoding import (
    acceptance,
    blockwise,
    branching,
    choices,
    decoded,
    trees,
    typical,
    verification,
)
from ntp_theory.sequence.decoding.verification import VERIFICATIONS
from ntp_theory.sequence.models.heads import ModelWithHeads, layers, matched, medusa
from ntp_theory.sequence.models.table import TokenCache
from ntp_theory.sequence.models.transformer import KeyValueCache
from ntp_theory.sequence.objectives import MultiToken, Objective, ahead
from ntp_theory.sequence.tasks.polynomials import ring
from tests.test_mutations import Fault

LABELS = [claim.label for claim in claims.records() if claim.label in claims.MULTI_TOKEN and "quick" in claim.budgets]


@pytest.fixture
def to(monkeypatch):
    fault = Fault(monkeypatch)
    fault.item = monkeypatch.setitem
    monkeypatch.setattr(greedy, "TABLES", 16)
    return fault


@pytest.mark.parametrize("label", LABELS)
def test_claim_holds(label):
    found = claims.check(label)
    assert found and all(check.holds for check in found)


def blocks_go_on_with_the_target(to):
    to.item(VERIFICATIONS, "block", mutants.residual_from_target)


def residual_is_the_target(to):
    to.function(verification.residual, lambda f, target, draft, weight=1: target)


def residual_without_its_weight(to):
    to.function(verification.residual, lambda f, target, draft, weight=1: f(target, draft))


def every_draft_is_kept(to):
    to.method(choices._Branch, "accept", lambda f, self, probability: True)


def drafts_go_on_behind_the_end(to):
    to.method(decoded.Texts, "goes_on", lambda f, self, r, drafts=(): len(self.rows[r]) + len(drafts) < self.limit)


def a_cache_forgets_nothing(to):
    to.method(KeyValueCache, "truncate", lambda f, self, length: None)


def a_cache_forgets_one_too_few(to):
    to.method(TokenCache, "truncate", lambda f, self, length: f(self, length + 1))


def proposals_of_the_wrong_place(to):
    to.function(blockwise.likeliest, lambda f, logits: f(logits.roll(1, dims=2)))


def everything_is_typical(to):
    to.function(typical.typical_tokens, lambda f, law, **options: f(law, epsilon=1e-9))


def the_threshold_is_twice_as_high(to):
    to.function(typical.typical_threshold, lambda f, law, **options: 2 * f(law, **options))


def composition_the_other_way_round(to):
    to.function(ring.compose, lambda f, a, b, modulus: f(b, a, modulus))


def powers_wrap_around(to):
    """X^n is 1 and not 0."""
    to.function(
        ring.multiply, lambda f, a, b, modulus: sum(a[..., k, None] * np.roll(b, k, -1) for k in range(a.shape[-1]))
    )


def all_logits_are_kept(to):
    to.method(MultiToken, "backward", lambda f, self, model, example: Objective.backward(self, model, example))


def heads_come_in_their_own_order(to):
    in_order = type("InOrder", (tuple,), {"__reversed__": lambda self: iter(self)})
    parallel = ModelWithHeads.branches.fget
    to.attribute(ModelWithHeads, "branches", property(lambda self: in_order(parallel(self))))


def a_head_is_judged_on_the_token_before_its_own(to):
    original = ahead.F.pad
    to.attribute(ahead.F, "pad", lambda x, pad, **o: original(x.roll(1, 1) if pad[1] else x, pad, **o))


def losses_are_weighted(to):
    to.method(ahead.Ahead, "_loss", lambda f, self, head, x: f(self, head, x) / (1 + head))


def heads_share_one_layer(to):
    made = layers._layers_for
    to.function(made, lambda f, trunk, count, seed: torch.nn.ModuleList([*f(trunk, 1, seed)] * count))


def the_trunk_is_not_shortened(to):
    to.function(matched.replace, lambda f, config, layers: config)


def medusa_heads_lack_the_residual(to):
    to.method(medusa.ResidualBlock, "forward", lambda f, self, h: f(self, h) - h)


def the_frozen_model_is_trained(to):
    to.method(ahead.Ahead, "__init__", lambda f, self, *given, frozen=False: f(self, *given))


def nodes_see_those_before_them(to):
    def init(f, self, *arguments):
        f(self, *arguments)
        self.related_tt = self.related_tt.new_ones(self.related_tt.shape).tril()

    to.method(branching.TreeAttention, "__init__", init)


def nodes_stand_behind_each_other(to):
    def init(f, self, *arguments):
        f(self, *arguments)
        self.depth_t = torch.arange(len(self.depth_t))

    to.method(branching.TreeAttention, "__init__", init)


def the_first_nodes_are_kept(to):
    to.method(
        branching.TreeAttention,
        "keep",
        lambda f, self, chains: f(self, [range(1, 1 + len(chain)) for chain in chains]),
    )


def padding_is_kept(to):
    """A chain that ends above the deepest leaf is filled up with token 0, and goes on there if 0 is said."""

    def chain(f, tree, tokens, said, rule, eos):
        kept = f(tree, tokens, said, rule, eos)
        if len(kept) < tree.depth and int(said[kept[-1] if kept else 0]["next"]) == 0:
            tokens.append(0)
            kept = [*kept, len(tokens) - 1]
        return kept

    to.function(acceptance.accepted_chain, chain)


def trees_grow_by_rank(to):
    to.function(trees._grown, lambda f, value, widths, nodes: f(lambda path: 1 / (1 + sum(path)), widths, nodes))


FAULTS = {
    all_logits_are_kept: ["multitoken/sequential-heads", "multitoken/memory"],
    heads_come_in_their_own_order: ["multitoken/sequential-gradients"],
    a_head_is_judged_on_the_token_before_its_own: ["multitoken/loss"],
    losses_are_weighted: ["multitoken/loss"],
    heads_share_one_layer: ["multitoken/architecture", "multitoken/parameter-matched"],
    the_trunk_is_not_shortened: ["multitoken/parameter-matched"],
    medusa_heads_lack_the_residual: ["medusa/heads"],
    the_frozen_model_is_trained: ["medusa/medusa-1"],
    residual_is_the_target: ["speculative/step", "speculative/enumeration", "speculative/parallel-heads"],
    residual_without_its_weight: ["speculative/block-verification"],
    blocks_go_on_with_the_target: ["speculative/enumeration"],
    every_draft_is_kept: ["speculative/step", "speculative/acceptance-rate", "speculative/mutation-hf-32867"],
    drafts_go_on_behind_the_end: ["speculative/enumeration", "speculative/greedy-equivalence"],
    a_cache_forgets_nothing: ["speculative/greedy-equivalence"],
    a_cache_forgets_one_too_few: ["speculative/greedy-equivalence"],
    proposals_of_the_wrong_place: ["speculative/greedy-equivalence", "multitoken/self-speculation"],
    everything_is_typical: ["medusa/typical-acceptance"],
    the_threshold_is_twice_as_high: ["medusa/typical-acceptance"],
    composition_the_other_way_round: ["multitoken/composition"],
    powers_wrap_around: ["multitoken/composition"],
    nodes_see_those_before_them: ["medusa/tree"],
    nodes_stand_behind_each_other: ["medusa/tree"],
    the_first_nodes_are_kept: ["medusa/tree"],
    padding_is_kept: ["speculative/greedy-equivalence", "medusa/defect-1"],
    trees_grow_by_rank: ["medusa/sparse-tree"],
}


@pytest.mark.parametrize("inject", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_noticed(inject, to):
    inject(to)
    for label in FAULTS[inject]:
        assert [check for check in claims.check(label) if not check.holds], label
