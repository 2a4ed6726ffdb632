"""Models with several heads: what each head is, on every trunk, and that caches change nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.decoding import greedy, self_speculative
from ntp_theory.sequence.decoding import medusa as decode_medusa
from ntp_theory.sequence.models import (
    LayerHeads,
    LinearHeads,
    Mamba,
    MambaConfig,
    MedusaHeads,
    MedusaModel,
    ReplicatedHeads,
    Transformer,
    TransformerConfig,
    parameter_matched,
)
from ntp_theory.testing import Table, TableModel
from tests.sequence.decoding.references import greedy_texts
from tests.sequence.heads import KINDS, TRUNKS, hugging_face, medusa
from tests.sequence.strategies import trees

V = 5
CONFIGS = {
    "learned": TransformerConfig(V, 12, 8, 4, 2),
    "rotary": TransformerConfig(V, 12, 8, 4, 2, positions="rotary"),
    "mamba": MambaConfig(V, 8, 4, state=4),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_trunk = pytest.mark.parametrize("trunk", TRUNKS)
every_config = pytest.mark.parametrize("name", CONFIGS)


def plain(config):
    return (Transformer if isinstance(config, TransformerConfig) else Mamba)(config)


def tokens_of(rows, length, seed=0):
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(seed))


def count(model):
    return sum(p.numel() for p in model.parameters())


@every_kind
@every_trunk
def test_the_next_token_head_is_the_first(kind, trunk):
    model, tokens = KINDS[kind](TRUNKS[trunk](V, 0), 3).eval(), tokens_of(2, 6)
    with torch.no_grad():
        logits, every = model(tokens), model.future(tokens)
    assert every.shape == (2, 6, 3, V) and torch.equal(logits, every[:, :, 0])
    assert model.head is model.trunk.head and model.num_heads == 3
    heads_differ = [not torch.allclose(every[:, :, 0], every[:, :, k]) for k in (1, 2)]
    assert all(heads_differ)


@every_kind
@every_trunk
@settings(max_examples=3)
@given(
    parts=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=4),
    seed=st.integers(0, 100),
    every=st.booleans(),
)
def test_caches_and_what_they_forget(kind, trunk, parts, seed, every):
    """Stretches are read; after each some are forgotten. Rounding of numbers near 1 is far below 1e-10."""
    model, generator = KINDS[kind](TRUNKS[trunk](V, 0), 3), torch.Generator().manual_seed(seed)
    say = model.future if every else model
    cache, read, settled = model.new_cache(), torch.zeros(2, 0, dtype=torch.int64), 0
    with model.asked():
        for length, back, settle in parts:
            if hasattr(cache, "keep_from"):
                cache.keep_from = settled
            fresh = torch.randint(V, (2, length), generator=generator)
            found = say(fresh, cache)
            read = torch.cat([read, fresh], dim=1)
            assert cache.length == read.shape[1]
            expected = model.future(read) if every else model.future(read)[:, :, 0]
            assert float((found - expected[:, -length:]).abs().max()) < 1e-10
            read = read[:, : max(settled, read.shape[1] - back)]
            cache.truncate(read.shape[1])
            settled = min(read.shape[1], settled + settle)


@every_kind
@every_trunk
@settings(max_examples=2)
@given(seed=st.integers(0, 100), heads=st.integers(1, 5), rows=st.integers(1, 3), length=st.integers(1, 20))
def test_self_speculation_says_what_greedy_decoding_says(kind, trunk, seed, heads, rows, length):
    model = KINDS[kind](TRUNKS[trunk](V, seed), max(2, heads), seed=seed)
    with torch.no_grad():
        model.head.weight *= 8  # texts that vary
    prompts = tokens_of(rows, 3, seed)
    found = self_speculative(model, prompts, length)
    assert torch.equal(found.tokens, greedy(model, prompts, length))
    assert len(found.kept) == max(2, heads) - 1


@every_kind
@every_trunk
@settings(max_examples=2)
@given(seed=st.integers(0, 100), tree=trees(depth=2), rows=st.integers(1, 3), length=st.integers(1, 14))
def test_medusa_decoding_says_what_greedy_decoding_says(kind, trunk, seed, tree, rows, length):
    """By tree attention where the trunk has it; chains keep the same candidates."""
    model = KINDS[kind](TRUNKS[trunk](V, seed), 3, seed=seed)
    with torch.no_grad():
        model.head.weight *= 8
    prompts, eos = tokens_of(rows, 3, seed), seed % V
    assert model.reads_branches == (trunk in ("learned", "rotary"))
    found = decode_medusa(model, prompts, length, tree=tree, eos=eos)
    assert found.texts() == greedy_texts(model, prompts, length, eos)
    with mock.patch.object(type(model.trunk), "reads_branches", False):
        chains = decode_medusa(model, prompts, length, tree=tree, eos=eos)
    assert (chains.texts(), chains.kept, chains.drafted) == (found.texts(), found.kept, found.drafted)


@every_kind
def test_no_head_sees_later_tokens(kind):
    model, tokens = KINDS[kind](TRUNKS["learned"](V, 0), 3), tokens_of(2, 6)
    other = tokens.clone()
    other[:, 4:] = (other[:, 4:] + 1) % V
    with torch.no_grad():
        before, after = model.future(tokens), model.future(other)
    assert torch.equal(before[:, :4], after[:, :4]) and not torch.equal(before[:, 4:], after[:, 4:])


@every_config
@pytest.mark.parametrize("arrangement", ["parallel", "causal", "anticausal"])
def test_matched_models_have_as_many_parameters(name, arrangement):
    config = CONFIGS[name]
    for n in range(1, config.layers):
        model = parameter_matched(config, n, arrangement=arrangement)
        assert count(model) == count(plain(config)) and model.trunk.config.layers == config.layers - n


@settings(max_examples=10)
@given(width=st.integers(1, 6), layers=st.integers(2, 6), vocab_size=st.integers(1, 9), data=st.data())
def test_matched_models_of_any_size(width, layers, vocab_size, data):
    config = TransformerConfig(vocab_size, 8, 2 * width, layers, 2)
    n = data.draw(st.integers(1, layers - 1))
    assert count(parameter_matched(config, n)) == count(Transformer(config))


@every_config
def test_one_head_is_the_plain_model(name):
    """Its last layer is the head: with the same weights the same logits, bit for bit."""
    config = CONFIGS[name]
    whole, model = plain(config), parameter_matched(config, 1)
    own = {key.removeprefix("trunk."): value for key, value in model.state_dict().items()}
    last = config.layers - 1
    for key in list(own):
        if key.startswith("layers.0.norm"):
            own[key.replace("layers.0.norm", f"norms.{last}")] = own.pop(key)
        elif key.startswith("layers.0.mixer"):
            own[key.replace("layers.0.mixer", f"mixers.{last}")] = own.pop(key)
        elif key.startswith("layers.0."):
            own[key.replace("layers.0", f"blocks.{last}")] = own.pop(key)
    whole.load_state_dict(own)
    tokens = tokens_of(2, 6)
    with torch.no_grad():
        assert torch.equal(whole(tokens), model(tokens))
        assert torch.equal(whole.hidden_states(tokens), model.hidden_states(tokens))


@pytest.mark.parametrize("arrangement", ["parallel", "causal", "anticausal"])
@pytest.mark.parametrize("trunk", TRUNKS)
def test_which_layers_a_head_depends_on(arrangement, trunk):
    """Its own, those before it in a chain, those behind it in the other; the unembedding is one, and not tied."""
    model = LayerHeads(TRUNKS[trunk](V, 0), 3, arrangement=arrangement)
    assert all(layer is model.head for layer in model.unembeddings)
    if trunk != "hugging face":
        assert model.head.weight.data_ptr() != model.trunk.embedding.tables[0].weight.data_ptr()
    parameters = [list(layer.parameters()) for layer in model.layers]
    assert len({id(p) for layer in parameters for p in layer}) == sum(map(len, parameters))
    wanted = {
        "parallel": lambda i: {i},
        "causal": lambda i: set(range(i + 1)),
        "anticausal": lambda i: set(range(i, 3)),
    }
    for i in range(3):
        model.zero_grad(set_to_none=True)
        model.states(tokens_of(1, 4))[i].square().sum().backward()
        reached = {k for k, layer in enumerate(parameters) if any(p.grad is not None for p in layer)}
        assert reached == wanted[arrangement](i)
    model.zero_grad(set_to_none=True)
    model(tokens_of(1, 4)).square().sum().backward()
    used = {k for k, layer in enumerate(parameters) if any(p.grad is not None for p in layer)}
    assert used == wanted[arrangement](0), "and no more than that is computed for the next token"


@given(seed=st.integers(0, 100), n=st.integers(1, 4))
def test_linear_and_replicated_heads_by_their_formulas(seed, n):
    h = TRUNKS["learned"](V, seed).features(tokens_of(2, 5, seed))
    for kind in (LinearHeads, ReplicatedHeads):
        trunk = TRUNKS["learned"](V, seed)
        model = kind(trunk, n, seed=seed)
        weights = (
            [trunk.head.weight @ layer.weight for layer in model.layers]
            if kind is LinearHeads
            else [trunk.head.weight, *(layer.weight for layer in model.further)]
        )
        expected = torch.stack([h @ w.T for w in weights], dim=2)
        assert float((model.future(tokens_of(2, 5, seed)) - expected).detach().abs().max()) < 1e-12
        further = n * 16 * 16 if kind is LinearHeads else (n - 1) * 16 * V
        assert count(model) == count(trunk) + further


@given(seed=st.integers(0, 100), n=st.integers(1, 4), layers=st.integers(1, 3), bias=st.booleans())
def test_medusa_heads_begin_as_the_next_token_head(seed, n, layers, bias):
    head = torch.nn.Linear(8, V, bias=bias)
    heads = MedusaHeads(8, V, n, head=head, layers=layers)
    h = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(heads(h), torch.stack([head(h)] * n, dim=2))
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter += torch.randn(parameter.shape)
    for k in range(n):
        x = h
        for block in heads.blocks[k]:
            x = F.silu(x @ block.linear.weight.T) + x
        assert torch.allclose(heads(h)[:, :, k], heads.unembeddings[k](x), atol=1e-4)
    assert count(heads) == n * (layers * 64 + 8 * V + V * bias), "every block has weights of its own"


def test_medusa_behind_a_table():
    """Any model will do, also for linear heads."""
    trunk = TableModel(Table.random(3, 1))
    for model in (MedusaModel(trunk, MedusaHeads(4, 3, 2, head=trunk.head)), LinearHeads(trunk, 3)):
        assert model.future(torch.tensor([[0, 1, 2]])).shape == (1, 3, 3, 3)
        assert model.head.weight.dtype == torch.float64


def test_a_cache_goes_on_as_it_began():
    tokens = tokens_of(1, 4)
    for arrangement, mixes in (("parallel", False), ("causal", False), ("anticausal", True)):
        model = LayerHeads(TRUNKS["mamba"](V, 0), 3, arrangement=arrangement)
        cache = model.new_cache()
        model(tokens, cache)
        if mixes:
            assert model.future(tokens, cache).shape == (1, 4, 3, V)
        else:
            with pytest.raises(UsageError, match="cache was read by 1 layers of heads, now by 3"):
                model.future(tokens, cache)


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("arrangement", ["parallel", "causal", "anticausal"])
def test_hidden_states_go_up_to_the_next_token_head(trunk, arrangement):
    model, tokens = LayerHeads(TRUNKS[trunk](V, 0), 3, arrangement=arrangement).eval(), tokens_of(2, 4)
    with torch.no_grad():
        states = model.hidden_states(tokens)
        assert len(states) == 3 + (3 if arrangement == "anticausal" else 1)
        assert torch.equal(model.head(model.norm(states[-1])), model(tokens))
        assert torch.equal(states[:3], model.trunk.hidden_states(tokens))

        def nothing(layer, x_btd):
            return x_btd * (layer != 1)

        with model.tapped(nothing):
            changed = model(tokens)
        assert not torch.equal(changed, model(tokens)) and model.tap is None and model.trunk.tap is None


@pytest.mark.parametrize("kind", ["linear", "replicated", "medusa"])
@every_trunk
def test_hidden_states_of_heads_without_layers_are_the_trunks(kind, trunk):
    """They can be read and changed, as those of the trunk alone."""
    model, tokens = KINDS[kind](TRUNKS[trunk](V, 0), 3).eval(), tokens_of(2, 4)
    with torch.no_grad():
        assert torch.equal(model.hidden_states(tokens), model.trunk.hidden_states(tokens))
        with model.tapped(lambda layer, x_btd: x_btd * (layer != 1)):
            changed = model(tokens)
        assert not torch.equal(changed, model(tokens)) and model.tap is None and model.trunk.tap is None


@pytest.mark.parametrize("kind", ["GPT2", "Llama", "OPT"])
def test_the_last_norm_of_others_is_found(kind):
    trunk, tokens = hugging_face(V, 0, kind=kind), tokens_of(1, 4)
    model = LayerHeads(trunk, 2)
    twin = copy.deepcopy(model)
    assert any(module is model.norm for module in trunk.model.modules())
    assert any(module is twin.norm for module in twin.trunk.model.modules()), "a copy has its own"
    with trunk.asked():
        assert torch.equal(trunk.head(model.norm(trunk.hidden_states(tokens)[-1])), trunk(tokens))


def test_the_last_norm_of_others_is_not_guessed():
    trunk = hugging_face(V, 0)
    trunk.model.transformer.ln_f = torch.nn.Sequential(trunk.model.transformer.ln_f)
    with pytest.raises(UsageError, match="its last normalisation is not found"):
        _ = trunk.norm


def test_seeds():
    """Heads differ from the layers of a trunk of the same seed and from those of another."""
    first, again, other = (parameter_matched(replace(CONFIGS["learned"], seed=s), 2) for s in (0, 0, 1))
    weights = [m.layers[0].mlp[0].weight for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert not any(torch.equal(weights[0], block.mlp[0].weight) for block in first.trunk.blocks)
    assert repr(first.config) != repr(other.config)


NUMBERS = Transformer(TransformerConfig(1, 4, width=4, layers=1, heads=1, numbers=2))
TRUNK = TRUNKS["learned"](V, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LayerHeads(TRUNK, 0), "num_heads is 0"),
        (lambda: LayerHeads(TRUNK, 2, arrangement="both"), "arrangement is 'both'"),
        (lambda: LayerHeads(TableModel(Table.random(3, 1)), 2), "trunk is TableModel; heads with layers need"),
        (lambda: LinearHeads(LinearHeads(TRUNK, 2), 2), "trunk is LinearHeads; it must be a language model"),
        (lambda: ReplicatedHeads("gpt", 2), "trunk is str; it must be a language model"),
        (lambda: LinearHeads(NUMBERS, 2), "of tokens with one head"),
        (lambda: LinearHeads(TRUNK, 2, seed=-1), "seed is -1"),
        (lambda: parameter_matched(CONFIGS["learned"], 4), "num_heads is 4"),
        (lambda: parameter_matched("small", 2), "config is 'small'"),
        (lambda: MedusaHeads(8, V, 0), "num_heads is 0"),
        (lambda: MedusaHeads(8, V, 1, layers=0), "layers is 0"),
        (lambda: MedusaHeads(8, V, 1, head=torch.nn.Linear(V, 8)), "it must be a Linear layer from 8 to 5"),
        (lambda: MedusaHeads(8, V, 1, head="random"), "head is random; it must be a Linear layer"),
        (lambda: MedusaModel(TRUNK, torch.nn.Linear(2, 2)), "heads is Linear; it must be MedusaHeads"),
        (lambda: MedusaModel(TRUNK, MedusaHeads(8, V, 1)), r"heads has unembeddings \(5, 8\)"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_medusa_heads_come_to_the_precision_of_the_trunk():
    model = MedusaModel(TRUNKS["rotary"](V, 0), MedusaHeads(16, V, 2))
    assert model.future(tokens_of(1, 4)).dtype == torch.float64


def test_medusa_is_behind_the_trunk():
    """The trunk says what it said before."""
    trunk = TRUNKS["rotary"](V, 0)
    logits = trunk(tokens_of(1, 4))
    assert torch.equal(medusa(trunk, 4)(tokens_of(1, 4)), logits)
