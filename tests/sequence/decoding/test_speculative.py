"""Speculative sampling: the whole decoder has the law of the target, by enumeration; and its bookkeeping is right."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import law, speculative_sample, total_variation
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.testing import Table, TableModel, table_pairs
from tests.sequence.decoding.references import NETWORKS, cut, greedy_texts, sampled_law, sharpened

every_verification = pytest.mark.parametrize("verification", ["token", "block"])
every_network = pytest.mark.parametrize("name", NETWORKS)
PROMPT = torch.tensor([[0, 1]])


@st.composite
def ends(draw, v):
    return draw(st.none() | st.integers(0, v - 1))


@every_verification
@settings(max_examples=20)
@given(pair=table_pairs(max_memory=3), gamma=st.integers(1, 3), count=st.integers(1, 4), data=st.data())
def test_the_law_is_the_targets(verification, pair, gamma, count, data):
    """Exactly, with an end of sequence anywhere, blocks that the limit cuts, and zero probabilities."""
    target, draft = pair
    eos = data.draw(ends(target.vocab_size))
    options = {"gamma": gamma, "verification": verification, "eos": eos}
    found = law(lambda choices: speculative_sample(target, draft, PROMPT, count, rng=choices, **options).texts()[0])
    assert found == sampled_law(target.law, (0, 1), count, eos)


@every_verification
@pytest.mark.parametrize("eos", [0, 1])
def test_an_end_inside_a_block(verification, eos):
    """Two tokens and three drafts: the end is drafted at every place, kept and refused."""
    target, draft = Table.random(2, 2, rng=eos), Table.random(2, 1, rng=7)
    options = {"gamma": 3, "verification": verification, "eos": eos}
    found = law(lambda choices: speculative_sample(target, draft, PROMPT, 6, rng=choices, **options).texts()[0])
    assert found == sampled_law(target.law, (0, 1), 6, eos)


@every_verification
def test_texts_of_a_batch_are_independent(verification):
    """Their joint law, by fractions: rows whose blocks end at different places, one of them at an end of sequence."""
    target, draft = Table.random(2, 2, rng=0), Table.random(2, 1, rng=1)
    options = {"gamma": 2, "verification": verification, "eos": 1}
    prompts = torch.tensor([[0], [1]])
    found = law(lambda c: tuple(speculative_sample(target, draft, prompts, 3, rng=c, **options).texts()))
    one, other = (sampled_law(target.law, prompt, 3, 1) for prompt in prompts.tolist())
    assert found == {(a, b): p * q for a, p in one.items() for b, q in other.items()}


@every_verification
@pytest.mark.parametrize("target_name, draft_name", [("learned", "mamba"), ("mamba", "rotary")])
def test_the_law_on_caches(verification, target_name, draft_name):
    """The same enumeration through real caches: rounding of float64 is far below 1e-12 in some hundred products."""
    target, draft = sharpened(NETWORKS[target_name](2, 1)), sharpened(NETWORKS[draft_name](2, 2))

    def plain(text):
        with torch.no_grad():
            return target(torch.tensor([text]))[0, -1].softmax(-1).numpy()

    options = {"gamma": 3, "verification": verification}
    found = law(lambda c: speculative_sample(target, draft, PROMPT, 4, rng=c, **options).texts()[0])
    exact = sampled_law(plain, (0, 1), 4)
    assert set(found) == set(exact) and total_variation(found, exact) < 1e-12


def test_the_law_of_a_table_as_a_network():
    """At temperature 1/2 laws are squares, normalised."""
    target, draft = Table.random(3, 2, rng=3), Table.random(3, 1, rng=4)
    options = {"gamma": 2, "temperature": 0.5, "eos": 2}
    models = TableModel(target), TableModel(draft)
    found = law(lambda c: speculative_sample(*models, PROMPT, 3, rng=c, **options).texts()[0])
    squares = {text: tuple(p**2 for p in row) for text, row in target.rows.items()}
    cold = Table(3, 2, {text: tuple(p / sum(row) for p in row) for text, row in squares.items()})
    assert total_variation(found, sampled_law(cold.law, (0, 1), 3, 2)) < 1e-12


@every_network
@settings(max_examples=15)
@given(
    seed=st.integers(0, 100),
    count=st.integers(1, 12),
    gamma=st.integers(1, 5),
    rows=st.integers(1, 4),
    verification=st.sampled_from(["token", "block"]),
    data=st.data(),
)
def test_at_temperature_0_it_is_greedy(name, seed, count, gamma, rows, verification, data):
    """In ragged batches: rows keep different numbers of drafts, and end at different times."""
    v = data.draw(st.integers(2, 6))
    target, draft = sharpened(NETWORKS[name](v, seed)), sharpened(NETWORKS[name](v, data.draw(st.integers(0, 100))))
    prompts, eos = torch.randint(v, (rows, 3), generator=torch.Generator().manual_seed(seed)), data.draw(ends(v))
    options = {"gamma": gamma, "temperature": 0, "verification": verification, "eos": eos}
    found = speculative_sample(target, draft, prompts, count, **options)
    assert found.texts() == greedy_texts(target, prompts, count, eos)
    assert found.lengths.tolist() == [len(text) for text in found.texts()]
    if eos is not None:
        assert all(
            row[n:] == [eos] * (len(row) - n) for row, n in zip(found.tokens.tolist(), found.lengths, strict=True)
        )


@every_network
def test_sampled_texts_do_not_depend_on_the_batch_or_its_caches(name):
    """A decoder that reads every text from its beginning, with the same random numbers, says the same.

    The draft model's cache matters here alone: whatever it says, the law is right.
    """
    target, draft = sharpened(NETWORKS[name](5, 1)), NETWORKS[name](5, 1)

    class Plain:
        def __init__(self, model):
            self.model, self.vocab_size = model, 5

        def law(self, text):
            with torch.no_grad():
                return self.model(torch.tensor([list(text)]))[0, -1].softmax(-1).numpy()

    prompts = torch.randint(5, (2, 3), generator=torch.Generator().manual_seed(0))
    ragged = 0
    for seed in range(16):
        options = {"gamma": 3, "verification": ("token", "block")[seed % 2], "rng": seed, "eos": seed % 5}
        cached = speculative_sample(target, draft, prompts, 20, **options)
        plain = speculative_sample(Plain(target), Plain(draft), prompts, 20, **options)
        assert cached.texts() == plain.texts() and cached.summary() == plain.summary()
        ragged += len(set(cached.lengths.tolist())) > 1
    assert ragged > 4


@every_verification
@given(pair=table_pairs(max_memory=1), gamma=st.integers(1, 4), count=st.integers(1, 20))
def test_all_accepted(verification, pair, gamma, count):
    """The target as its own draft model: every draft is kept, and gamma + 1 tokens come from a pass."""
    target, _ = pair
    found = speculative_sample(target, target, PROMPT, count, gamma=gamma, verification=verification)
    assert found.kept == found.drafted
    assert found.target_passes == 1 + math.ceil((count - 1) / (gamma + 1))


@every_verification
@given(gamma=st.integers(1, 4), count=st.integers(1, 20))
def test_all_rejected(verification, gamma, count):
    """A target that always says 0, which is an ordinary token, and a draft model that never does."""
    one, zero = Fraction(1), Fraction(0)
    target, draft = (Table(2, 0, {(): row}) for row in ((one, zero), (zero, one)))
    found = speculative_sample(target, draft, PROMPT, count, gamma=gamma, verification=verification)
    assert found.texts() == [(0,) * count] and found.target_passes == count and not any(found.kept)
    assert found.tokens_per_pass == 1


def test_no_more_positions_than_greedy_needs():
    target, draft = NETWORKS["learned"](4, 1, 11), NETWORKS["learned"](4, 2, 11)
    assert speculative_sample(target, draft, PROMPT, 10, gamma=4).lengths.tolist() == [10]
    with pytest.raises(UsageError, match="max_length is 11"):
        speculative_sample(target, target, PROMPT, 11, gamma=4)


def test_a_prompt_with_slots():
    task = PathStar(2, 3, 6)
    batch = task.sample(3)
    config = TransformerConfig(task.vocab_size, task.max_length, 16, 1, 2, slots=task.slots, null=task.null)
    target = Transformer(config).double()
    found = speculative_sample(target, target, batch, 3, gamma=2, temperature=0)
    assert found.texts() == greedy_texts(target, batch, 3)


@every_verification
def test_samples_follow_the_enumerated_law(verification):
    """4,000 texts at a fixed seed."""
    target, draft = Table.random(3, 1, largest=3, rng=5), Table.random(3, 1, rng=6)
    exact = law(lambda c: speculative_sample(target, draft, PROMPT, 3, gamma=2, rng=c).texts()[0])
    prompts, options = PROMPT.expand(4000, -1), {"gamma": 2, "verification": verification, "rng": 0}
    found = speculative_sample(TableModel(target), TableModel(draft), prompts, 3, **options)
    counts = Counter(found.texts())
    outcomes = sorted(exact)
    expected = [float(4000 * exact[outcome]) for outcome in outcomes]
    assert min(expected) > 5 and set(counts) <= set(outcomes)
    assert chisquare([counts[o] for o in outcomes], expected).pvalue > 1e-3
    assert found.drafted[0] == 4000 and 0 < found.kept[0] < 4000


@pytest.mark.parametrize(
    "options, message",
    [
        ({"gamma": 0}, "gamma is 0"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": 0.5}, "temperature is 0.5; it must be 0 or 1 for Table"),
        ({"verification": "both"}, "verification is 'both'"),
        ({"eos": 3}, "eos is 3; it must be a whole number >= 0 and <= 2"),
        ({"rng": -1}, "rng is -1"),
        ({"prompt": torch.zeros(2, 0, dtype=torch.int64)}, r"prompt is \(2, 0\)"),
        ({"prompt": [[0]]}, "prompt is list"),
        ({"draft": Table.random(2, 0)}, "draft has 2 tokens; it must have those of target, 3"),
        ({"draft": "small"}, "draft is 'small'"),
    ],
)
def test_doors(options, message):
    table = Table.random(3, 0)
    with pytest.raises(UsageError, match=message):
        speculative_sample(**{"target": table, "draft": table, "prompt": PROMPT, "max_new_tokens": 3} | options)


@pytest.mark.parametrize("which", ["target", "draft"])
def test_no_law_to_draw_from(which):
    models = {name: NETWORKS["learned"](3, 0) for name in ("target", "draft")}
    with torch.no_grad():
        models[which].head.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match="logits that are not finite"):
        speculative_sample(**models, prompt=PROMPT, max_new_tokens=4)


def test_cut():
    assert cut([1, 2, 0, 0], 0) == (1, 2, 0) and cut([1, 2], None) == (1, 2)
