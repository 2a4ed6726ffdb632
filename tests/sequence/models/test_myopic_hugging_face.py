"""Cuts in models from Hugging Face: values, gradients against copies of the weights, and models that have none."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import gradient_split
from ntp_theory.sequence.models import Cut, HuggingFace
from ntp_theory.sequence.models.myopic import attention
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import Myopic, Settings, TeacherForcing, train
from tests.sequence.models.cuts import apart, loss_of

transformers = pytest.importorskip("transformers")
TASK = PathStar(2, 2, 4, encoding="paper")
ENDS = {"bos_token_id": 0, "eos_token_id": 0}
SIZES = ENDS | {
    "vocab_size": TASK.vocab_size,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": TASK.max_length,
}
CONFIGS = {
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=TASK.vocab_size, n_positions=TASK.max_length, n_embd=16, n_layer=2, n_head=2, attn_pdrop=0.0, **ENDS
    ),
    "gpt-neox": lambda: transformers.GPTNeoXConfig(**SIZES),
    "llama": lambda: transformers.LlamaConfig(num_key_value_heads=2, **SIZES),  # heads share keys and values
}
# In float64 rounding of some thousand sums; Llama's norms are in single precision in any case, which rounds by 6e-8.
ROUNDING = {"gpt2": 1e-12, "gpt-neox": 1e-12, "llama": 1e-5}
every_model = pytest.mark.parametrize("name", CONFIGS)
both_cuts = pytest.mark.parametrize("at", ["hidden_states", "keys_values"])


def model_of(name, seed=0):
    """In double precision, with the fused kernel, no dropout, and weights that make every term count."""
    model, generator = HuggingFace(CONFIGS[name]()).double().eval(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=generator)
    return model


def tokens_of(length=6):
    return torch.randint(TASK.vocab_size, (2, length), generator=torch.Generator().manual_seed(0))


def gradients(model, tokens, cut=None):
    model.zero_grad()
    if cut is None:
        loss_of(model(tokens)).backward()
    else:
        with model.cut(cut):
            loss_of(model(tokens)).backward()
    return {key: p.grad.clone() for key, p in model.named_parameters()}


def crossing(model, cut, length=6):
    """The largest gradient of a loss at one position in the embedding of another."""
    embedded = []
    hook = model.model.get_input_embeddings().register_forward_hook(
        lambda _, inputs, output: embedded.append(output) or output.retain_grad()
    )
    with model.cut(cut):
        embedded.clear()  # of the first time, when the model is looked at
        logits = model(tokens_of(length))
    hook.remove()
    found = torch.zeros(length, length)
    for t in range(length):
        embedded[0].grad = None
        loss_of(logits, t).backward(retain_graph=True)
        found[t] = embedded[0].grad.abs().amax((0, 2))
    return found


@every_model
@both_cuts
def test_values_and_positions(name, at):
    """The same kernel, so the same bits; no gradient at another position; afterwards the model is as it was."""
    model = model_of(name)
    before = model.config._attn_implementation
    plain = model(tokens_of())
    with model.cut(Cut(at)):
        assert torch.equal(model(tokens_of()), plain)
        with model.asked():
            assert torch.equal(model(tokens_of(), model.new_cache()), plain)
    found = crossing(model, Cut(at))
    assert torch.equal(found, found.diag().diag()) and bool((found.diag() > 0).all())
    assert model.config._attn_implementation == before == "sdpa"
    assert not any("forward" in module.__dict__ for module in model.modules())


@every_model
def test_gradients(name):
    """The second cut against copies of the weights; the first keeps the whole gradient of the layer that reads."""
    model, tokens = model_of(name), tokens_of()
    batch = TASK.sample(3)
    split = gradient_split(model, TASK, TeacherForcing(), batch)
    model.zero_grad()
    objective = Myopic(cut="keys_values")
    objective.losses(model, objective.example(batch, TASK, torch.Generator())).mean().backward()
    assert apart(split.diagonal, {key: p.grad for key, p in model.named_parameters()}) < ROUNDING[name]
    plain, first, second = (gradients(model, tokens, cut) for cut in (None, Cut(), Cut("keys_values")))
    words = ("1.attn.c_attn.weight", "1.attention.query_key_value.weight", "1.self_attn.k_proj.weight")
    (weight,) = [key for key in plain if key.endswith(words)]  # of the last layer, which nothing reads
    assert apart({"": first[weight]}, {"": plain[weight]}) < ROUNDING[name]
    assert apart({"": second[weight]}, {"": plain[weight]}) > 0.01
    for at in ("hidden_states", "keys_values"):
        for options in ({"beta": 1.0}, {"window": 6}):
            assert apart(gradients(model, tokens, Cut(at, **options)), plain) < ROUNDING[name]
        assert apart(gradients(model, tokens, Cut(at, beta=0.5)), plain) > 0.01


def test_eager_attention():
    """Another order of sums than that of the kernel; GPT-2 computes it in the precision that it is given."""
    model, tokens = model_of("gpt2"), tokens_of()
    fused = [gradients(model, tokens, Cut(at)) for at in ("hidden_states", "keys_values")]
    model.model.set_attn_implementation("eager")
    plain = model(tokens).detach()
    for at, expected in zip(("hidden_states", "keys_values"), fused, strict=True):
        with model.cut(Cut(at)):
            assert float((model(tokens).detach() - plain).abs().max()) < 1e-12
        assert apart(gradients(model, tokens, Cut(at)), expected) < 1e-12
    assert model.config._attn_implementation == "eager"


@both_cuts
def test_a_sliding_window(at):
    """The mask of the model is that of the cut: values bit for bit, and without a cut the plain gradient."""
    sizes = {"num_key_value_heads": 2, "sliding_window": 3}
    model, tokens = HuggingFace(transformers.MistralConfig(**sizes, **SIZES)).double().eval(), tokens_of()
    plain = model(tokens)
    with model.cut(Cut(at)):
        assert torch.equal(model(tokens), plain)
    assert apart(gradients(model, tokens, Cut(at, beta=1.0)), gradients(model, tokens)) < ROUNDING["llama"]
    found = crossing(model, Cut(at))
    assert torch.equal(found, found.diag().diag())


@every_model
@both_cuts
@pytest.mark.parametrize("options", [{}, {"beta": 0.5, "window": 1}])
def test_mixed_precision(name, at, options):
    """Rotary positions leave queries and keys in single precision where values are not."""
    model, tokens = model_of(name).float(), tokens_of()
    exact = gradients(model, tokens, Cut(at, **options))
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        plain = model(tokens)
        with model.cut(Cut(at, **options)):
            logits = model(tokens)
    assert torch.equal(logits, plain)
    loss_of(logits.float()).backward()
    assert apart({key: p.grad for key, p in model.named_parameters()}, exact) < 0.1  # some layers of rounding 2^-8


def test_threads():
    """Each has its model and its cut."""
    models, tokens = [model_of("gpt2", seed) for seed in range(2)], tokens_of()
    cuts = [Cut(), Cut("keys_values")]
    expected = [gradients(*one) for one in zip(models, [tokens] * 2, cuts, strict=True)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            found = list(pool.map(lambda i: gradients(models[i], tokens, cuts[i]), [0, 1]))
            assert [apart(one, other) for one, other in zip(found, expected, strict=True)] == [0, 0]


@pytest.mark.filterwarnings("ignore")
def test_what_is_computed_again_would_not_be_cut():
    model, tokens = model_of("gpt2"), tokens_of()
    model.model.gradient_checkpointing_enable()
    with model.cut(Cut()):
        model(tokens)  # transformers does it in training alone
        model.train()
        with pytest.raises(UsageError, match="computes its activations again on the way back"):
            model(tokens)
        with torch.no_grad():
            model(tokens)


@every_model
def test_a_bigram(name):
    """Logits of the own token and position alone, also while it decodes."""
    model, tokens = model_of(name), tokens_of()
    with torch.no_grad(), model.cut(Cut("zero")):
        logits = model(tokens)
        other = tokens.flip(0)
        other[:, 3] = tokens[:, 3]
        assert torch.equal(model(other)[:, 3], logits[:, 3])
        cache = model.new_cache()
        parts = [model(tokens[:, i : i + 2], cache) for i in (0, 2, 4)]
        assert float((torch.cat(parts, 1) - logits).abs().max()) < ROUNDING[name]
        assert float((logits - model_of(name)(tokens)).abs().max()) > 0.01


@both_cuts
def test_a_leak_is_caught(at, monkeypatch):
    right = attention._near

    def leaking(ctx, gradient):
        return [torch.autograd.grad(ctx.y, ctx.inputs, gradient, retain_graph=True)[1], right(ctx, gradient)[1]]

    monkeypatch.setattr(attention, "_near", leaking)
    assert bool((crossing(model_of("gpt2"), Cut(at)).tril(-1) > 0).any())


def test_training_is_the_same_each_time():
    """Dropout of the residual stream and all: the first look at a model draws no random numbers."""
    settings = Settings(batch_size=8, warmup=5)
    models = [HuggingFace(CONFIGS["gpt2"]()) for _ in range(2)]
    with models[1].cut(Cut()):
        pass
    runs = [train(m, TASK, Myopic(), steps=3, settings=settings, evaluate_count=20) for m in models]
    assert (runs[0].losses == runs[1].losses).all()
    assert torch.equal(models[0].head.weight, models[1].head.weight)


@pytest.mark.filterwarnings("ignore")
def test_models_that_have_no_cut():
    """Attention of their own kind, or other ways from position to position."""
    sizes = {"vocab_size": 8, "n_positions": 11, "n_embd": 16, "n_layer": 2, "n_head": 2, "rotary_dim": 4}
    own = HuggingFace(transformers.GPTJConfig(**sizes, **ENDS))
    state_space = HuggingFace(
        transformers.MambaConfig(vocab_size=8, hidden_size=16, num_hidden_layers=1, state_size=4, **ENDS)
    )
    layers = {"layer_types": ["conv", "full_attention"], "num_key_value_heads": 2}
    hybrid = HuggingFace(transformers.Lfm2Config(**SIZES | layers))
    for model in (own, state_space, hybrid):
        with pytest.raises(UsageError, match="by other ways than the attention functions"), model.cut(Cut()):
            pass
    with pytest.raises(UsageError, match="past is given"):
        model = model_of("gpt2")
        with model.cut(Cut(past=copy.deepcopy(model))):
            pass


def test_attention_that_no_cut_has():
    model = HuggingFace(transformers.GPT2Config(**CONFIGS["gpt2"]().to_diff_dict() | {"attn_pdrop": 0.1}))
    with pytest.raises(UsageError, match="dropout 0.1 in its attention"), model.cut(Cut()):
        model(tokens_of())
    capped = transformers.Gemma2Config(num_key_value_heads=2, head_dim=4, final_logit_softcapping=None, **SIZES)
    with pytest.raises(UsageError, match="its attention has softcap"):
        found = HuggingFace(capped)
        with found.cut(Cut()):
            found(tokens_of())
