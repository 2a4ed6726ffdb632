"""Training with several heads: losses by their definition, gradients bit for bit, memory, and what is trained when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy, self_speculative
from ntp_theory.sequence.measures import evaluate, peak_bytes
from ntp_theory.sequence.models import (
    LinearHeads,
    MambaConfig,
    MedusaHeads,
    MedusaModel,
    Transformer,
    TransformerConfig,
    parameter_matched,
)
from ntp_theory.sequence.objectives import IGNORED, Example
from ntp_theory.sequence.tasks import PathStar, Text
from ntp_theory.sequence.training import (
    FirstTokenOnly,
    Medusa,
    MultiToken,
    Myopic,
    Regression,
    Settings,
    TeacherForcing,
    Teacherless,
    WholeSequence,
    loop,
    train,
)
from tests.sequence.heads import KINDS, TRUNKS, hugging_face, medusa
from tests.sequence.training.tiny import same, weights

V = 5
TASK = PathStar(2, 4, 7, encoding="paper")
SETTINGS = Settings(batch_size=8, warmup=2, learning_rate=1e-2)


def example_of(rows, length, judged, seed):
    """Tokens, with labels at the last ``judged`` positions."""
    tokens = torch.randint(V, (rows, length + 1), generator=torch.Generator().manual_seed(seed))
    labels = tokens[:, 1:].clone()
    labels[:, : length - judged] = IGNORED
    return Example(tokens[:, :-1], labels)


def gradients(model, way, objective, example):
    """The losses, and the gradients that the plain sum leaves or that training leaves."""
    model.zero_grad(set_to_none=True)
    if way == "sum":
        losses = objective.losses(model, example)
        losses.mean().backward()
    else:
        losses = objective.backward(model, example)
    return losses.detach(), {name: p.grad for name, p in model.named_parameters()}


def alike(one, other):
    (losses, found), (expected, wanted) = one, other
    bits = [
        (a is None and b is None) or torch.equal(a, b) for a, b in zip(found.values(), wanted.values(), strict=True)
    ]
    return torch.equal(losses, expected) and all(bits)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    n=st.integers(2, 4),
    length=st.integers(4, 9),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_the_sum_of_shifted_cross_entropies(kind, n, length, seed, data):
    """Written out with the logits of all heads; rounding of a few numbers near 2 is far below 1e-12."""
    judged = data.draw(st.integers(n, length))
    model, example = KINDS[kind](TRUNKS["learned"](V, seed), n), example_of(3, length, judged, seed)
    logits = model.future(example.tokens).detach().log_softmax(-1)
    expected = torch.zeros(3, judged, dtype=torch.float64)
    for place in range(judged):
        for head in range(n):
            at = length - judged + place
            if at + head < length:
                expected[:, place] -= logits[torch.arange(3), at, head, example.labels[:, at + head]]
    found = MultiToken(n).losses(model, example).detach()
    assert found.shape == (3, judged) and float((found - expected).abs().max()) < 1e-12
    by_head = MultiToken(n).head_losses(model, example)
    assert [tuple(loss.shape) for loss in by_head] == [(3, judged - head) for head in range(n)]
    plain = TeacherForcing().losses(model, example)
    assert float((by_head[0] - plain).detach().abs().max()) < 1e-12, "the first is that of next-token prediction"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(
    trunk=st.sampled_from(["learned", "rotary", "mamba"]),
    n=st.integers(2, 5),
    length=st.integers(5, 9),
    rows=st.integers(1, 3),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_gradients_are_those_of_the_sum(kind, dtype, trunk, n, length, rows, seed, data):
    """Bit for bit, losses included: every sum has its terms in the same order."""
    model = KINDS[kind](TRUNKS[trunk](V, seed), n, seed=seed).to(dtype)
    example = example_of(rows, length, data.draw(st.integers(n, length)), seed)
    objective = MultiToken(n)
    ways = [gradients(model, way, objective, example) for way in ("sum", "training")]
    assert alike(*ways) and all(g is not None for name, g in ways[0][1].items() if "norm" in name)


def test_gradients_of_hugging_face_models_too():
    """Where the unembedding is the embedding as well."""
    for kind in ("parallel", "causal", "linear", "medusa"):
        model = KINDS[kind](hugging_face(V, 0).eval(), 3)
        ways = [gradients(model, way, MultiToken(3), example_of(2, 6, 4, 0)) for way in ("sum", "training")]
        assert alike(*ways)


def test_another_order_is_another_rounding(monkeypatch):
    """In single precision, heads in the order of their numbers give other bits: the test above can tell."""
    model, example = KINDS["parallel"](TRUNKS["learned"](V, 0), 5).float(), example_of(3, 9, 9, 0)
    expected = gradients(model, "sum", MultiToken(5), example)
    order = type("Order", (list,), {"__reversed__": lambda self: iter(self)})([(k,) for k in range(5)])
    monkeypatch.setattr(type(model), "branches", order)
    found = gradients(model, "training", MultiToken(5), example)
    assert not alike(found, expected)
    assert all(torch.allclose(found[1][k], g, atol=1e-6) for k, g in expected[1].items())


@pytest.mark.parametrize("joint", [False, True])
@given(n=st.integers(2, 4), seed=st.integers(0, 99), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_medusa(joint, n, seed, dtype):
    """Its weights, the frozen trunk, and the same bits as the sum."""
    model, example = medusa(TRUNKS["learned"](V, seed), n).to(dtype), example_of(3, 8, 6, seed)
    objective = Medusa(joint=joint, decay=0.7, weight=0.3)
    ways = [gradients(model, way, objective, example) for way in ("sum", "training")]
    assert alike(*ways)
    by_head = MultiToken(n).head_losses(model, example)
    factors = [float(joint)] + [(0.3 if joint else 1.0) * 0.7**k for k in range(1, n)]
    expected = sum(w * F.pad(loss, (0, k)) for k, (w, loss) in enumerate(zip(factors, by_head, strict=True)))
    assert torch.allclose(ways[0][0], expected.detach(), atol=1e-5 if dtype == torch.float32 else 1e-12)
    assert all((g is not None) == (joint or name.startswith("heads.")) for name, g in ways[1][1].items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", ["trunk.", ("trunk.", "further.0.", "heads.blocks.0.", "heads.unembeddings.0.")])
def test_parameters_without_gradients(kind, frozen):
    """A trunk that the caller froze, and a head on it: the others get the same bits as by the sum."""
    model, example = KINDS[kind](TRUNKS["learned"](V, 0), 3), example_of(3, 8, 6, 0)
    for name, p in model.named_parameters():
        p.requires_grad_(not name.startswith(frozen))
    ways = [gradients(model, way, MultiToken(3), example) for way in ("sum", "training")]
    assert alike(*ways)
    assert all((g is None) == name.startswith(frozen) for name, g in ways[1][1].items())


def test_heads_on_a_frozen_trunk_do_not_touch_each_other():
    """The gradient of a head is the same bits whatever the others are."""
    objective = Medusa()

    def found(scale):
        model = medusa(TRUNKS["learned"](V, 0), 4)
        with torch.no_grad():
            model.heads.unembeddings[1].weight *= scale
        return gradients(model, "training", objective, example_of(3, 8, 6, 0))[1]

    one, other = found(1.0), found(5.0)
    moved = {name.split(".")[2] for name in one if one[name] is not None and not torch.equal(one[name], other[name])}
    assert moved == {"1"}


def peak(model, way, example):
    objective = MultiToken(model.num_heads)
    return peak_bytes(lambda: gradients(model, way, objective, example), held=list(model.parameters()))


@pytest.mark.parametrize("arrangement", ["parallel", "causal", "anticausal"])
def test_memory_does_not_grow_with_the_heads(arrangement):
    """Of matched models. 8 heads take at most 1.2 times the memory of one.

    In the plain sum the log-probabilities of 7 heads wait, but for what lies behind the end: 0 + .. + 7 positions, and
    7 in each of the two buffers of the head whose turn it is.
    """
    length, v = 64, 2048
    tokens = torch.randint(v, (1, length + 1), generator=torch.Generator().manual_seed(0))
    example, unit = Example(tokens[:, :-1], tokens[:, 1:]), length * v * 4
    config = TransformerConfig(v, length, 16, 9, 2)
    one, eight = (parameter_matched(config, n, arrangement=arrangement) for n in (1, 8))
    assert peak(eight, "training", example) <= 1.2 * peak(one, "training", example)
    more = peak(eight, "sum", example) - peak(one, "sum", example)
    assert (7 - (28 + 2 * 7) / length) * unit < more < 7 * unit


def test_it_trains_with_any_objective_of_cross_entropies():
    model = KINDS["parallel"](Transformer(TransformerConfig(TASK.vocab_size, TASK.max_length, 8, 1, 2)), 3)
    for inner in (Teacherless(), WholeSequence()):
        before = weights(model)
        result = train(model, TASK, MultiToken(3, inner), steps=2, settings=SETTINGS, evaluate_count=10)
        assert np.isfinite(result.losses).all() and result.objective == f"3-token {inner.name}"
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert {name.split(".")[1] for name in moved if name.startswith("layers.")} == {"0", "1", "2"}
    found = evaluate(model, TASK, count=10)
    assert found == evaluate(model, TASK, TeacherForcing(), count=10), "an ordinary model to everything else"


def test_bfloat16():
    """Losses and gradients near those of single precision: a relative error of 2^-8 a product, through a few."""

    def gradient(precision):
        model = KINDS["parallel"](Transformer(TransformerConfig(TASK.vocab_size, TASK.max_length, 8, 1, 2)), 3)
        run = loop._Run(model, TASK, MultiToken(3), replace(SETTINGS, precision=precision, clip=1e9), None, None, 0, 1)
        losses = run.gradient(1)
        return losses, torch.cat([p.grad.flatten() for p in model.parameters()])

    (losses, one), (expected, other) = gradient("bfloat16"), gradient("float32")
    assert np.abs(losses - expected).max() < 0.05 * expected.max() and not np.array_equal(losses, expected)
    assert float((one - other).norm()) < 0.05 * float(other.norm())


def medusa_model(v=TASK.vocab_size, seed=0):
    trunk = Transformer(TransformerConfig(v, TASK.max_length, 8, 1, 2, seed=seed))
    return MedusaModel(trunk, MedusaHeads(8, v, 2, head=trunk.head))


def test_medusa_1_leaves_the_model_as_it_is():
    model, settings_ = medusa_model(), replace(SETTINGS, weight_decay=0.1)
    before = weights(model)
    train(model, TASK, Medusa(), steps=3, settings=settings_, evaluate_count=10)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("trunk."), name


def test_medusa_2_begins_with_the_heads_alone(tmp_path):
    """As Medusa-1, at the rate of the heads; then the model too. A run that is interrupted in between goes on."""
    objective, seen = Medusa(joint=True, alone=3), []

    def look(evaluation):
        seen.append(weights(model))

    model = medusa_model()
    before, options = weights(model), {"settings": SETTINGS, "evaluate_every": 1, "evaluate_count": 10}
    train(model, TASK, objective, steps=5, callback=look, **options)
    moved = [any(not torch.equal(now[name], before[name]) for name in now if name.startswith("trunk.")) for now in seen]
    assert moved == [False, False, False, True, True]
    resumed = medusa_model()
    for steps in (2, 5):
        train(resumed, TASK, objective, steps=steps, checkpoint=tmp_path / "run.npz", **options)
    assert same(model, resumed)


def test_learning_rates():
    """Four times as high for the heads, in every step; one for all in Medusa-1."""
    for objective, factors in ((Medusa(joint=True), {1.0, 4.0}), (Medusa(), {1.0})):
        model = medusa_model()
        run = loop._Run(model, TASK, objective, SETTINGS, None, None, 0, 9)
        run.gradient(5)
        run.update(5)
        of = {id(p): g["lr"] for g in run.optimiser.param_groups for p in g["params"]}
        rates = {name: of[id(p)] / SETTINGS.rate(5, 9) for name, p in model.named_parameters()}
        assert set(rates.values()) == factors and len(of) == len(rates)
        assert all(rate == max(factors) for name, rate in rates.items() if name.startswith("heads."))
        assert all(rate == 1.0 for name, rate in rates.items() if name.startswith("trunk."))


TEXT = "the cat sat on the mat, the dog sat on the log, the hen ate all of it; "


@pytest.mark.parametrize(
    "config", [TransformerConfig(1, 32, 32, 3, 2), MambaConfig(1, 32, 3, state=4)], ids=["transformer", "mamba"]
)
def test_a_trained_model_speaks_several_tokens_a_pass(config):
    """And says what greedy decoding says, in double precision."""
    task = Text(TEXT * 20, length=24, stretches=10)
    model = parameter_matched(replace(config, vocab_size=task.vocab_size), 2)
    result = train(model, task, MultiToken(2), steps=60, settings=replace(SETTINGS, batch_size=16), evaluate_count=50)
    assert result.losses[-1].mean() < result.losses[0].mean() / 2
    model, prompts = model.double(), task.sample(4, split="test").with_tokens(torch.zeros(4, 0, dtype=torch.int64))
    found = self_speculative(model, prompts, 24)
    assert torch.equal(found.tokens, greedy(model, prompts, 24)) and found.tokens_per_pass > 1.2


def test_what_is_refused():
    model, example = KINDS["linear"](TRUNKS["learned"](V, 0), 3), example_of(2, 6, 2, 0)
    with pytest.raises(UsageError, match="model has 3 heads; no label is 2 positions behind another"):
        MultiToken(3).losses(model, example)
    with pytest.raises(UsageError, match="no label is 1 positions behind another"):
        batch = TASK.sample(2)
        made = MultiToken(2, FirstTokenOnly()).example(batch, TASK, torch.Generator())
        trunk = Transformer(TransformerConfig(TASK.vocab_size, TASK.max_length, 8, 1, 2))
        MultiToken(2, FirstTokenOnly()).backward(LinearHeads(trunk, 2), made)
    for other, count in ((model, 3), (model.trunk, 1)):
        with pytest.raises(UsageError, match=f"model has {count} heads, .* the objective is for 2"):
            MultiToken(2).losses(other, example)
    with pytest.raises(UsageError, match="model is LinearHeads; it must be a MedusaModel"):
        Medusa().losses(model, example)
    with pytest.raises(UsageError, match="num_heads is 0"):
        MultiToken(0)
    for inner in (Myopic(), Regression(), MultiToken(2), "teacher"):
        with pytest.raises(UsageError, match="it must be one of cross-entropies"):
            MultiToken(2, inner)
    with pytest.raises(UsageError, match="has no cut of gradients"):
        Myopic(MultiToken(3)).losses(model, example_of(2, 6, 4, 0))
    for options in ({"joint": 1}, {"decay": 0.0}, {"weight": -1.0}, {"head_rate": 0.0}, {"alone": -1}):
        with pytest.raises(UsageError, match=f"{next(iter(options))} is"):
            Medusa(**options)
