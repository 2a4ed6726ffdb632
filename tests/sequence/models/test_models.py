"""What holds of every model: causality, caches, seeds, precision; and their parameter counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy
from ntp_theory.sequence.models import Mamba, MambaConfig, Transformer, TransformerConfig, model_for
from ntp_theory.sequence.models.transformer import rotate
from ntp_theory.sequence.tasks import PathStar

VOCAB, LENGTH = 11, 12
SMALL = {"width": 16, "layers": 2, "slots": 3, "null": VOCAB - 1}
MODELS = {
    "learned": lambda **o: Transformer(TransformerConfig(VOCAB, LENGTH, heads=2, **SMALL | o)),
    "rotary": lambda **o: Transformer(TransformerConfig(VOCAB, LENGTH, heads=2, positions="rotary", **SMALL | o)),
    "mamba": lambda **o: Mamba(MambaConfig(VOCAB, state=4, **SMALL | o)),
}
every_model = pytest.mark.parametrize("name", MODELS)


def sequences(count, length, seed):
    """Tokens with edges in the first half, ordinary ones after it."""
    tokens = torch.randint(VOCAB, (count, length, 3), generator=torch.Generator().manual_seed(seed))
    tokens[:, length // 2 :, 1:] = VOCAB - 1
    return tokens


@every_model
@given(length=st.integers(2, LENGTH), seed=st.integers(0, 1000), data=st.data())
def test_logits_do_not_depend_on_later_tokens(name, length, seed, data):
    """Exactly: the gradient is 0, and so is the change of the logits for the scan and the masked sums."""
    model, tokens = MODELS[name](), sequences(2, length, seed)
    t = data.draw(st.integers(1, length - 1))
    other = tokens.clone()
    other[:, t:] = sequences(2, length, seed + 1)[:, t:]
    with torch.no_grad():
        assert torch.equal(model(tokens)[:, :t], model(other)[:, :t])
    embedded = []
    model.embedding.register_forward_hook(lambda *call: embedded.append(call[2]) or call[2].retain_grad())
    model(tokens)[:, :t].square().sum().backward()
    gradient = embedded[0].grad
    assert bool((gradient[:, t:] == 0).all()) and bool((gradient[:, :t] != 0).any())


@every_model
@given(length=st.integers(1, LENGTH), seed=st.integers(0, 1000), data=st.data())
def test_a_cache_changes_nothing(name, length, seed, data):
    """In stretches of any lengths. Rounding of float64 through two layers of numbers near 1 is far below 1e-10."""
    model, tokens = MODELS[name]().double(), sequences(2, length, seed)
    cuts = sorted(data.draw(st.sets(st.integers(1, length - 1)))) if length > 1 else []
    cache = model.new_cache()
    with torch.no_grad():
        parts = [model(tokens[:, a:b], cache) for a, b in zip([0, *cuts], [*cuts, length], strict=True)]
        assert float((torch.cat(parts, dim=1) - model(tokens)).abs().max()) < 1e-10


@every_model
def test_greedy_decoding_is_the_argmax_of_the_whole_sequence(name):
    model, prompt = MODELS[name]().double(), sequences(4, 6, 0)
    said = greedy(model, prompt, 5)
    assert said.shape == (4, 5) and model.training, "and it is left in the mode in which it was"
    slots = said.new_full((4, 5, 3), VOCAB - 1)
    slots[:, :, 0] = said
    with torch.no_grad():
        assert torch.equal(model(torch.cat([prompt, slots], 1))[:, 5:-1].argmax(-1), said)


@every_model
def test_seeds(name):
    """The same weights for the same seed whatever was drawn before, others for another."""
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(MODELS[name]().state_dict())
    (first, second), other = states, MODELS[name](seed=1).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    drawn = [key for key in first if not torch.equal(first[key], other[key])]
    fixed = ("norm", "bias", "log_decay", "skip")  # in Mamba some biases are drawn too
    assert set(drawn) >= {key for key in first if not any(word in key for word in fixed)}


@every_model
def test_precision(name):
    """Double precision is double throughout; bfloat16 is off by its rounding of 2^-8 in some layers."""
    model, tokens = MODELS[name](), sequences(4, LENGTH, 0)
    with torch.no_grad():
        single, double = model(tokens), MODELS[name]().double()(tokens)
        assert double.dtype == torch.float64 and float((single - double).abs().max()) < 1e-5
        half = MODELS[name]().bfloat16()(tokens)
        assert half.dtype == torch.bfloat16 and float((half - double).norm() / double.norm()) < 0.05
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(tokens)
        assert float((mixed - double).norm() / double.norm()) < 0.05


def test_rotary_positions_in_half_precision():
    """Sines and cosines are off by their own rounding, half of 2^-8, at the last place as at the first."""
    x = torch.ones(1, 1, 1000, 8, dtype=torch.float64)
    places = torch.arange(1000)
    off = (rotate(x.bfloat16(), places).double() - rotate(x, places)).abs().amax((0, 1, 3))
    # two products of a rounded number, and their sum, rounded: at most 2 + 2 + 2 of them
    assert float(off.max()) < 6 * 2**-9


@pytest.mark.parametrize(
    "shape, layers, count", [((2, 5, 9), 5, 254_656), ((2, 5, 50), 5, 265_152), ((2, 4, 7), 4, 203_968)]
)
def test_parameter_counts(shape, layers, count):
    """`pitfalls/edge-packed`."""
    task = PathStar(*shape)
    config = TransformerConfig(task.vocab_size, task.max_length, layers=layers, slots=task.slots, null=task.null)
    assert sum(p.numel() for p in Transformer(config).parameters()) == count


@every_model
def test_an_empty_slot_says_nothing_and_is_not_trained(name):
    model, tokens = MODELS[name](), sequences(2, 6, 0)
    model(tokens).square().sum().backward()
    for table in model.embedding.tables:
        assert bool((table.weight[VOCAB - 1] == 0).all()) and bool((table.weight.grad[VOCAB - 1] == 0).all())


@every_model
@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 3, 4), (2,), (1, 2, 3, 3)])
def test_slots_door(name, shape):
    with pytest.raises(UsageError, match="tokens has shape"):
        MODELS[name]()(torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("name", ["learned", "rotary"])
def test_length_door(name):
    model = MODELS[name]()
    assert model(sequences(1, LENGTH, 0)).shape[1] == LENGTH
    with pytest.raises(UsageError, match="tokens reach position 13; max_length is 12"):
        model(sequences(1, LENGTH + 1, 0))
    with pytest.raises(UsageError, match="tokens reach position 13; max_length is 12"):
        greedy(model, sequences(1, 10, 0), 4)


@pytest.mark.parametrize(
    "config, message",
    [
        (lambda: TransformerConfig(5, 5, width=10, heads=4), "width is 10; it must be a multiple of heads = 4"),
        (lambda: TransformerConfig(5, 5, width=6, heads=2, positions="rotary"), "need it to be even"),
        (lambda: TransformerConfig(5, 5, positions="sine"), "positions is 'sine'"),
        (lambda: TransformerConfig(0, 5), "vocab_size is 0"),
        (lambda: TransformerConfig(5, 5, seed=-1), "seed is -1"),
        (lambda: TransformerConfig(5, 5, slots=3), "null is None; with slots = 3"),
        (lambda: MambaConfig(5, slots=3), "null is None; with slots = 3"),
        (lambda: TransformerConfig(5, 5, slots=3, null=5), "null is 5; it must be .* <= 4"),
        (lambda: MambaConfig(5, slots=3, null=-1), "null is -1"),
        (lambda: MambaConfig(5, null=1.0), "null is 1.0"),
        (lambda: TransformerConfig(5, 5, seed=2**70), "seed is"),
        (lambda: MambaConfig(5, seed=2**63), "seed is"),
        (lambda: model_for("a task"), "task is 'a task'"),
        (lambda: MambaConfig(5, state=0), "state is 0"),
        (lambda: MambaConfig(5, width=0.5), "width is 0.5"),
    ],
)
def test_what_is_no_config(config, message):
    with pytest.raises(UsageError, match=message):
        config()


def test_a_task_that_is_too_large():
    model = Transformer(TransformerConfig(9, 20))
    with pytest.raises(UsageError, match="it has 3 tokens at a position, and the model takes 1"):
        model.check_fits(PathStar(2, 2, 4))
    with pytest.raises(UsageError, match="its vocab_size is 10, and the model's 9"):
        model.check_fits(PathStar(2, 2, 6, encoding="paper"))
    model.check_fits(PathStar(2, 2, 5, encoding="paper"))


def test_greedy_doors():
    with pytest.raises(UsageError, match="max_new_tokens is 0"):
        greedy(MODELS["learned"](), sequences(1, 3, 0), 0)
    model = MODELS["learned"]()
    for prompt, message in (
        ([[1]], "prompt is list; it must be a Tensor"),
        (torch.zeros(2, 0, dtype=torch.int64), r"prompt is \(2, 0\), torch.int64; .* at least one token"),
        (torch.zeros(0, 2, dtype=torch.int64), r"prompt is \(0, 2\)"),
        (torch.zeros(2, 2), r"prompt is \(2, 2\), torch.float32"),
        (torch.tensor([[0, VOCAB]]), "prompt has tokens from 0 to 11; the model's are 0 to 10"),
        (torch.tensor([[-1, 0]]), "prompt has tokens from -1 to 0"),
    ):
        with pytest.raises(UsageError, match=message):
            greedy(model, prompt, 2)
