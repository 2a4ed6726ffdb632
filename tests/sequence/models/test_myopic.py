"""Cuts: values bit for bit, gradients against automatic differentiation of the printed formulas, and what leaks."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy
from ntp_theory.sequence.models import Cut, LanguageModel, Transformer, selective_scan
from ntp_theory.sequence.models.myopic import attention
from ntp_theory.sequence.models.myopic.attention import cut_attention, joined_attention, lone_attention
from tests.sequence.models.cuts import (
    LENGTH,
    MODELS,
    VOCAB,
    apart,
    as_printed,
    gradients,
    loss_of,
    model_of,
    tokens_of,
)

every_model = pytest.mark.parametrize("name", MODELS)
both_cuts = pytest.mark.parametrize("at", ["hidden_states", "keys_values"])
TRANSFORMERS = ["learned", "rotary"]
# A gradient is a sum of some thousand products of numbers near 1; float64 rounds each by 1e-16.
ROUNDING = 1e-12
cuts = st.builds(
    Cut,
    st.sampled_from(["hidden_states", "keys_values"]),
    beta=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    window=st.sampled_from([0, 0, 1, 2, LENGTH]),
)


def crossing(model, cut, length=LENGTH):
    """The largest gradient of a loss at one position in what another position brings into any layer."""
    states = []
    layers = model.blocks if isinstance(model, Transformer) else model.norms
    hooks = [x.register_forward_pre_hook(lambda _, a: states.append(a[0]) or a[0].retain_grad()) for x in layers]
    with model.cut(cut):
        logits = model(tokens_of(length))
    for hook in hooks:
        hook.remove()
    assert len(states) == len(layers)
    found = torch.zeros(length, length)
    for t in range(length):
        for state in states:
            state.grad = None
        loss_of(logits, t).backward(retain_graph=True)
        for state in states:
            found[t] = torch.maximum(found[t], state.grad.abs().amax((0, 2)))
    return found


@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(cut=cuts, length=st.integers(1, LENGTH), seed=st.integers(0, 100))
def test_values_are_those_of_the_plain_model(name, dtype, cut, length, seed):
    """Bit for bit, with and without gradients, and plain afterwards."""
    model, tokens = model_of(name, seed, dtype), tokens_of(length, seed)
    plain = model(tokens)
    with model.asked():
        decoded = model(tokens, model.new_cache())
    with model.cut(cut):
        assert torch.equal(model(tokens), plain)
        with torch.no_grad():
            assert torch.equal(model(tokens), plain)
        with model.asked():
            assert torch.equal(model(tokens, model.new_cache()), decoded)
    assert not any("forward" in module.__dict__ or "features" in module.__dict__ for module in model.modules())


@every_model
@both_cuts
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_gradient_crosses_positions(name, at, dtype):
    """It is 0 in every bit at the input of every layer; the own position's is not."""
    found = crossing(model_of(name, 0, dtype), Cut(at))
    assert torch.equal(found, found.diag().diag()) and bool((found.diag() > 0).all())


@every_model
@both_cuts
def test_a_window_reaches_so_many_positions_back_in_every_layer(name, at):
    """A layer of Mamba reads other positions twice, in its convolution and in its state."""
    found = crossing(model_of(name, layers=2), Cut(at, window=1))
    lag = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    assert torch.equal(found > 0, (lag >= 0) & (lag <= (4 if name == "mamba" else 2)))


@every_model
@given(cut=cuts, length=st.integers(1, 6), seed=st.integers(0, 100))
@settings(max_examples=15)
def test_gradients_are_those_of_the_printed_formula(name, cut, length, seed):
    """Detached copies and automatic differentiation, without any code of the cuts."""
    model, tokens = model_of(name, seed), tokens_of(length, seed)
    found = gradients(model, tokens, cut)
    model.zero_grad()
    with as_printed(model, cut):
        loss_of(model(tokens)).backward()
    assert apart(found, {key: p.grad for key, p in model.named_parameters()}) < ROUNDING


@every_model
@both_cuts
@pytest.mark.parametrize("options", [{"beta": 1.0}, {"window": LENGTH - 1}, {"beta": 0.5, "window": 50}])
def test_what_cuts_nothing_is_plain(name, at, options):
    model, tokens = model_of(name), tokens_of()
    assert apart(gradients(model, tokens, Cut(at, **options)), gradients(model, tokens)) < ROUNDING
    assert apart(gradients(model, tokens, Cut(at)), gradients(model, tokens)) > 0.01


@every_model
def test_two_definitions(name):
    """In one layer: what reads keeps its whole gradient in the first, what is read has that of the second."""
    model, tokens = model_of(name, layers=1), tokens_of()
    plain, first, second = (gradients(model, tokens, c) for c in (None, Cut(), Cut("keys_values")))
    reader = {key for key in plain if key.startswith(("blocks.0.attention.", "mixers.0."))}
    inputs = {key for key in plain if key.startswith(("embedding", "positions", "blocks.0.attention_norm", "norms.0"))}
    assert reader and inputs
    for keys, like in ((reader, plain), (inputs, second)):
        assert apart({key: first[key] for key in keys}, {key: like[key] for key in keys}) < ROUNDING
    differing = {key for key in reader if apart({"": plain[key]}, {"": second[key]}) > 0.01}
    keys_and_values = {"blocks.0.attention.query_key_value.weight"} if name != "mamba" else {"mixers.0.input.weight"}
    assert differing >= keys_and_values
    if name != "mamba":  # the bias of a key moves all scores of a query alike
        queries = slice(0, 8)
        weight = "blocks.0.attention.query_key_value.weight"
        assert apart({"": plain[weight][queries]}, {"": second[weight][queries]}) < ROUNDING


@both_cuts
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_finite_differences(name, at):
    """Of the loss of a reader whose past is a frozen copy, along random directions; central, so to second order.

    With steps of 1e-5 the remainder is some 1e-10 of third derivatives, and rounding 1e-16 / 1e-5.
    """
    model, tokens, step = model_of(name), tokens_of(), 1e-5
    frozen = copy.deepcopy(model)
    found, plain = gradients(model, tokens, Cut(at)), gradients(model, tokens)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        along = {key: torch.randn(p.shape, generator=generator).double() for key, p in model.named_parameters()}
        for table in [key for key in along if key.startswith("embedding")]:
            along[table][VOCAB - 1] = 0  # the empty token's is 0 and stays so
        losses = []
        for sign in (1, -1):
            moved = copy.deepcopy(model)
            with torch.no_grad():
                for key, p in moved.named_parameters():
                    p += sign * step * along[key]
                with moved.cut(Cut(at, past=frozen)):
                    losses.append(float(loss_of(moved(tokens))))
        slope = (losses[0] - losses[1]) / (2 * step)
        myopic, whole = (sum(float((g[key] * along[key]).sum()) for key in along) for g in (found, plain))
        assert abs(slope - myopic) < 1e-6 * max(1, abs(myopic)) and abs(slope - whole) > 0.01 * abs(whole)


def whole_of_keys(ctx, gradient):
    """What a cut should not let through."""
    return torch.autograd.grad(ctx.y, ctx.inputs, gradient, retain_graph=True)[1]


@every_model
@both_cuts
def test_a_leak_in_one_layer_is_caught(name, at, monkeypatch):
    """Keys of the second layer alone, or its state, pass on their whole gradient."""
    owner, what = (selective_scan._InOrder, "backward") if name == "mamba" else (attention, "_near")
    right, calls = getattr(owner, what), []
    # with hidden states cut, a layer of Mamba goes back for its input and then for its weights
    a_pass = 4 if (name, at) == ("mamba", "hidden_states") else 2

    def leaking(*inputs):
        calls.append(1)
        if len(calls) % a_pass != 1:  # the way back comes to the second layer first
            return right(*inputs)
        if name == "mamba":
            inputs[0].reach.beta = 1.0
            return right(*inputs)
        return [whole_of_keys(*inputs), right(*inputs)[1]]

    monkeypatch.setattr(owner, what, staticmethod(leaking))
    model = model_of(name)
    found = crossing(model, Cut(at))
    assert calls and bool((found.tril(-1) > 0).any()) and bool((found.triu(1) == 0).all())


@pytest.mark.parametrize("kind", [None, "bool", "float"])
@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
@given(beta=st.sampled_from([0.0, 0.4]), window=st.integers(0, LENGTH), seed=st.integers(0, 100))
@settings(max_examples=10)
def test_masks_scales_and_kernels(kind, backend, beta, window, seed):
    """With a kernel that keeps the sum of exponentials and with one that does not, against the printed formula."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v, weights = torch.randn(4, 2, 2, LENGTH, 4, generator=generator, dtype=torch.float64)
    k_twin, v_twin = k.clone(), v.clone()
    seen = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    if kind is not None:
        seen = seen & ((torch.rand(2, 1, LENGTH, LENGTH, generator=generator) < 0.7) | torch.eye(LENGTH).bool())
    minus = torch.zeros(seen.shape, dtype=torch.float64).masked_fill(~seen, -torch.inf)
    mask = {"bool": seen, "float": minus}.get(kind)
    inputs = [x.requires_grad_() for x in (q, k, v, k_twin, v_twin)]
    with sdpa_kernel(backend):
        y = cut_attention(q, k, v, Cut(beta=beta, window=window), twins=(k_twin, v_twin), mask=mask, scale=0.7)
        plain = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, scale=0.7
        )
        assert torch.equal(y, plain)
        found = torch.autograd.grad((y * weights).sum(), inputs)
    lag = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    m = torch.where(lag <= window, 1.0, torch.tensor(beta, dtype=torch.float64))
    read = (0.7 * (m * (q @ k.mT) + (1 - m) * (q @ k_twin.mT)) + minus).softmax(-1)
    expected = torch.autograd.grad((((read * m) @ v + (read * (1 - m)) @ v_twin) * weights).sum(), inputs)
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).abs().max()) < ROUNDING


@every_model
@both_cuts
def test_mixed_precision(name, at):
    """The values of the plain model in bfloat16, and gradients off by its rounding of 2^-8 in some layers."""
    model, tokens = model_of(name, dtype=torch.float32), tokens_of()
    exact = gradients(model, tokens, Cut(at))
    with torch.autocast("cpu", torch.bfloat16):
        plain = model(tokens)
        with model.cut(Cut(at)):
            cut = model(tokens)
    assert torch.equal(plain, cut)
    model.zero_grad()
    loss_of(cut.float()).backward()
    assert apart({key: p.grad for key, p in model.named_parameters()}, exact) < 0.1


@pytest.mark.parametrize("name", TRANSFORMERS)
class TestBigram:
    def test_logits_are_of_the_own_token_and_position_alone(self, name):
        model, tokens = model_of(name), tokens_of()
        with torch.no_grad(), model.cut(Cut("zero")):
            logits = model(tokens)
            for t in range(LENGTH):
                other = tokens_of(seed=1)
                other[:, t] = tokens[:, t]
                assert torch.equal(model(other)[:, t], logits[:, t])
            assert not torch.equal(logits, model(tokens.flip(1)).flip(1)), "the position counts"

    def test_zeros_are_read_and_not_masked(self, name):
        """A softmax over a score of 0 at each of t positions, and the own score."""
        q, k, v = torch.randn(3, 2, 2, LENGTH, 4, generator=torch.Generator().manual_seed(0)).double()
        zeros = torch.zeros_like(k)
        found = lone_attention(q, k, v, torch.arange(LENGTH))
        assert float((found - joined_attention(q, k, v, zeros, zeros)).abs().max()) < 1e-14
        assert torch.equal(found[:, :, 0], v[:, :, 0]) and bool((found[:, :, 1:].abs() < v[:, :, 1:].abs()).all())

    def test_it_decodes_what_it_says(self, name):
        model, prompt = model_of(name, slots=1, null=None), tokens_of(3)[:, :, 0]
        with model.cut(Cut("zero")):
            said = greedy(model, prompt, 4)
            with torch.no_grad():
                assert torch.equal(model(torch.cat([prompt, said], 1))[:, 2:-1].argmax(-1), said)


@pytest.mark.parametrize("name", TRANSFORMERS)
@both_cuts
class TestPast:
    def test_of_an_equal_model_nothing_changes(self, name, at):
        """And the gradient is the myopic one: `planning/local-bonus` starts at the model's own loss."""
        model, tokens = model_of(name), tokens_of()
        past = copy.deepcopy(model)
        with torch.no_grad(), model.cut(Cut(at, past=past)):
            assert float((model(tokens) - past(tokens)).abs().max()) < ROUNDING
        found = gradients(model, tokens, Cut(at, past=past))
        assert apart(found, gradients(model, tokens, Cut(at))) < ROUNDING
        assert all(p.grad is None for p in past.parameters())

    def test_another_past_counts(self, name, at):
        """From the second position on; the first reads itself alone."""
        model, other, tokens = model_of(name), model_of(name, seed=1), tokens_of()
        with torch.no_grad(), model.cut(Cut(at, past=other)):
            found = model(tokens)
        with torch.no_grad():
            change = (found - model(tokens)).abs().amax((0, 2))
        assert float(change[0]) < ROUNDING and bool((change[1:] > 1e-3).all())

    def test_it_decodes_what_it_says(self, name, at):
        model, other = (model_of(name, seed, slots=1, null=None) for seed in (0, 1))
        prompt = tokens_of(3)[:, :, 0]
        with model.cut(Cut(at, past=other)):
            said = greedy(model, prompt, 4)
            with torch.no_grad():
                assert torch.equal(model(torch.cat([prompt, said], 1))[:, 2:-1].argmax(-1), said)
        assert "features" not in model.__dict__ and "new_cache" not in model.__dict__


def test_cuts_within_cuts_and_errors_within_them():
    model, tokens = model_of("learned"), tokens_of()
    outer = gradients(model, tokens, Cut("keys_values"))
    with model.cut(Cut("keys_values")):
        with pytest.raises(ZeroDivisionError), model.cut(Cut()):
            _ = 1 / 0
        model.zero_grad()
        loss_of(model(tokens)).backward()
    assert apart(outer, {key: p.grad for key, p in model.named_parameters()}) == 0
    assert apart(gradients(model, tokens), outer) > 0.01


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
def test_compiled():
    """Keys and values must not be taken for one with their twins, which would make one cut of the other."""
    model, tokens = model_of("learned", layers=1), tokens_of()
    expected = gradients(model, tokens, Cut())
    model.zero_grad()
    model.blocks[0].attention.compile(backend="aot_eager")
    with model.cut(Cut()):
        logits = model(tokens)
    loss_of(logits).backward()
    assert apart(expected, {key: p.grad for key, p in model.named_parameters()}) < ROUNDING


@every_model
def test_a_copy_would_stay_cut_for_ever(name):
    """So there is none before the cut ends; weights alone can be had."""
    model = model_of(name)
    with model.cut(Cut()):
        assert list(model.state_dict()) == list(model_of(name).state_dict())
        for make in (copy.deepcopy, pickle.dumps):
            with pytest.raises(UsageError, match="must not be copied or pickled before the cut ends"):
                make(model)
    tokens = tokens_of()
    assert apart(gradients(copy.deepcopy(model), tokens), gradients(model, tokens)) == 0


def test_a_checkpoint_within_a_cut_that_lasts():
    """What is computed again on the way back is cut if the cut is still there."""
    model, tokens = model_of("learned"), tokens_of()
    expected = gradients(model, tokens, Cut())
    for block in model.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    model.zero_grad()
    with model.cut(Cut()):
        loss_of(model(tokens)).backward()
    assert apart(expected, {key: p.grad for key, p in model.named_parameters()}) < ROUNDING


class NoCut(LanguageModel):
    features = new_cache = None


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Cut("everything"), "cut is 'everything'; it must be one of"),
        (lambda: Cut(beta=1.5), "beta is 1.5"),
        (lambda: Cut(window=-1), "window is -1"),
        (lambda: Cut("zero", beta=0.5), "no beta, window or past goes with it"),
        (lambda: Cut("zero", past=model_of("learned")), "no beta, window or past goes with it"),
        (lambda: Cut(window=2, past=model_of("learned")), "no beta or window goes with it"),
        (lambda: Cut(past="gpt2"), "past is str; it must be a LanguageModel"),
        (lambda: NoCut().cut(Cut()), "model is NoCut; it has no cut"),
    ],
)
def test_what_is_no_cut(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_cuts_that_a_model_has_not():
    model, mamba = model_of("learned"), model_of("mamba")
    sharing = copy.deepcopy(model)
    sharing.blocks = model.blocks
    for reader, cut, message in [
        (mamba, Cut("zero"), "cut is 'zero'; model is Mamba"),
        (mamba, Cut(past=model_of("mamba")), "past is given; model is Mamba"),
        (model, Cut(past=model), "past is the model itself"),
        (model, Cut(past=copy.copy(model)), "past shares weights with the model"),
        (model, Cut(past=sharing), "past shares weights with the model"),
        (model, Cut(past=model_of("learned", dtype=torch.float32)), "past is on .*float32.* of its type, .*float64"),
        (model, Cut(past=mamba), "it must have the sizes of"),
        (model, Cut(past=model_of("rotary")), "it must have the sizes of"),
    ]:
        with pytest.raises(UsageError, match=message), reader.cut(cut):
            pass


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@both_cuts
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_gpu(at, dtype):
    """Its kernels keep sums of exponentials in layouts of their own; against double precision on the CPU."""
    model, tokens = model_of("learned", dtype=dtype, width=32).cuda(), tokens_of().cuda()
    with model.cut(Cut(at)):
        assert torch.equal(model(tokens), model_of("learned", dtype=dtype, width=32).cuda()(tokens))
    found = gradients(model, tokens, Cut(at))
    exact = gradients(model_of("learned", width=32), tokens_of(), Cut(at))
    tolerance = 0.2 if dtype == torch.bfloat16 else 1e-4  # a few dozen roundings of 2^-8, of 6e-8
    assert apart({key: value.double().cpu() for key, value in found.items()}, exact) < tolerance
