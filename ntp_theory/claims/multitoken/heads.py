"""Several heads on one trunk: what they are, how many parameters they have, and which of them share anything."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...checks import Check
from ...sequence.models import (
    LanguageModel,
    LayerHeads,
    LinearHeads,
    Mamba,
    MambaConfig,
    MedusaHeads,
    MedusaModel,
    ModelWithHeads,
    ReplicatedHeads,
    Table,
    TableModel,
    Transformer,
    TransformerConfig,
    parameter_matched,
)
from ...sequence.objectives import Example
from ...sequence.training import Medusa, MultiToken
from ..registry import at_most, claim, close, same

V, LAYERS = 7, 5
CONFIGS = (TransformerConfig(V, 16, 16, LAYERS, 2), MambaConfig(V, 16, LAYERS, state=4))


def drawn(v: int, rows: int = 4, length: int = 12, seed: int = 0) -> Example:
    """Random tokens, with the next one as the label everywhere."""
    tokens = torch.randint(v, (rows, length + 1), generator=torch.Generator().manual_seed(seed))
    return Example(tokens[:, :-1], tokens[:, 1:])


def _plain(config: TransformerConfig | MambaConfig) -> LanguageModel:
    return Transformer(config) if isinstance(config, TransformerConfig) else Mamba(config)


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@claim("multitoken/loss", source="2404.19737 Sec. 2", evidence="exact")
def loss() -> Iterator[Check]:
    """L_n is the sum of n cross-entropies, each with labels shifted by one place more.

    Transformer and Mamba with 3 heads in double precision, 4 texts of 12 tokens: terms counted, and the sum written out
    with the logits of all heads, within the rounding of 33 terms near 2.
    """
    for config in CONFIGS:
        model, example = parameter_matched(config, 3).double(), drawn(V)
        by_head = MultiToken(3).head_losses(model, example)
        counts = [tuple(one.shape) for one in by_head]
        name = type(model.trunk).__name__
        yield same("[(4, 12), (4, 11), (4, 10)]", str(counts), statement=f"{name}: losses of texts and places, by head")
        with model.asked():
            logs = model.future(example.tokens).log_softmax(-1)
            expected = [-logs[:, : 12 - i, i].gather(2, example.labels[:, i:, None]).sum() for i in range(3)]
            found = MultiToken(3).losses(model, example).sum()
        words = f"{name}: the sum of three shifted cross-entropies"
        yield close(float(sum(expected)), float(found), tolerance=1e-13, evidence="measured", statement=words)


@claim("multitoken/architecture", source="2404.19737 Sec. 2, fn. 1", evidence="exact")
def architecture() -> Iterator[Check]:
    """The logits of head i are f_u(f_i(f_s(x))): one layer a head, one unembedding, not tied to the embedding.

    Transformer and Mamba with 3 heads; with one head it is the plain model with one more layer, bit for bit.
    """
    for config in CONFIGS:
        model = parameter_matched(config, 3)
        name, tokens = type(model.trunk).__name__, drawn(V).tokens
        shared = sum(layer is model.head for layer in model.unembeddings)
        yield same(3, shared, statement=f"{name}: heads with the one unembedding")
        tied = model.head.weight.data_ptr() in {p.data_ptr() for p in model.trunk.embedding.parameters()}  # type: ignore[union-attr]
        yield same(False, tied, statement=f"{name}: the unembedding is the embedding")
        reached = [_reached(model, tokens, head) for head in range(3)]
        yield same("[{0}, {1}, {2}]", str(reached), statement=f"{name}: layers of heads that each head depends on")
        whole, one = _plain(config), parameter_matched(config, 1)
        for layer, parameter in zip(whole.parameters(), _in_order(one), strict=True):
            layer.data.copy_(parameter)
        with torch.no_grad():
            alike = torch.equal(whole(tokens), one(tokens))
        yield same(True, alike, statement=f"{name}: with one head the logits of the plain model")


def _reached(model: LayerHeads, tokens: Tensor, head: int) -> set[int]:
    model.zero_grad(set_to_none=True)
    model.states(tokens)[head].square().sum().backward()
    return {k for k, layer in enumerate(model.layers) if any(p.grad is not None for p in layer.parameters())}


def _in_order(model: LayerHeads) -> list[Tensor]:
    """The parameters as the plain model has them: the layer of the head behind those of the trunk."""
    trunk, own = dict(model.trunk.named_parameters()), dict(model.layers[0].named_parameters())
    if isinstance(model.trunk, Transformer):
        body = [p for name, p in trunk.items() if not name.startswith(("norm.", "head."))]
        return [*body, *own.values(), *(p for name, p in trunk.items() if name.startswith(("norm.", "head.")))]
    found = [p for name, p in trunk.items() if name.startswith(("embedding.", "norms."))]
    found += [p for name, p in own.items() if name.startswith("norm.")]
    found += [p for name, p in trunk.items() if name.startswith("mixers.")]
    found += [p for name, p in own.items() if name.startswith("mixer.")]
    return [*found, *(p for name, p in trunk.items() if name.startswith(("norm.", "head.")))]


@claim("multitoken/parameter-matched", source="2404.19737 Sec. 2", evidence="exact")
def matched() -> Iterator[Check]:
    """n - 1 head layers are added and n - 1 trunk layers taken: the number of parameters is the same for all n.

    Transformer and Mamba of 5 layers, n from 1 to 4, in all three arrangements, against the plain model.
    """
    for config in CONFIGS:
        whole = _count(_plain(config))
        for arrangement in ("parallel", "causal", "anticausal"):
            counts = {_count(parameter_matched(config, n, arrangement=arrangement)) for n in range(1, LAYERS)}
            words = f"parameters, {arrangement}, of {type(config).__name__.removesuffix('Config')}"
            yield same(str([whole]), str(sorted(counts)), statement=words)


@claim("multitoken/alternatives", source="2404.19737 App. B, Table S4", evidence="exact")
def alternatives() -> Iterator[Check]:
    """Other heads: linear ones, replicated unembeddings of d n V numbers in all, causal and anticausal chains.

    Numbers counted for n = 4; and of what is reported for n = 4 the parallel heads are the best on both benchmarks, and
    all but those on code completion do no better than n = 1 there.
    """
    d, n = 16, 4
    linear, replicated = LinearHeads(_plain(CONFIGS[0]), n), ReplicatedHeads(_plain(CONFIGS[0]), n)
    yield same(n * d * d, _count(linear.layers), statement="numbers of linear heads, n d^2")
    yield same(d * n * V, sum(map(_count, replicated.unembeddings)), statement="numbers of unembeddings, d n V")
    for arrangement, wanted in (("causal", "[{0}, {0, 1}, {0, 1, 2}]"), ("anticausal", "[{0, 1, 2}, {1, 2}, {2}]")):
        model = parameter_matched(CONFIGS[0], 3, arrangement=arrangement)
        reached = [_reached(model, drawn(V).tokens, head) for head in range(3)]
        yield same(wanted, str(reached), statement=f"layers that each head depends on, {arrangement}")
    reported = {"parallel": (338, 240), "linear": (336, 219), "anticausal": (308, 209), "causal": (319, 209)}
    base = (300, 228)
    for place, name in enumerate(("MBPP", "HumanEval")):
        best = max(reported, key=lambda kind: reported[kind][place])
        yield same("parallel", best, statement=f"best reported for n = 4, {name}")
    above = [name for name, scores in reported.items() if scores[1] > base[1]]
    yield same("['parallel']", str(above), statement="reported above n = 1, HumanEval")


@claim("multitoken/capacity-decoupling", source="derived", evidence="exact")
def decoupling() -> Iterator[Check]:
    """With unlimited capacity heads decouple: the next-token head has the same minimiser, whatever others there are.

    Tables as heads, one for each context, on 20 drawn texts: the gradient of the next-token table is the same bits with
    1 and with 4 heads, and every table is at its minimum at its own conditional frequencies, up to rounding.
    """
    alike, largest = 0, 0.0
    for seed in range(20):
        example = drawn(3, rows=1, length=40, seed=seed)
        gradients = []
        for n in (1, 4):
            model = ReplicatedHeads(TableModel(Table.random(3, 1, rng=seed)), n)
            MultiToken(n).backward(model, example)
            gradients.append(model.head.weight.grad)
        alike += torch.equal(*gradients)  # type: ignore[arg-type]
        largest = max(largest, _slope_at_frequencies(model, example))
    yield same(20, alike, statement="texts with the same gradient of the next-token table")
    words = "largest entry of a gradient at the conditional frequencies"
    # sums of 40 numbers below 1, divided by 40
    yield at_most(40 * 2.3e-16, largest, evidence="measured", statement=words)


def _slope_at_frequencies(model: ModelWithHeads, example: Example) -> float:
    """The largest entry of any table's gradient where the tables are the log-frequencies of the tokens ahead."""
    contexts = model.trunk.features(example.tokens)[0]
    with torch.no_grad():
        for ahead, layer in enumerate(model.unembeddings):
            labels = nn.functional.one_hot(example.labels[0, ahead:], 3).double()
            counts = labels.T @ contexts[: len(labels)]
            # a context that never comes has no frequencies, and no gradient
            layer.weight.copy_((counts / counts.sum(0)).nan_to_num(1 / 3).log().clamp(min=-1e30))
    model.zero_grad(set_to_none=True)
    MultiToken(model.num_heads).backward(model, example)
    return max(float(layer.weight.grad.abs().max()) for layer in model.unembeddings)  # type: ignore[union-attr]


def _medusa(layers: int = 1) -> MedusaModel:
    trunk = Transformer(CONFIGS[0])
    return MedusaModel(trunk, MedusaHeads(16, V, 3, head=trunk.head, layers=layers))


@claim("medusa/heads", source="2401.10774 Sec. 2", evidence="exact")
def medusa_heads() -> Iterator[Check]:
    """p_k = softmax(W_2 (SiLU(W_1 h) + h)) with W_2 at the LM head and W_1 = 0: at first each is the next-token head.

    Three heads behind a Transformer, with one block each and with two: the same bits.
    """
    tokens = drawn(V).tokens
    for layers in (1, 2):
        with torch.no_grad():
            next_token, *others = _medusa(layers).future(tokens).unbind(2)
        alike = sum(torch.equal(next_token, other) for other in others)
        yield same(3, alike, statement=f"heads with the logits of the next-token head, {layers} blocks each")


@claim("medusa/medusa-1", source="2401.10774", evidence="exact")
def medusa_1() -> Iterator[Check]:
    """With a frozen model the loss sum of lambda_k CE_k, lambda_k = .8^k, decouples: every head learns as alone.

    Three heads: the gradient of each is the same bits when the others are moved, and the model gets none.
    """
    weights = ", ".join(f"{w:.3f}" for w in Medusa().weights(3))
    yield same("0.000, 0.800, 0.640, 0.512", weights, statement="weights, of the next-token head first")
    example = drawn(V)
    for moved in range(3):
        found = []
        for by in (0.0, 1.0):
            model = _medusa()
            with torch.no_grad():
                for part in (model.heads.blocks[moved], model.heads.unembeddings[moved]):
                    for parameter in part.parameters():
                        parameter.add_(by * torch.linspace(-1, 1, parameter.numel()).view(parameter.shape))
            Medusa().backward(model, example)
            found.append({name: p.grad for name, p in model.named_parameters()})
        touched = sum(gradient is not None for name, gradient in found[0].items() if name.startswith("trunk."))
        of_heads = [name for name in found[0] if name.startswith("heads.")]
        other = {int(name.split(".")[2]) for name in of_heads if not torch.equal(found[0][name], found[1][name])}  # type: ignore[arg-type]
        yield same(str({moved}), str(other), statement=f"heads whose gradient changes when head {moved} is moved")
        yield same(0, touched, statement="parameters of the model with a gradient")


@claim("medusa/defect-6", source="FasterDecoding/Medusa e2a5d20", evidence="exact")
def one_block_for_all() -> Iterator[Check]:
    """A list of blocks that is written as one block times L is one block: L > 1 adds no parameters.

    Blocks of width 16, L = 3, written so and as here.
    """
    head = MedusaHeads(16, V, 1, layers=3).blocks[0]
    as_there = nn.Sequential(*[next(head.children())] * 3)
    yield same(16**2, _count(as_there), statement="parameters of one block times 3")
    yield same(3 * 16**2, _count(head), statement="parameters of 3 blocks here")
