"""The loop: it learns, it is repeatable, and every setting does what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import SolverError, UsageError
from ntp_theory.sequence.models import Transformer, TransformerConfig
from ntp_theory.sequence.tasks import Batch, PathStar
from ntp_theory.sequence.training import MaskedTeacherForcing, Settings, TeacherForcing, Teacherless, train
from ntp_theory.sequence.training.loop import _Run
from tests.sequence.training.tiny import SETTINGS, TASK, mamba, same, transformer, weights

QUICK = {"settings": SETTINGS, "evaluate_count": 20}


def run(**options):
    arguments = {"model": transformer(), "task": TASK, "objective": TeacherForcing(), "settings": SETTINGS}
    arguments |= {"optimizer": None, "examples": None, "rng": 0, "steps": 10} | options
    return _Run(**arguments)


def test_reversed_is_learned():
    """`pitfalls/reversed`: G(2,3) backwards, every token a look-up of one edge."""
    task = PathStar(2, 3, 5, "reversed")
    model = transformer(task, width=32, layers=3, heads=4)
    settings = Settings(batch_size=64, warmup=20, learning_rate=3e-3)
    found = train(model, task, TeacherForcing(), steps=400, settings=settings, evaluate_every=25, until=0.999)
    assert found.free >= 0.999 and found.steps < 400
    assert found.losses[-10:].mean() < 0.1 * found.losses[:10].mean()


@pytest.mark.parametrize("make", [transformer, mamba])
@pytest.mark.parametrize("objective", [TeacherForcing(), Teacherless(), MaskedTeacherForcing()])
def test_the_same_seed_gives_the_same_run(make, objective):
    """Bit for bit, whatever the global generators do; another seed gives another."""
    models, found = [make() for _ in range(3)], []
    for model, rng in zip(models, (3, 3, 4), strict=True):
        torch.manual_seed(len(found))
        before = torch.get_rng_state()
        found.append(train(model, TASK, objective, steps=6, rng=rng, evaluate_every=3, **QUICK))
        assert torch.equal(torch.get_rng_state(), before)
    assert same(*models[:2]) and not same(models[0], models[2])
    assert np.array_equal(found[0].losses, found[1].losses) and found[0].evaluations == found[1].evaluations
    assert [one.step for one in found[0].evaluations] == [3, 6] and found[0].losses.shape == (6, 3)
    assert (found[0].steps, found[0].examples, found[0].free) == (6, 96, found[0].evaluations[-1].free)


def test_evaluations_change_nothing():
    often, seldom = transformer(), transformer()
    train(often, TASK, TeacherForcing(), steps=6, evaluate_every=1, **QUICK)
    train(seldom, TASK, TeacherForcing(), steps=6, **QUICK)
    assert same(often, seldom) and often.training


def test_seeds_of_masks_are_not_those_of_a_version_of_python():
    """They are numbers that numpy promises to keep."""
    assert run(rng=0)._seed(1, 0) == int(np.random.default_rng([0, 2, 1, 0]).integers(2**63))
    assert len({run(rng=r)._seed(n, w) for r in range(3) for n in range(3) for w in range(3)}) == 27


@given(st.integers(0, 50), st.integers(1, 200), st.floats(1e-6, 1.0))
def test_learning_rates(warmup, more, top):
    """Linear to the top, then constant, or half a cosine down to a tenth; never up again."""
    steps = warmup + more
    for schedule in ("constant", "cosine"):
        settings = Settings(warmup=warmup, learning_rate=top, schedule=schedule)
        rates = [settings.rate(step, steps) for step in range(1, steps + 1)]
        assert rates[:warmup] == pytest.approx([top * k / warmup for k in range(1, warmup + 1)])
        assert all(a >= b for a, b in zip(rates[warmup:], rates[warmup + 1 :], strict=False))
        assert rates[-1] == pytest.approx(top if schedule == "constant" else top / 10)
    assert settings.rate(warmup + more, warmup + 2 * more) == pytest.approx(0.55 * top), "half-way down"


def test_the_rate_reaches_the_optimiser():
    """With a gradient of one sign AdamW's first step moves every weight by the rate, up to its epsilon."""
    one = run(settings=Settings(batch_size=16, warmup=4, learning_rate=1e-2, clip=1e9))
    before = weights(one.model)
    one.gradient(1)
    one.update(1)
    moved = (one.model.head.weight - before["head.weight"]).detach().abs()
    assert float(moved.max()) == pytest.approx(1e-2 / 4, rel=1e-3)


@pytest.mark.parametrize("make", [transformer, mamba])
def test_weight_decay_is_of_matrices_only(make):
    """With a learning rate r, decay w and no gradient a step multiplies by 1 - r w, or does nothing."""
    one = run(model=make(), settings=Settings(warmup=0, learning_rate=0.1, weight_decay=0.5))
    with torch.no_grad():
        for parameter in one.parameters:
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    one.update(1)
    decayed = {name for name, p in one.model.named_parameters() if torch.allclose(p, torch.tensor(0.95))}
    kept = {name for name, p in one.model.named_parameters() if torch.equal(p, torch.ones_like(p))}
    assert decayed | kept == {name for name, _ in one.model.named_parameters()}
    matrices = {name for name, p in one.model.named_parameters() if p.dim() > 1 and not name.endswith("log_decay")}
    assert decayed == matrices and kept


@given(st.floats(1e-4, 10))
def test_gradients_are_clipped(clip):
    free, clipped = (run(settings=Settings(batch_size=16, clip=c)) for c in (1e9, clip))
    for one in (free, clipped):
        one.gradient(1)
    norms = [math.sqrt(sum(float(p.grad.double().square().sum()) for p in one.parameters)) for one in (free, clipped)]
    assert norms[1] == pytest.approx(min(norms[0], clip), rel=1e-4)
    for a, b in zip(free.parameters, clipped.parameters, strict=True):
        assert torch.allclose(a.grad * norms[1], b.grad * norms[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_loss_that_is_not_finite(value, tmp_path):
    """The run ends with a named error and the weights from before."""
    model, path = transformer(), tmp_path / "run.npz"

    def spoil(evaluation):
        with torch.no_grad():
            model.head.weight[0, 0] = value

    with pytest.raises(SolverError, match="loss or its gradient is not finite at step 3") as caught:
        train(model, TASK, TeacherForcing(), steps=5, evaluate_every=2, callback=spoil, checkpoint=path, **QUICK)
    assert caught.value.status == "not finite"
    broken = [name for name, x in model.state_dict().items() if not bool(torch.isfinite(x).all())]
    assert broken == ["head.weight"], "the step was not made"


def test_bfloat16():
    """Weights stay in single precision; the first losses agree to the rounding of the products."""
    losses = []
    for precision in ("float32", "bfloat16"):
        model = transformer()
        settings = Settings(batch_size=16, precision=precision)
        losses.append(train(model, TASK, TeacherForcing(), steps=3, settings=settings, evaluate_count=5).losses[0])
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[0] == pytest.approx(losses[1], rel=0.02) and not np.array_equal(*losses)


def test_float64():
    model = transformer().double()
    found = train(model, TASK, TeacherForcing(), steps=3, **QUICK)
    assert {p.dtype for p in model.parameters()} == {torch.float64} and np.isfinite(found.losses).all()


def test_until_and_callback():
    seen = []
    found = train(
        transformer(), TASK, TeacherForcing(), steps=9, evaluate_every=2, callback=lambda e: seen.append(e), **QUICK
    )
    assert tuple(seen) == found.evaluations and [e.step for e in seen] == [2, 4, 6, 8, 9]
    found = train(
        transformer(), TASK, TeacherForcing(), steps=9, evaluate_every=2, callback=lambda e: e.step == 4, **QUICK
    )
    assert found.steps == 4 and found.evaluations[-1].step == 4
    low = min(e.free for e in seen) + 1e-9  # reached by the first evaluation or by a later one
    found = train(transformer(), TASK, TeacherForcing(), steps=9, evaluate_every=2, until=low, **QUICK)
    first = next((e.step for e in seen if e.free >= low), 9)
    assert found.steps == first


def test_a_fixed_training_set():
    """Each round goes through all of it but an incomplete batch, in an order of its own."""
    examples = TASK.sample(50, rng=7, split="train")
    one, again = run(examples=examples), run(examples=examples)
    rows = {tuple(row) for row in examples.prompts.flatten(1).tolist()}
    rounds = []
    for begin in (1, 4):
        drawn = [one._examples(number) for number in range(begin, begin + 3)]
        assert all(len(batch) == 16 for batch in drawn)
        tokens = torch.cat([batch.prompts for batch in drawn]).flatten(1).tolist()
        assert {tuple(row) for row in tokens} <= rows and len(tokens) == 48
        assert all(bool(TASK.is_correct(batch, batch.answers).all()) for batch in drawn)
        rounds.append(tokens)
    counts = [max(tokens.count(row) for row in tokens) for tokens in rounds]
    assert max(counts) <= max(examples.prompts.flatten(1).tolist().count(row) for row in rounds[0] + rounds[1])
    assert rounds[0] != rounds[1]
    assert torch.equal(one._examples(5).prompts, again._examples(5).prompts)


def test_fresh_examples_are_never_held_out():
    assert not any(bool(TASK.held_out(run()._examples(number)).any()) for number in range(1, 20))


def small_examples(count=16, **changes):
    batch = TASK.sample(count, split="train")
    return Batch(changes.get("prompts", batch.prompts), changes.get("answers", batch.answers), batch.null)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 0}, "steps is 0"),
        ({"rng": -1}, "rng is -1"),
        ({"evaluate_every": 0}, "evaluate_every is 0"),
        ({"evaluate_count": 0}, "evaluate_count is 0"),
        ({"until": 0.0}, "until is 0.0"),
        ({"until": 1.5}, "until is 1.5; it must be above 0 and at most 1"),
        ({"callback": 3}, "callback is 3"),
        ({"checkpoint": "x.npz", "checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"examples": small_examples(15)}, "examples has 15; it must have a batch of 16"),
        (
            {"examples": TASK.sample(200, split="test")},
            "examples has 200 questions that are held out .* the first at 0",
        ),
        (
            {"examples": small_examples(prompts=torch.zeros(16, 7, 2, dtype=torch.int64))},
            "examples has prompts of shape",
        ),
        ({"examples": small_examples(answers=torch.full((16, 3), 10))}, "examples has answers from 10 to 10"),
        (
            {"examples": PathStar(2, 3, 5, "reversed").sample(16, split="train")},
            "examples has 16 answers that are wrong for .*'forward'.* the first at 0",
        ),
        ({"examples": [1]}, "examples is of type list"),
        ({"objective": TeacherForcing}, "objective is <class .* it must be of type Objective"),
        ({"objective": "teacherless"}, "objective is 'teacherless'"),
        ({"model": torch.nn.Linear(2, 2)}, "model is Linear"),
        ({"task": "path-star"}, "task is 'path-star'"),
        ({"settings": {}}, "settings is {}"),
        ({"model": transformer().requires_grad_(False)}, "nothing to train"),
        ({"task": PathStar(2, 3, 6)}, "its vocab_size is 11, and the model's 10"),
    ],
)
def test_wrong_calls(options, message):
    with pytest.raises(UsageError, match=message):
        train(**{"model": transformer(), "task": TASK, "objective": TeacherForcing(), "steps": 1} | QUICK | options)


def test_too_few_slots():
    model = Transformer(TransformerConfig(TASK.vocab_size, TASK.max_length))
    with pytest.raises(UsageError, match="it has 3 tokens at a position, and the model takes 1"):
        train(model, TASK, TeacherForcing(), steps=1)


@pytest.mark.parametrize(
    "field, value",
    [
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("warmup", -1),
        ("schedule", "step"),
        ("betas", (0.9, 1.0)),
        ("betas", (0.9,)),
        ("betas", 0.9),
        ("weight_decay", -0.1),
        ("weight_decay", "much"),
        ("weight_decay", math.nan),
        ("clip", 0),
        ("precision", "float16"),
    ],
)
def test_what_is_no_setting(field, value):
    with pytest.raises(UsageError, match=f"{field}.* is "):
        Settings(**{field: value})
